#!/usr/bin/env bash
# chromadb 1.5.9: where a persistent collection's vectors are depends on how many there are.
#
# A guess from the folder: chroma.sqlite3 has texts and metadata, data_level0.bin beside it has the vectors. Seen
# here: with 50 vectors the .bin files are there, and hold none of them; all are little-endian float32 blobs in the
# table embeddings_queue. After 2,000 more, all 50 are in data_level0.bin and the queue has one row left. Who reads
# such a folder without Chroma must read both, and the labels of the second in a pickle.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet chromadb==1.5.9 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
import sqlite3
from importlib.metadata import version
from pathlib import Path

import chromadb
import numpy as np

draws = np.random.default_rng(0)
collection = chromadb.PersistentClient("store").create_collection("words")


def add(first, count):
    rows = draws.random((count, 8), dtype=np.float32)
    collection.add(ids=[str(i) for i in range(first, first + count)], embeddings=rows.tolist())
    return rows


def where(rows):
    graph = b"".join(path.read_bytes() for path in Path("store").rglob("data_level0.bin"))
    with sqlite3.connect("store/chroma.sqlite3") as base:
        queue = {blob for (blob,) in base.execute("select vector from embeddings_queue")}
    kept = [row.tobytes() for row in rows]
    return f"in data_level0.bin {sum(row in graph for row in kept)}, in embeddings_queue {sum(row in queue for row in kept)}"


first = add(0, 50)
print("chromadb", version("chromadb"))
print("50 vectors:", where(first))
add(50, 2000)
print("2,050 vectors, the same 50:", where(first))
print("written as pickle:", [path.name for path in Path("store").rglob("*.pickle")])
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
chromadb 1.5.9
50 vectors: in data_level0.bin 0, in embeddings_queue 50
2,050 vectors, the same 50: in data_level0.bin 50, in embeddings_queue 0
written as pickle: ['index_metadata.pickle']
SEEN
echo "as found: small collections lie in the queue's table"
