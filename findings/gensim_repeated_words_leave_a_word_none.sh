#!/usr/bin/env bash
# gensim 4.4.0: a word that stands twice in a text file of vectors leaves an entry None with a zero vector.
#
# A guess: `load_word2vec_format` keeps the first of two equal words, so three lines with two words give two vectors.
# Seen here: len() is three, the last label is None, its vector is zero, and None appears among the most similar words
# with nan. Files of word vectors hold repeated words when case or diacritics were folded after training.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet gensim==4.4.0 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
import warnings
from importlib.metadata import version

from gensim.models import KeyedVectors

warnings.simplefilter("ignore")
with open("words.vec", "w") as file:
    file.write("3 2\nrue 1 2\nrue 5 6\nroute 1 2\n")
vectors = KeyedVectors.load_word2vec_format("words.vec")
print("gensim", version("gensim"))
print(len(vectors), vectors.index_to_key, vectors.vectors.tolist())
print([(word, str(round(float(score), 2))) for word, score in vectors.most_similar("rue")])
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
gensim 4.4.0
3 ['rue', 'route', None] [[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]]
[('route', '1.0'), (None, 'nan')]
SEEN
echo "as found: the repeated word left None"
