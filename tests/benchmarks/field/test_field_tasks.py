"""Every task on files of the official layout: read, predict, write, score."""

import json
import re
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interlingua.benchmarks.field import MissingDataError, xglue, xtreme
from interlingua.benchmarks.field.protocols import best_threshold, pair_features
from interlingua.benchmarks.field.runner import predict
from interlingua.benchmarks.field.tasks import read_mentions, write_prediction

WORDS = ["sun", "moon", "tree", "river", "stone", "bird", "fish", "horse", "road", "house", "door", "night"]


class BagOfWords:
    identity, dimension, prompts = "bag", 64, {"symmetric": "", "query": "", "passage": ""}

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = [sum(np.random.default_rng(zlib.crc32(w.encode())).normal(size=64) for w in t.split()) for t in texts]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Lenient(BagOfWords):
    def encode(self, texts, *, role="symmetric", progress=False):
        return super().encode([re.sub(r"[^\w ]", "", text) for text in texts])


def write(path: Path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lines(*rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def labelled(names):
    """Rows whose label says whether the second text repeats the first."""
    same = [(w, w, names[0]) for w in WORDS]
    return [*same, *((w, v, names[1]) for w, v in pairwise(WORDS))]


def squad(answers):
    qas = [{"id": key, "question": "?", "answers": [{"text": text}]} for key, text in answers.items()]
    return json.dumps({"data": [{"paragraphs": [{"context": "c", "qas": qas}]}]})


@pytest.mark.parametrize(("task", "names"), [("xnli", ("entailment", "neutral")), ("pawsx", ("1", "0"))])
def test_xtreme_pairs(task, names, tmp_path):
    rows = labelled(names)
    write(tmp_path / f"data/{task}/train-en.tsv", lines(*rows))
    write(tmp_path / f"data/{task}/test-de.tsv", lines(*(row[:2] for row in rows)))
    write(tmp_path / f"labels/{task}/test-de.tsv", lines(*(row[2:] for row in rows)))
    assert predict("xtreme", task, tmp_path / "data", tmp_path / "out", BagOfWords(), ["de"]) == [f"{task}/test-de.tsv"]
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", languages=["de"])
    assert found.scores[task]["de"]["accuracy"] > 0.9
    assert found.floors[task]["de"]["majority"] == pytest.approx(12 / 23, abs=1e-9)
    assert not found.tasks  # languages are missing


@pytest.mark.parametrize("task", ["QAM", "QADSM", "PAWSX", "XNLI", "NC", "WPR"])
def test_xglue_rows(task, tmp_path):
    header, rows = [], labelled(("1", "0"))
    if task in ("QADSM", "WPR"):
        names = {"1": "Good", "0": "Bad"} if task == "QADSM" else {"1": "4", "0": "0"}
        rows = sorted((a, b, b, names[c]) for a, b, c in rows)
    elif task == "PAWSX":
        header, rows = [("id", "sentence1", "sentence2", "label")], [(str(i), *row) for i, row in enumerate(rows)]
    elif task == "NC":
        rows = [(w, w, "sports" if i % 2 else "news") for i, w in enumerate(WORDS)]
    train, test = [*header, *rows], [*header, *rows]
    if task == "XNLI":
        test = [("language", "gold_label", *"abcd", "sentence1", "sentence2", "x")]
        test += [("de", c, *"abcd", a, b, "x") for a, b, c in rows] + [("fr", "1", *"abcd", "no", "no", "x")]
    stem = tmp_path / f"data/{task}/xglue.{task.lower()}"
    write(Path(f"{stem}.en.train"), lines(*train))
    write(Path(f"{stem}.de.test"), lines(*test))
    predict("xglue", task, tmp_path / "data", tmp_path / "out", BagOfWords(), ["de"])
    said = (tmp_path / f"out/{task}/de.prediction").read_text().splitlines()
    assert len(said) == len(rows)
    found = xglue.evaluate(tmp_path / "out", tmp_path / "data", languages=["de"])
    (score,) = found.scores[task]["de"].values()
    assert score > 0.9
    assert all(floor < score for floor in found.floors[task]["de"].values())
    if task != "WPR":
        assert score == pytest.approx(np.mean([row[-1] == each for row, each in zip(rows, said)]), abs=1e-9)


def test_tatoeba_answers_each_english_row_with_a_foreign_row(tmp_path):
    write(tmp_path / "tatoeba/de-en.de", lines(*((w,) for w in WORDS)))
    write(tmp_path / "tatoeba/de-en.en", lines(*((w,) for w in sorted(WORDS))))
    write(tmp_path / "labels/tatoeba/test-de.tsv", lines(*((str(WORDS.index(w)),) for w in sorted(WORDS))))
    predict("xtreme", "tatoeba", tmp_path, tmp_path / "out", BagOfWords(), ["de"])
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", ["tatoeba"], ["de"])
    assert found.scores["tatoeba"]["de"]["accuracy"] == 1


def test_bucc_is_mined_at_the_threshold_of_the_development_set(tmp_path):
    for split in ("dev", "test"):
        write(tmp_path / f"bucc2018/de-en.{split}.de", lines(*((f"de-{i}", w) for i, w in enumerate(WORDS))))
        english = [*WORDS[:6], *["one", "two", "three", "four", "five", "six", "seven"]]
        write(tmp_path / f"bucc2018/de-en.{split}.en", lines(*((f"en-{i}", w) for i, w in enumerate(english))))
        write(tmp_path / f"bucc2018/de-en.{split}.gold", lines(*((f"de-{i}", f"en-{i}") for i in range(6))))
    write(tmp_path / "labels/bucc2018/test-de.tsv", lines(*((f"de-{i}", f"en-{i}") for i in range(6))))
    predict("xtreme", "bucc2018", tmp_path, tmp_path / "out", BagOfWords(), ["de"])
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", ["bucc2018"], ["de"])
    assert found.scores["bucc2018"]["de"]["f1"] == 1


def xquad_r_file(language, extra):
    """One paragraph of sentences, each a word of its own that a question asks for."""
    words = [f"{word}{extra}" for word in WORDS]
    context, breaks, qas = "", [], []
    for number, word in enumerate(words):
        breaks.append((len(context), len(context) + len(word)))
        answers = [{"text": word, "answer_start": len(context)}]
        qas.append({"id": f"q{number}", "question": WORDS[number], "answers": answers})
        context += word + " "
    paragraph = {"context": context, "sentence_breaks": breaks, "sentences": words, "qas": qas}
    return json.dumps({"data": [{"paragraphs": [paragraph]}]})


def test_lareqa_asks_the_sentences_of_all_languages(tmp_path):
    for language, extra in (("de", ""), ("en", " x")):
        write(tmp_path / f"lareqa/xquad-r/{language}.json", xquad_r_file(language, extra))
    predict("xtreme", "lareqa", tmp_path, tmp_path / "out", BagOfWords(), ["de"])
    said = json.loads((tmp_path / "out/lareqa/test-de.json").read_text())
    assert said["q3"][0] == "de:3"
    found = xtreme.evaluate(tmp_path / "out", tmp_path, ["lareqa"], ["de"])
    ranks = [sorted(said[f"q{n}"].index(each) + 1 for each in (f"de:{n}", f"en:{n}")) for n in range(len(WORDS))]
    expected = np.mean([(1 / one + 2 / two) / 2 for one, two in ranks])
    assert found.scores["lareqa"]["de"]["map@20"] == pytest.approx(expected, abs=1e-9)
    assert expected > 0.9


def test_mewslix_links_marked_mentions_to_entities(tmp_path):
    pool = [{"entity_id": f"Q{w}", "title": w, "description": w, "description_language": "en"} for w in WORDS]
    write(tmp_path / "mewslix/candidate_set_entities.jsonl", "".join(json.dumps(each) + "\n" for each in pool))
    text = "{a} sun. moon moon moon."
    spans = [{"start": 0, "end": 8}, {"start": 9, "end": 24}]
    mentions = [{"example_id": "m", "mention_span": {"start": 14, "end": 18, "text": "moon"}, "entity_id": ""}]
    entry = {"context": {"text": text, "language": "de", "sentence_spans": spans}, "mentions": mentions}
    write(tmp_path / "mewslix/wikinews_mentions/test-de.jsonl", json.dumps(entry) + "\n")
    assert read_mentions(tmp_path / "mewslix/wikinews_mentions/test-de.jsonl") == {"m": "moon { moon } moon."}
    write(tmp_path / "labels/mewslix/test-de.json", json.dumps({"m": ["Qmoon"]}))
    predict("xtreme", "mewslix", tmp_path, tmp_path / "out", Lenient(), ["de"])
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", ["mewslix"], ["de"])
    said = json.loads((tmp_path / "out/mewslix/test-de.json").read_text())["m"]
    assert found.scores["mewslix"]["de"]["map@20"] == pytest.approx(1 / (1 + said.index("Qmoon")), abs=1e-9)
    assert said[0] == "Qmoon"


def test_xcopa_chooses_what_english_copa_taught(tmp_path):
    def items(shift):
        rows = [(w, w, v) if n % 2 else (w, v, w) for n, (w, v) in enumerate(zip(WORDS, WORDS[shift:] + WORDS[:shift]))]
        return [
            {"premise": p, "choice1": a, "choice2": b, "question": "cause", "label": int(p == b)} for p, a, b in rows
        ]

    write(tmp_path / "xcopa/train-en.jsonl", "".join(json.dumps(each) + "\n" for each in items(1) + items(2)))
    write(tmp_path / "xcopa/test-it.jsonl", "".join(json.dumps({**each, "label": 0}) + "\n" for each in items(3)))
    write(tmp_path / "labels/xcopa/test-it.jsonl", "".join(json.dumps(each) + "\n" for each in items(3)))
    predict("xtreme", "xcopa", tmp_path, tmp_path / "out", BagOfWords(), ["it"])
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", ["xcopa"], ["it"])
    assert found.scores["xcopa"]["it"]["accuracy"] == 1
    assert found.floors["xcopa"]["it"] == {"majority": 0.5, "constant": 0.5}


@pytest.mark.parametrize("task", ["panx", "udpos", "NER", "POS"])
def test_tags_are_learned_in_english_and_predicted(task, tmp_path):
    module, separator = (xglue, " ") if task.isupper() else (xtreme, "\t")
    tags = {word: ("B-LOC", "O", "B-PER")[number % 3] for number, word in enumerate(WORDS)}
    sentences = [[WORDS[(start + step) % 12] for step in (0, 5, 7)] for start in range(12)]
    tagged = "\n".join("".join(f"{w}{separator}{tags[w]}\n" for w in each) for each in sentences)
    bare = "\n".join("".join(f"{w}\n" for w in each) for each in sentences[:4])
    name, folder = module.TASKS[task], tmp_path / "data"
    write(folder / name.train.split("|")[-1], tagged)
    write(folder / name.files[0].split("|")[-1].format(l="de", s="test"), bare if task.islower() else tagged)
    write(tmp_path / "labels" / name.gold.split("|")[-1].format(l="de"), tagged)
    if task.islower():
        write(tmp_path / "labels" / name.gold.format(l="de"), "\n\n".join(tagged.split("\n\n")[:4]) + "\n")
    benchmark = "xglue" if task.isupper() else "xtreme"
    predict(benchmark, task, folder, tmp_path / "out", BagOfWords(), ["de"])
    found = module.evaluate(tmp_path / "out", tmp_path / "labels", languages=["de"])
    (score,) = found.scores[task]["de"].values()
    assert score == 1
    assert found.floors[task]["de"]["majority"] < 1


@pytest.mark.parametrize("task", ["xquad", "mlqa", "tydiqa", "MLQA"])
def test_answers_are_found_by_a_head_learned_in_english(task, tmp_path):
    def questions(start):
        qas = []
        for number in range(start, start + 12):
            words = [WORDS[(number + step * 5) % 12] for step in range(6)]
            words[2], words[3] = "is", f"name{number}"
            context = " ".join(words)
            answers = [{"text": words[3], "answer_start": context.index("name")}]
            qas.append({"context": context, "qas": [{"id": f"q{number}", "question": "is", "answers": answers}]})
        return json.dumps({"data": [{"paragraphs": qas}]})

    module, language = (xglue, "de") if task.isupper() else (xtreme, "ko" if task == "tydiqa" else "de")
    name = module.TASKS[task]
    write(tmp_path / name.train.split("|")[-1], questions(0))
    write(tmp_path / name.files[0].split("|")[-1].format(l=language, s="test"), questions(0))
    labels = tmp_path / "labels"
    write(labels / name.gold.split("|")[-1].format(l=language, s="test"), questions(0))
    predict("xglue" if task.isupper() else "xtreme", task, tmp_path, tmp_path / "out", BagOfWords(), [language])
    found = module.evaluate(tmp_path / "out", labels, [task], [language])
    assert found.scores[task][language]["f1"] > 0.9
    assert found.floors[task][language]["first words"] < 0.5


@pytest.mark.parametrize("task", ["panx", "udpos", "NER", "POS"])
def test_tags_are_read_written_and_scored(task, tmp_path):
    module, separator = (xglue, " ") if task.isupper() else (xtreme, "\t")
    gold = [["B-PER", "O"], ["B-LOC", "O", "B-ORG"]]
    text = "\n".join("".join(f"w{separator}{tag}\n" for tag in sentence) for sentence in gold)
    write(tmp_path / f"labels/{module.TASKS[task].gold.split('|')[0].format(l='de')}", text)
    said = [["B-PER", "O"], ["B-LOC", "O", "B-LOC"]]
    write_prediction(tmp_path / f"out/{module.TASKS[task].prediction.format(l='de')}", said)
    found = module.evaluate(tmp_path / "out", tmp_path / "labels", languages=["de"])
    (score,) = found.scores[task]["de"].values()
    # of NER's three chunks two are right; PAN-X says the same; O is no chunk
    assert score == pytest.approx(2 / 3, abs=1e-9)


@pytest.mark.parametrize("task", ["xquad", "mlqa", "tydiqa", "MLQA"])
def test_answers_are_read_written_and_scored(task, tmp_path):
    module = xglue if task.isupper() else xtreme
    language = "ko" if task == "tydiqa" else "de"
    write(
        tmp_path / f"labels/{module.TASKS[task].gold.split('|')[0].format(l=language)}",
        squad({"1": "der Rhein", "2": "Elbe"}),
    )
    write_prediction(
        tmp_path / f"out/{module.TASKS[task].prediction.format(l=language)}", {"1": "Rhein", "2": "Elbe Saale"}
    )
    found = module.evaluate(tmp_path / "out", tmp_path / "labels", languages=[language])
    first = 1 if task.lower() == "mlqa" else 2 / 3  # MLQA drops the German article
    assert found.scores[task][language]["f1"] == pytest.approx((first + 2 / 3) / 2, abs=1e-9)


@pytest.mark.parametrize("task", ["QG", "NTG"])
def test_generated_texts_are_written_and_scored(task, tmp_path):
    write(tmp_path / f"labels/{task}/xglue.{task.lower()}.de.tgt.test", "a b c d e\nf g h i\n")
    write_prediction(tmp_path / f"out/{task}/de.prediction", ["a b c d X", "F G H I"])
    found = xglue.evaluate(tmp_path / "out", tmp_path / "labels", languages=["de"])
    expected = (8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25
    assert found.scores[task]["de"]["bleu"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("module", "name"), [(m, n) for m in (xtreme, xglue) for n in m.TASKS])
def test_missing_data_are_named_with_source_and_licence(module, name, tmp_path):
    task = module.TASKS[name]
    with pytest.raises(MissingDataError) as error:
        module.evaluate(tmp_path, tmp_path, [name])
    assert all(part in str(error.value) for part in (name, task.source, task.licence, str(tmp_path)))


@pytest.mark.parametrize("module", [xtreme, xglue])
def test_missing_predictions_are_not_taken_for_missing_data(module, tmp_path):
    name = next(iter(module.TASKS))
    task = module.TASKS[name]
    for language in task.languages:
        write(tmp_path / "gold" / task.gold.split("|")[0].format(l=language, s="test"), "")
    with pytest.raises(FileNotFoundError, match=f"{name} has no predictions for {task.languages[0]}: ") as error:
        module.evaluate(tmp_path / "out", tmp_path / "gold", [name])
    assert not isinstance(error.value, MissingDataError)
    assert task.source not in str(error.value)


def test_a_row_of_other_columns_is_named(tmp_path):
    write(tmp_path / "QAM/xglue.qam.de.dev", "q\tp\t1\nq\tp\n")
    with pytest.raises(ValueError, match="line 2: a row has 3 columns, but this one has 2"):
        xglue.read_examples(xglue.TASKS["QAM"], tmp_path, "de", "dev")


@pytest.mark.parametrize(("task", "row"), [("QAM", "q\tp"), ("QADSM", "q\tt\td"), ("WPR", "q\tt\ts")])
def test_a_test_file_without_labels_is_read(task, row, tmp_path):
    write(tmp_path / f"{task}/xglue.{task.lower()}.de.test", f"{row}\n{row}\n")
    found = xglue.read_examples(xglue.TASKS[task], tmp_path, "de")
    assert found.texts == (tuple(row.replace("\t", " ", 2).split(" ", 1)),) * 2
    assert not found.labels


def test_best_threshold_equals_brute_force():
    rng = np.random.default_rng(1)
    scores, right = rng.integers(0, 8, 30).astype(float), rng.random(30) < 0.4

    def f1(threshold):
        return 2 * right[scores >= threshold].sum() / ((scores >= threshold).sum() + 15)

    assert f1(best_threshold(scores, right, 15)) == pytest.approx(max(map(f1, scores)), abs=1e-12)


def test_pair_features_are_both_sides_difference_and_product():
    found = pair_features(np.float32([[1, 2]]), np.float32([[3, -1]]))
    np.testing.assert_array_equal(found, [[1, 2, 3, -1, 2, 3, 3, -2]])
