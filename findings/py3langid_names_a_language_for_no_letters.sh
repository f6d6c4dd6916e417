#!/usr/bin/env bash
# py3langid 0.4.0: some texts without a letter are zxx, no language, and others are Afrikaans.
#
# A guess: what holds no word is treated in one way. Seen here: a telephone number is zxx, the code for no linguistic
# content; a year, three dots and an empty text are af, the first language of the alphabet, with the lowest float32 as
# log score, since none of the known groups of letters occurs and all languages tie. Mixed corpora show a surprising
# share of Afrikaans.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet py3langid==0.4.0 numpy==2.4.6
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

import py3langid

print("py3langid", version("py3langid"))
for text in ("", "1848", "+49 30 1234567", "..."):
    language, score = py3langid.classify(text)
    print(repr(text), language, bool(score < -1e38))
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
py3langid 0.4.0
'' af True
'1848' af True
'+49 30 1234567' zxx False
'...' af True
SEEN
echo "as found: a year is Afrikaans, a telephone number is not"
