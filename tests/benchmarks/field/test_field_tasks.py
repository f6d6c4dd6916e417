"""Every task on files of the official layout: read, predict, write, score."""

import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interlingua.benchmarks.field import MissingDataError, xglue, xtreme
from interlingua.benchmarks.field.runner import best_threshold, pair_features, predict
from interlingua.benchmarks.field.tasks import write_prediction

WORDS = ["sun", "moon", "tree", "river", "stone", "bird", "fish", "horse", "road", "house", "door", "night"]


class BagOfWords:
    identity, dimension, prompts = "bag", 64, {"symmetric": "", "query": "", "passage": ""}

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = [sum(np.random.default_rng(zlib.crc32(w.encode())).normal(size=64) for w in t.split()) for t in texts]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


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


@pytest.mark.parametrize(("task", "candidates"), [("lareqa", "candidates"), ("mewslix", "candidate_set_entities")])
def test_retrieval_ranks_twenty_candidates(task, candidates, tmp_path):
    pool = [{"id": w, "text": w} if task == "lareqa" else {"entity_id": w, "title": w} for w in WORDS]
    write(tmp_path / f"{task}/{candidates}.jsonl", "".join(json.dumps(each) + "\n" for each in pool))
    write(tmp_path / f"{task}/test-de.jsonl", "".join(json.dumps({"id": w, "text": w}) + "\n" for w in WORDS[:3]))
    write(tmp_path / f"labels/{task}/test-de.json", json.dumps({w: [w] for w in WORDS[:3]}))
    predict("xtreme", task, tmp_path, tmp_path / "out", BagOfWords(), ["de"])
    found = xtreme.evaluate(tmp_path / "out", tmp_path / "labels", [task], ["de"])
    assert found.scores[task]["de"]["map@20"] == 1


@pytest.mark.parametrize("task", ["panx", "udpos", "NER", "POS"])
def test_tags_are_read_written_and_scored(task, tmp_path):
    module, separator = (xglue, " ") if task.isupper() else (xtreme, "\t")
    gold = [["B-PER", "O"], ["B-LOC", "O", "B-ORG"]]
    text = "\n".join("".join(f"w{separator}{tag}\n" for tag in sentence) for sentence in gold)
    write(tmp_path / f"labels/{module.TASKS[task].gold.format(l='de')}", text)
    said = [["B-PER", "O"], ["B-LOC", "O", "B-LOC"]]
    write_prediction(tmp_path / f"out/{module.TASKS[task].prediction.format(l='de')}", said)
    found = module.evaluate(tmp_path / "out", tmp_path / "labels", languages=["de"])
    (score,) = found.scores[task]["de"].values()
    # of NER's three chunks two are right; PAN-X says the same; O is no chunk
    assert score == pytest.approx(2 / 3, abs=1e-9)
    with pytest.raises(ValueError, match="frozen sentence vectors cannot"):
        predict("xglue" if task.isupper() else "xtreme", task, tmp_path, tmp_path / "no", BagOfWords())


@pytest.mark.parametrize("task", ["xquad", "mlqa", "tydiqa", "MLQA"])
def test_answers_are_read_written_and_scored(task, tmp_path):
    module = xglue if task.isupper() else xtreme
    language = "ko" if task == "tydiqa" else "de"
    write(tmp_path / f"labels/{module.TASKS[task].gold.format(l=language)}", squad({"1": "der Rhein", "2": "Elbe"}))
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
        write(tmp_path / "gold" / task.gold.format(l=language, s="test"), "")
    with pytest.raises(FileNotFoundError, match=f"{name} has no predictions for {task.languages[0]}: ") as error:
        module.evaluate(tmp_path / "out", tmp_path / "gold", [name])
    assert not isinstance(error.value, MissingDataError)
    assert task.source not in str(error.value)


def test_a_row_of_other_columns_is_named(tmp_path):
    write(tmp_path / "QAM/xglue.qam.de.test", "q\tp\t1\nq\tp\n")
    with pytest.raises(ValueError, match="line 2: a row has 3 columns, but this one has 2"):
        xglue.read_examples(xglue.TASKS["QAM"], tmp_path, "de")


def test_best_threshold_equals_brute_force():
    rng = np.random.default_rng(1)
    scores, right = rng.integers(0, 8, 30).astype(float), rng.random(30) < 0.4

    def f1(threshold):
        return 2 * right[scores >= threshold].sum() / ((scores >= threshold).sum() + 15)

    assert f1(best_threshold(scores, right, 15)) == pytest.approx(max(map(f1, scores)), abs=1e-12)


def test_pair_features_are_both_sides_difference_and_product():
    found = pair_features(np.float32([[1, 2]]), np.float32([[3, -1]]))
    np.testing.assert_array_equal(found, [[1, 2, 3, -1, 2, 3, 3, -2]])
