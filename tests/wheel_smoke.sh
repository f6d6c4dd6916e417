#!/usr/bin/env bash
# The installed wheel, without any extra: the console command on PATH does the main jobs on files made here.
# Run it in an empty folder; it needs `interlingua`, and the `python` beside it, on PATH.
set -euo pipefail

fail() {
    echo "wheel smoke test: $*" >&2
    exit 1
}
# value JSON_FILE EXPRESSION: print a Python expression over the parsed result `r`
value() {
    python -c 'import json, sys; r = json.load(open(sys.argv[1], encoding="utf-8")); print(eval(sys.argv[2]))' "$1" "$2"
}
expect() {
    [[ "$1" == "$2" ]] || fail "expected '$2', got '$1' ($3)"
}

python - <<'PYTHON'
import json
import random

english = "the of sun moon star cat dog house water fire tree bread milk stone river road king queen book night".split()
french = "le de soleil lune étoile chat chien maison eau feu arbre pain lait pierre fleuve route roi reine livre nuit".split()
random.seed(1)
rows = [[random.gauss(0, 1) for _ in range(12)] for _ in english]


def write(path, words, vectors):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{len(words)} 12\n")
        for word, vector in zip(words, vectors):
            file.write(f"{word} {' '.join(f'{value:.6f}' for value in vector)}\n")


write("EN.vec", english, rows)
write("FR.vec", french, [row[3:] + row[:3] for row in rows])  # the axes in another order: a rotation
with open("pairs.tsv", "w", encoding="utf-8") as file:
    file.writelines(f"{pair[0]}\t{pair[1]}\n" for pair in list(zip(english, french))[:16])
texts = [("a", "the sun and the moon"), ("b", "bread and milk"), ("c", "a house of stone"), ("d", "the king of the river")]
with open("texts.jsonl", "w", encoding="utf-8") as file:
    file.writelines(json.dumps({"id": id, "text": text, "language": "en"}) + "\n" for id, text in texts)
PYTHON

interlingua --version | grep -qE '^interlingua [0-9]+\.[0-9]+' || fail "no version"

interlingua align EN.vec FR.vec --dictionary pairs.tsv -o en-fr.space --json >align.json
expect "$(value align.json 'r["languages"], r["pairs"]')" "(['en', 'fr'], 16)" align

interlingua translate en-fr.space --from en --to fr --vectors en=EN.vec fr=FR.vec queen night --json --quiet >words.json
expect "$(value words.json '[w["translations"][0]["word"] for w in r]')" "['reine', 'nuit']" translate

interlingua map en-fr.space --language en EN.vec -o mapped.vec --quiet
expect "$(head -1 mapped.vec)" "20 12" map
echo "sun 1 0 0 0 0 0 0 0 0 0 0 0" | interlingua map en-fr.space --language en - -o one.npz --quiet

interlingua index build texts.jsonl --encoder EN.vec -o collection --quiet | grep -q "4 passages" || fail "index build"
interlingua search collection "milk and bread" -k 2 --json >hits.json
expect "$(value hits.json '[h["id"] for h in r[0]["hits"]][0], len(r[0]["hits"])')" "('b', 2)" search
echo "a river and its king" | interlingua search collection - --languages en -k 1 | grep -q "the king of the river" ||
    fail "search of standard input"

interlingua info en-fr.space --json >space.json
expect "$(value space.json 'r["kind"], r["dimension"]')" "('shared space', 12)" "info of a space"
interlingua info collection --json >collection.json
expect "$(value collection.json 'r["kind"], r["languages"]')" "('collection', {'en': 4})" "info of a collection"
interlingua info EN.vec | grep -q "20 of 20 vectors of dimension 12" || fail "info of vectors"

# without the extra, the bundled encoder is refused in one line that names it; nothing is written
echo "a text" >text.txt
code=0
interlingua encode text.txt --language en -o out.npy >out.txt 2>error.txt || code=$?
expect "$code" 1 "exit code without the extra"
expect "$(wc -l <error.txt | tr -d ' ')" 1 "lines of the error"
grep -q 'pip install "interlingua\[offline\]"' error.txt || fail "the error does not name the extra: $(cat error.txt)"
[[ ! -s out.txt && ! -e out.npy ]] || fail "something was written in spite of the error"

echo "wheel smoke test: passed"
