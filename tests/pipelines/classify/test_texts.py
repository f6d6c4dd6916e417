import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from interlingua.pipelines import CrossLingualClassifier
from interlingua.pipelines.classify.texts import classification_report
from interlingua.pipelines.texts.tables import read_columns

TOPICS = {"sky": ["sun", "moon", "star", "cloud"], "farm": ["cow", "goat", "field", "plough"]}


def _texts(language: str, *, n: int = 12, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(n):
        topic = list(TOPICS)[number % 2]
        words = [*rng.choice(TOPICS[topic], 3), *rng.choice(["big", "old", "new", "far"], 1)]
        texts.append(" ".join(f"{word}.{language}" for word in words))
        labels.append(topic)
    return texts, labels


@pytest.fixture
def trained(fake_encoder):
    texts, labels = _texts("en", n=30)
    unlabelled = {"sw": _texts("sw", seed=3)[0]}
    return CrossLingualClassifier(fake_encoder).fit(texts, labels, language="en", unlabelled=unlabelled)


def test_labels_carry_over_to_a_language_without_labels(trained):
    texts, labels = _texts("sw", n=20, seed=9)
    assert trained.predict(texts, language="sw") == labels
    assert trained.evaluate(texts, labels, language="sw").accuracy == 1


def test_each_language_is_centred_by_its_own_texts(trained, fake_encoder):
    swahili = _texts("sw", seed=3)[0]
    mean = fake_encoder.encode(swahili).mean(axis=0)
    vectors = fake_encoder.encode(swahili) - mean
    wanted = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(trained.space_.transform(fake_encoder.encode(swahili), "sw"), wanted, atol=1e-5)


def test_saved_and_loaded_it_says_the_same(trained, fake_encoder, tmp_path):
    trained.save(tmp_path / "model")
    loaded = CrossLingualClassifier.load(tmp_path / "model", encoder=fake_encoder)
    texts = [*_texts("sw", seed=5)[0], *_texts("en", seed=6)[0]]
    names = ["sw"] * 12 + ["en"] * 12
    assert loaded.labels == trained.labels
    assert np.array_equal(loaded.predict_proba(texts, language=names), trained.predict_proba(texts, language=names))
    trained.save(tmp_path / "model")  # an older one is replaced


def test_another_encoder_and_another_folder_are_refused(trained, other_fake_encoder, tmp_path):
    trained.save(tmp_path / "model")
    with pytest.raises(ValueError, match="vectors of 'fake-1', but the encoder is 'fake-2'"):
        CrossLingualClassifier.load(tmp_path / "model", encoder=other_fake_encoder)
    with pytest.raises(ValueError, match="holds no classifier"):
        CrossLingualClassifier.load(tmp_path, encoder=other_fake_encoder)
    (arrays,) = (tmp_path / "model").glob("classifier.*safetensors")
    arrays.write_bytes(arrays.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"classifier\..*safetensors has 100 bytes instead of"):
        CrossLingualClassifier.load(tmp_path / "model", encoder=trained.encoder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="holds other files"):
        trained.save(tmp_path / "other")
    assert (tmp_path / "other" / "note").read_text() == "mine"


def test_a_language_that_was_not_seen_is_refused_and_lsar_needs_none(trained, fake_encoder):
    with pytest.raises(ValueError, match=r"knows no texts of 'fi', only of en, sw"):
        trained.predict(["sun.fi"], language="fi")
    texts, labels = _texts("en", n=30)
    unlabelled = {"sw": _texts("sw", seed=3)[0]}
    free = CrossLingualClassifier(fake_encoder, languages="lsar")
    free.fit(texts, labels, language="en", unlabelled=unlabelled)
    assert set(free.predict(["sun.fi moon.fi"], language="fi")) <= set(TOPICS)


def test_too_few_texts_of_a_language_are_refused(fake_encoder):
    texts, labels = _texts("en", n=30)
    with pytest.raises(ValueError, match="sw has 3 texts; centring needs at least 10"):
        CrossLingualClassifier(fake_encoder).fit(
            texts, labels, language="en", unlabelled={"sw": ["a.sw", "b.sw", "c.sw"]}
        )
    with pytest.raises(ValueError, match="must correspond; got 30, 29 and 30"):
        CrossLingualClassifier(fake_encoder).fit(texts, labels[1:], language="en")


def test_the_report_is_scikit_learns():
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 200)
    labels = rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])
    said = np.array(["a", "b", "c"])[probabilities.argmax(axis=1)]
    report = classification_report(probabilities, list(labels), ["a", "b", "c"])
    assert report.accuracy == pytest.approx(accuracy_score(labels, said))
    assert report.macro_f1 == pytest.approx(f1_score(labels, said, average="macro"))
    assert report.majority == pytest.approx((labels == "a").mean())
    # brute force: bin by bin
    sure, gap = probabilities.max(axis=1), 0.0
    for low in np.arange(0, 1, 0.1):
        inside = (sure >= low) & (sure < low + 0.1)
        if inside.any():
            gap += inside.mean() * abs((said == labels)[inside].mean() - sure[inside].mean())
    assert report.calibration_error == pytest.approx(gap)


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_tables_of_every_format_read_the_same(suffix, tmp_path):
    rows = {"text": ["eins", "日本"], "category": ["a", "b"]}
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        arrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table(rows), path)
    elif suffix == ".jsonl":
        lines = [json.dumps({"text": t, "category": c}) for t, c in zip(*rows.values(), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        path.write_text("text\tcategory\neins\ta\n日本\tb\n", encoding="utf-8")
    assert read_columns(path, ["text", "category"]) == rows
    assert read_columns(path, ["text"], optional=["missing"]) == {"text": rows["text"]}
    with pytest.raises(ValueError, match="has no column 'label'; it has: text, category"):
        read_columns(path, ["label"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "text\tcategory\nx\n", "line 2: expected 2 columns as in the first line, got 1"),
        ("a.tsv", "text\tcategory\n", "holds no rows"),
        ("a.jsonl", '{"text": "x"}\n{"t": 1}\n', "line 2: expected an object with text"),
        ("a.jsonl", "{\n", "line 1: each line must be a JSON object"),
    ],
)
def test_a_broken_table_is_refused_by_line(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_columns(tmp_path / name, ["text"])


@pytest.fixture
def classify(monkeypatch, fake_encoder, capsys):
    from interlingua.pipelines.classify import texts as cross_lingual_classifier
    from interlingua.pipelines.commands.main import main
    from interlingua.pipelines.encoders import load
    from interlingua.pipelines.encoders.known import remember_model

    object.__setattr__(fake_encoder, "loaded_as", "fake")
    remember_model("fake")
    monkeypatch.setattr(cross_lingual_classifier, "load_encoder", lambda name: fake_encoder)
    monkeypatch.setattr(load, "load_encoder", lambda name, **_: fake_encoder)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["classify", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def _write(path: Path, language: str, **options: int) -> list[str]:
    texts, labels = _texts(language, **options)
    rows = "".join(f"{label}\t{text}\n" for text, label in zip(texts, labels, strict=True))
    path.write_text("category\ttext\n" + rows)
    return labels


def test_the_commands_train_predict_and_evaluate(classify, tmp_path):
    _write(tmp_path / "en.tsv", "en", n=30)
    labels = _write(tmp_path / "sw.tsv", "sw", seed=8)
    (tmp_path / "sw.txt").write_text("\n".join(_texts("sw", seed=3)[0]) + "\n")
    model = tmp_path / "model"
    code, out, _ = classify(
        "train", f"en={tmp_path}/en.tsv", "--unlabelled", f"sw={tmp_path}/sw.txt", "-o", model, "--json"
    )
    assert code == 0
    assert json.loads(out)["labels"] == ["farm", "sky"]
    assert classify("predict", model, f"sw={tmp_path}/sw.tsv", "-o", tmp_path / "out.tsv")[0] == 0
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines[0] == "text\tlabel\tprobability"
    assert [line.split("\t")[1] for line in lines[1:]] == labels
    (tmp_path / "odd.jsonl").write_text(json.dumps({"text": "sun.sw\tmoon.sw\nstar.sw"}) + "\n")
    assert classify("predict", model, f"sw={tmp_path}/odd.jsonl", "-o", tmp_path / "odd.tsv")[0] == 0
    assert (tmp_path / "odd.tsv").read_text().splitlines()[1].startswith("sun.sw moon.sw star.sw\tsky\t")
    code, out, _ = classify("evaluate", model, f"sw={tmp_path}/sw.tsv", "--json")
    assert code == 0
    assert json.loads(out)["sw"]["accuracy"] == 1
    code, _, err = classify("predict", model, f"fi={tmp_path}/sw.txt")
    assert code == 1
    assert "knows no texts of 'fi'" in err


@pytest.mark.parametrize("named", [(1, 2, 3, 4), (True, False), (0.5, 1.5)])
def test_labels_may_be_numbers_or_truth_values(fake_encoder, named):
    texts, labels = _texts("en")
    kinds = sorted(set(labels))
    given = [named[kinds.index(each) % len(named)] for each in labels]
    learned = CrossLingualClassifier(fake_encoder).fit(texts, given, language="en")
    assert set(learned.labels) == {str(each) for each in given}
    assert learned.evaluate(texts, given, language="en").accuracy > 0.9
