#!/usr/bin/env bash
# faiss-cpu 1.15.1: an 8-bit scalar quantiser cuts values outside the range it was trained on, without a sign.
#
# A guess: scalar quantisation needs hardly any training, the first batch will do, and later vectors lose at most one
# step of 255. Seen here: the range of each dimension is the training vectors' own; what lies outside comes back as
# the range's end. After training on a tight cluster, other vectors are stored as its border and recall falls below a
# third of what the same quantiser reaches when it was trained on a sample of everything. Filling an index language by
# language is such a case.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet faiss-cpu==1.15.1 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

import faiss
import numpy as np

draws = np.random.default_rng(0)
cluster = 1 + 0.01 * draws.standard_normal((2000, 32)).astype(np.float32)
spread = draws.standard_normal((5000, 32)).astype(np.float32)
rows = np.vstack([cluster, spread])
exact = faiss.IndexFlatL2(32)
exact.add(rows)
_, wanted = exact.search(spread[:200], 10)


def stored(training):
    index = faiss.IndexScalarQuantizer(32, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
    index.train(training)
    index.add(rows)
    _, found = index.search(spread[:200], 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(wanted, found)])
    return index.reconstruct(2000), recall


first, low = stored(cluster)
whole, high = stored(rows)
print("faiss-cpu", version("faiss-cpu"))
print("least value put in below -1:", bool(spread[0].min() < -1), "- least that came back above 0.9:", bool(first.min() > 0.9))
print("trained on everything: error below 0.05:", bool(abs(whole - spread[0]).max() < 0.05))
print("recall@10 below 0.3:", bool(low < 0.3), "- trained on everything above 0.95:", bool(high > 0.95))
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
faiss-cpu 1.15.1
least value put in below -1: True - least that came back above 0.9: True
trained on everything: error below 0.05: True
recall@10 below 0.3: True - trained on everything above 0.95: True
SEEN
echo "as found: values outside the trained range are cut off"
