#!/usr/bin/env bash
# sacrebleu 2.6.0: a perfect answer of up to three tokens has corpus BLEU 0, one sentence of it 100.
#
# A guess: a hypothesis equal to its reference has BLEU 100. Seen here: `corpus_bleu` multiplies the precisions of one
# to four words, and there are no four-grams in an answer of three words, nor in any Chinese sentence without the
# Chinese tokeniser; `sentence_bleu` counts only the orders that exist (effective order) and says 100. A question
# answering benchmark scored by corpus BLEU calls perfect systems useless; chrF does not.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet sacrebleu==2.6.0
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

import sacrebleu

print("sacrebleu", version("sacrebleu"))
for text in ("in the year 1848", "in 1848 already", "人人生而自由"):
    corpus = sacrebleu.corpus_bleu([text], [[text]]).score
    sentence = sacrebleu.sentence_bleu(text, [text]).score
    chrf = sacrebleu.corpus_chrf([text], [[text]]).score
    print(f"{len(text.split())} words: corpus BLEU {corpus:.0f}, sentence BLEU {sentence:.0f}, chrF {chrf:.0f}")
print(f"with tokenize='zh': {sacrebleu.corpus_bleu(['人人生而自由'], [['人人生而自由']], tokenize='zh').score:.0f}")
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
sacrebleu 2.6.0
4 words: corpus BLEU 100, sentence BLEU 100, chrF 100
3 words: corpus BLEU 0, sentence BLEU 100, chrF 100
1 words: corpus BLEU 0, sentence BLEU 100, chrF 100
with tokenize='zh': 100
SEEN
echo "as found: perfect short answers have corpus BLEU 0"
