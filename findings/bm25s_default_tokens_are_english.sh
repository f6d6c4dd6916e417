#!/usr/bin/env bash
# bm25s 0.3.16: the tokens that it makes by default suit English alone, also where nothing English is in sight.
#
# A guess: a lexical leg without options treats all languages alike. Seen here: the default drops English stop words
# from German (`in`, `was`, `will`: was, want), keeps a Chinese sentence as one single token, so that no word of it
# can be found, and drops every token of one character, which takes `C`, `R`, `9` and Chinese words written alone.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet bm25s==0.3.16 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

import bm25s

texts = ["Was er will, das steht in Rom", "人人生而自由", "水", "C 9 R2D2"]
print("bm25s", version("bm25s"))
print(bm25s.tokenize(texts, return_ids=False, show_progress=False))
print(bm25s.tokenize(texts, stopwords=[], return_ids=False, show_progress=False))
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
bm25s 0.3.16
[['er', 'das', 'steht', 'rom'], ['人人生而自由'], [], ['r2d2']]
[['was', 'er', 'will', 'das', 'steht', 'in', 'rom'], ['人人生而自由'], [], ['r2d2']]
SEEN
echo "as found: tokens by default are English ones"
