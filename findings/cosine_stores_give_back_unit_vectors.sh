#!/usr/bin/env bash
# hnswlib 0.8.0 and qdrant-client 1.20.0 (local): with cosine, the vectors that were put in cannot be had again.
#
# A guess: a store returns what was added, and only the comparison is scaled. Seen here: both scale to length one when
# adding, so lengths are lost, and with them whatever they said (frequency, confidence, a folded correction);
# chromadb's cosine collections and usearch keep the lengths, usearch rounded to its default of bfloat16. Copying a
# collection from one store to another by `get` changes it in the first two.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet hnswlib==0.8.0 qdrant-client==1.20.0 usearch==2.26.6 chromadb==1.5.9 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

import chromadb
import hnswlib
import numpy as np
from qdrant_client import QdrantClient, models
from usearch.index import Index

row = np.array([3.0, 4.0, 0.01], dtype=np.float32)


def shown(name, vector):
    print(name, version(name), [round(float(number), 4) for number in vector])


graph = hnswlib.Index(space="cosine", dim=3)
graph.init_index(10)
graph.add_items(row[None], [7])
shown("hnswlib", graph.get_items([7])[0])

client = QdrantClient(":memory:")
client.create_collection("words", vectors_config=models.VectorParams(size=3, distance=models.Distance.COSINE))
client.upsert("words", [models.PointStruct(id=7, vector=row.tolist())])
shown("qdrant-client", client.retrieve("words", [7], with_vectors=True)[0].vector)

collection = chromadb.EphemeralClient().create_collection("words", configuration={"hnsw": {"space": "cosine"}})
collection.add(ids=["7"], embeddings=[row.tolist()])
shown("chromadb", collection.get(include=["embeddings"])["embeddings"][0])

index = Index(ndim=3, metric="cos")
index.add(7, row)
shown("usearch", index.get(7))
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
hnswlib 0.8.0 [0.6, 0.8, 0.002]
qdrant-client 1.20.0 [0.6, 0.8, 0.002]
chromadb 1.5.9 [3.0, 4.0, 0.01]
usearch 2.26.6 [3.0, 4.0, 0.01]
SEEN
echo "as found: two of four stores give back unit vectors"
