#!/usr/bin/env bash
# faiss-cpu 1.15.1: whether a vector's distance to itself is zero depends on how many are asked at once.
#
# A guess from memory: exact search uses BLAS from 20 questions on, and the answer to a question does not depend on
# the others in its batch. Seen here: the switch lies at 128,000 numbers (questions times dimension), so batches of a
# hundred still go row by row, which is exact but slow; from the switch on, L2 distances come from |x|^2 + |y|^2 -
# 2xy, and most vectors are no longer at distance 0 from themselves. Thresholds like `distance == 0` for copies hold
# for small batches only. Vectors of 64 dimensions, 4,000 of them.
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

x = np.random.default_rng(0).standard_normal((4000, 64)).astype(np.float32)
index = faiss.IndexFlatL2(64)
index.add(x)
print("faiss-cpu", version("faiss-cpu"), "threshold", faiss.cvar.distance_compute_blas_threshold)
for questions in (1, 100, 1999, 2000):
    distances, found = index.search(x[:questions], 1)
    right = bool((found[:, 0] == np.arange(questions)).all())
    print(questions, "questions: own row first", right, "- all distances zero", bool((distances == 0).all()))
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
faiss-cpu 1.15.1 threshold 128000
1 questions: own row first True - all distances zero True
100 questions: own row first True - all distances zero True
1999 questions: own row first True - all distances zero True
2000 questions: own row first True - all distances zero False
SEEN
echo "as found: copies are at distance zero in small batches only"
