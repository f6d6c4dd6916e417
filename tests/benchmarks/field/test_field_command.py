"""`interlingua bench`: the sets of a folder, and tasks of XTREME and XGLUE."""

import itertools
import json
import zlib
from importlib import metadata

import numpy as np
import pytest

from interlingua.align.language import Centring
from interlingua.benchmarks.field import MissingDataError
from interlingua.benchmarks.field.folders import run_folder
from interlingua.benchmarks.field.frozen import FrozenVectors, name_in_space
from interlingua.pipelines.commands import main as cli
from interlingua.pipelines.encoders import load as encoder_loading

WORDS = ["sun", "moon", "tree", "river", "stone", "bird", "fish", "horse", "road", "house", "door", "night"]


class BagOfWords:
    identity, dimension, prompts = "bag", 32, {"symmetric": "", "query": "", "passage": ""}

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = [sum(np.random.default_rng(zlib.crc32(w.encode())).normal(size=32) for w in t.split()) for t in texts]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def tatoeba(tmp_path):
    (tmp_path / "tatoeba.deu-eng.deu").write_text("\n".join(f"{word} x" for word in WORDS) + "\n")
    (tmp_path / "tatoeba.deu-eng.eng").write_text("\n".join(WORDS) + "\n")
    return tmp_path


def bench(monkeypatch, *arguments):
    monkeypatch.setattr("interlingua.pipelines.load_encoder", lambda name: BagOfWords())
    entry = metadata.EntryPoint("bench", "interlingua.benchmarks.field.command:bench", "interlingua.commands")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry])
    return cli.main(["bench", *map(str, arguments), "--quiet"])


def test_tatoeba_is_scored_both_ways_beside_chance(tatoeba, monkeypatch, capsys):
    bench(monkeypatch, "tatoeba", "--data", tatoeba, "--json")
    rows = {(each["language"], each["method"]): each["scores"] for each in json.loads(capsys.readouterr().out)}
    assert rows["deu", "centred (transductive)"]["xx-en"] == 1
    assert rows["mean of 1", "floor: chance"]["en-xx"] == pytest.approx(1 / 12, abs=1e-9)


def test_a_space_maps_the_languages_that_it_knows(tatoeba):
    space = (
        Centring().fit({"de": BagOfWords().encode([f"{w} x" for w in WORDS]), "en": BagOfWords().encode(WORDS)}).space_
    )
    rows = run_folder("tatoeba", tatoeba, BagOfWords(), space)
    assert {each.method for each in rows} == {"raw", "space", "space + CSLS k=4", "floor: chance"}
    assert name_in_space(space, "deu_Latn") == "de"
    with pytest.raises(ValueError, match="no map for 'fra'; it has: de, en"):
        FrozenVectors(BagOfWords(), space).encode(["sun"], "fra")


def test_xquad_r_is_scored_in_one_pool(tmp_path):
    for language, extra in (("de", "x"), ("en", "y")):
        context, breaks, qas = "", [], []
        for number, word in enumerate(WORDS):
            text = f"{word} {extra}"
            breaks.append((len(context), len(context) + len(text)))
            answers = [{"text": word, "answer_start": len(context)}]
            qas.append({"id": str(number), "question": f"{word} {extra}", "answers": answers})
            context += text + " "
        paragraph = {"context": context, "sentence_breaks": breaks, "qas": qas}
        (tmp_path / f"{language}.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    rows = {each.method: each.scores for each in run_folder("xquad-r", tmp_path, BagOfWords())}
    assert rows["centred (transductive)"]["mAP@20"] > rows["raw"]["mAP@20"] > rows["floor: random order"]["mAP@20"]


def test_sib200_is_learned_in_english(tmp_path):
    for language in ("eng_Latn", "deu_Latn"):
        (tmp_path / language).mkdir()
        rows = [f"{n}\t{'ab'[n % 2]}\t{WORDS[n % 2]} {WORDS[n % 12]}" for n in range(24)]
        for part in ("train", "test"):
            (tmp_path / language / f"{part}.tsv").write_text("index_id\tcategory\ttext\n" + "\n".join(rows) + "\n")
    rows = {(each.language, each.method): each.scores for each in run_folder("sib200", tmp_path, BagOfWords())}
    assert rows["deu_Latn", "raw"]["accuracy"] == 1
    assert rows["mean of 1", "floor: majority"]["accuracy"] == 0.5


@pytest.mark.parametrize("name", ["tatoeba", "xquad-r", "sib200"])
def test_an_absent_set_is_named_with_source_and_licence(name, tmp_path):
    with pytest.raises(MissingDataError, match=r"its files are .*; the data come from https.*\(licence: "):
        run_folder(name, tmp_path, BagOfWords())


def test_a_task_is_predicted_and_scored(tmp_path, monkeypatch, capsys):
    rows = "".join(f"{w}\t{w}\t1\n{w}\t{v}\t0\n" for w, v in itertools.pairwise(WORDS))
    (tmp_path / "QAM").mkdir()
    for name in ("en.train", "de.test"):
        (tmp_path / f"QAM/xglue.qam.{name}").write_text(rows)
    arguments = ("xglue", "--data", tmp_path, "--tasks", "QAM", "--languages", "de", "-o", tmp_path / "out")
    bench(monkeypatch, *arguments, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["scores"]["QAM"]["de"]["accuracy"] > 0.9
    assert found["floors"]["QAM"]["de"]["majority"] == 0.5
    bench(monkeypatch, *arguments, "--score-only")
    assert "majority 0.5000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--tasks", "x"), 2, "'x' is no task of xtreme"),
        (("--score-only",), 2, "add --labels"),
        ((), 1, "xnli needs the file"),
    ],
)
def test_wrong_use_is_said(tmp_path, monkeypatch, capsys, options, code, said):
    assert bench(monkeypatch, "xtreme", "--data", tmp_path, "-o", tmp_path, *options) == code
    assert said in capsys.readouterr().err


def test_the_entry_point_adds_the_command(monkeypatch, tmp_path, capsys):
    entry = metadata.EntryPoint("bench", "interlingua.benchmarks.field.command:bench", "interlingua.commands")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry])
    monkeypatch.setattr(encoder_loading, "load_encoder", lambda name: BagOfWords())
    monkeypatch.setattr("interlingua.pipelines.load_encoder", lambda name: BagOfWords())
    assert cli.main(["bench", "sib200", "--data", str(tmp_path)]) == 1
    assert "sib200 needs" in capsys.readouterr().err
