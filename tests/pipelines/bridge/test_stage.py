"""An index that is moved to another encoder row by row, and searched meanwhile as one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.align.bridge import BridgeError
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage, load_encoder
from interlingua.pipelines.bridge.stage import FEWEST, StagedIndex, is_stage, take_back

WORDS = [f"word{number}" for number in range(200)]
N = 160


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Two models that have nothing in common; cosines of the second are far higher for all texts."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    made = []
    for name, size, offset in (("old", 32, 0.0), ("new", 24, 2.0)):
        vectors = (rng.normal(size=(len(WORDS), size)) + offset).astype(np.float32)
        Embeddings(tuple(WORDS), vectors, name).write(folder / f"{name}.vec")
        made.append(load_encoder(folder / f"{name}.vec"))
    return made


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(WORDS, 10, replace=False)) for _ in range(N)]


@pytest.fixture
def index(tmp_path, encoders, texts):
    made = Collection.create(32, "cosine")
    rows = [{"text": each, "language": "en" if row % 2 else "de", "year": row} for row, each in enumerate(texts)]
    made.add([f"t{row}" for row in range(N)], encoders[0].encode(texts), rows)
    made.attributes = {"encoder": encoders[0].identity, "encoder_name": encoders[0].loaded_as}
    made.save(tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def stage(index, encoders, tmp_path):
    return StagedIndex.create(index, tmp_path / "stage", encoders[1])


def asked(texts, rows):
    return [" ".join(texts[row].split()[:5]) for row in rows]


def found(stage, encoders, texts, rows, k=3):
    hits = stage.search(asked(texts, rows), k, new=encoders[1], old=encoders[0])
    return np.mean([f"t{row}" in [hit.id for hit in each] for row, each in zip(rows, hits, strict=True)])


def test_a_mixed_index_finds_what_either_encoder_finds(stage, encoders, texts):
    alone = found(stage, encoders, texts, range(N))
    assert stage.progress.staged == 0
    kept = []
    for count in (40, 40, 40, 40):
        told = stage.advance(encoders[1], count=count, batch=16)
        kept.append(found(stage, encoders, texts, range(N)))
    assert told.complete
    assert alone > 0.8
    assert min(kept) > min(alone, kept[-1]) - 0.08


def test_scores_as_they_are_would_show_the_new_rows_alone(stage, encoders, texts):
    stage.advance(encoders[1], count=80)
    hits = stage.search(asked(texts, range(80, N)), 10, new=encoders[1], old=encoders[0])
    models = [hit.metadata["encoder"] for each in hits for hit in each]
    assert 0.3 < models.count("new") / len(models) < 0.7
    new, old = (each.encode(asked(texts, range(80, N)), role="query") for each in reversed(encoders))
    raw = np.concatenate([new @ encoders[1].encode(texts[:80]).T, old @ encoders[0].encode(texts[80:]).T], axis=1)
    assert (np.argsort(-raw, axis=1)[:, :10] < 80).mean() > 0.9


def test_until_there_is_enough_to_compare_by_the_old_encoder_is_asked_alone(stage, encoders, texts):
    stage.advance(encoders[1], count=FEWEST - 1)
    hits = stage.search(asked(texts, [3]), 5, new=None, old=encoders[0])[0]
    rows = encoders[0].encode(asked(texts, [3]), role="query") @ encoders[0].encode(texts).T
    assert [hit.id for hit in hits] == [f"t{row}" for row in np.argsort(-rows[0])[:5]]
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(rows[0])[::-1][:5], atol=1e-5)
    assert stage.model_of("t0") == "old"


def test_rows_come_by_priority(index, encoders, tmp_path):
    stage = StagedIndex.create(index, tmp_path / "stage", encoders[1])
    stage.advance(encoders[1], count=5, first=["t7", "t3", "nobody", "t7"], newest="year")
    assert list(stage.rows.ids) == ["t7", "t3", "t159", "t158", "t157"]
    with pytest.raises(BridgeError, match="no row has the field 'age'"):
        stage.advance(encoders[1], newest="age")
    assert list(StagedIndex(tmp_path / "stage").rows.ids) == list(stage.rows.ids)


def test_what_the_index_says_now_counts(index, stage, encoders, texts):
    stage.advance(encoders[1])
    changed = Collection.load(index)
    changed.remove(["t5"])
    changed.upsert(["t6"], encoders[0].encode(["word1 word2 word3"]), [{"text": "word1 word2 word3"}])
    changed.add(["more"], encoders[0].encode(["word4 word5 word6"]), [{"text": "word4 word5 word6"}])
    changed.save(index)
    later = StagedIndex(stage.folder)
    told = later.progress
    assert (told.rows, told.staged, told.stale) == (N, N - 2, 2)
    assert [later.model_of(each) for each in ("t6", "more", "t7")] == ["old", "old", "new"]
    for question, id in (("word1 word2 word3", "t6"), ("word4 word5 word6", "more")):
        assert later.search([question], 1, new=encoders[1], old=encoders[0])[0][0].id == id
    gone = later.search([texts[5]], N, new=encoders[1], old=encoders[0])[0]
    assert "t5" not in [hit.id for hit in gone]
    assert later.advance(encoders[1]).complete
    assert "t5" not in later.rows.ids


def test_taking_back_leaves_the_index_as_it_was(index, stage, encoders):
    before = {path.name: path.read_bytes() for path in index.iterdir() if path.is_file()}
    stage.advance(encoders[1])
    assert Path(take_back(stage.folder)) == index
    assert not stage.folder.exists()
    assert {path.name: path.read_bytes() for path in index.iterdir() if path.is_file()} == before
    with pytest.raises(BridgeError, match="is no stage"):
        take_back(index)
    assert index.is_dir()


KILLED = """
import sys, numpy as np
from interlingua.pipelines import load_encoder
from interlingua.pipelines.bridge.stage import StagedIndex
stage = StagedIndex(sys.argv[1])
encoder = load_encoder(sys.argv[2])
for _ in range(1000):
    print(stage.advance(encoder, count=7, batch=7).staged, flush=True)
"""


def test_what_was_staged_before_a_kill_is_there(stage, encoders):
    arguments = [sys.executable, "-c", KILLED, str(stage.folder), encoders[1].loaded_as]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        told = [int(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGKILL)
    assert told == [7, 14, 21]
    again = StagedIndex(stage.folder)
    assert again.progress.staged >= 21
    assert again.progress.stale == 0
    np.testing.assert_allclose(
        again.rows.vectors(["t20"]), encoders[1].encode(["x", again._said["t20"]][1:]), atol=1e-6
    )
    assert again.advance(encoders[1]).complete


def test_what_cannot_be_staged_is_refused(index, stage, encoders, tmp_path):
    passages = [Passage(str(n), f"word{n} word{n + 1}", "en") for n in range(20)]
    CrossLingualSearch.build(passages, encoders[0], lexical=False).save(tmp_path / "s")
    with pytest.raises(BridgeError, match="made anew by `interlingua index build`"):
        StagedIndex.create(tmp_path / "s", tmp_path / "x", encoders[1])
    bare = Collection.create(4, "cosine")
    bare.add(["a"], np.ones((1, 4), np.float32), [{"note": "no text"}])
    bare.save(tmp_path / "bare")
    with pytest.raises(BridgeError, match="has no texts in the field 'text'"):
        StagedIndex.create(tmp_path / "bare", tmp_path / "x", encoders[1])
    with pytest.raises(FileExistsError):
        StagedIndex.create(index, stage.folder, encoders[1])
    with pytest.raises(BridgeError, match="is no stage"):
        StagedIndex(index)
    index.rename(tmp_path / "elsewhere")
    with pytest.raises(BridgeError, match="cannot be read"):
        StagedIndex(stage.folder)


def test_the_commands_stage_search_and_take_back(cli, index, encoders, texts, tmp_path):
    (tmp_path / "first.txt").write_text("t9\nt8\n", encoding="utf-8")
    named = ("bridge", "stage", index, "-o", tmp_path / "stage", "--json")
    done = cli(*named, "--encoder", encoders[1].loaded_as, "--count", "60", "--first", tmp_path / "first.txt")
    assert done.code == 0, done.err
    assert (done.result["staged"], done.result["left"]) == (60, 100)
    assert is_stage(tmp_path / "stage")
    done = cli(*named, "--encoder", encoders[0].loaded_as)
    assert (done.code, "but the encoder is" in done.err) == (1, True)
    done = cli("search", tmp_path / "stage", texts[8], texts[150], "-k", "5", "--json")
    assert done.code == 0, done.err
    assert "60 of 160 rows are found by the new encoder" in done.err
    hits = [{hit["id"]: hit["metadata"]["encoder"] for hit in each["hits"]} for each in json.loads(done.out)]
    assert (hits[0]["t8"], hits[1]["t150"]) == ("new", "old")
    for unknown in (["--where", "year=3"], ["--least", "0"], ["--hybrid", "on"], ["--balance"], ["--rerank"]):
        done = cli("search", tmp_path / "stage", "word1", *unknown)
        assert (done.code, f"which knows no {unknown[0]}:" in done.err) == (2, True)
    done = cli(*named)
    assert (done.code, done.result["left"]) == (0, 0)
    assert "index export" in done.err
    done = cli("bridge", "rollback", tmp_path / "stage")
    assert done.code == 0, done.err
    assert not (tmp_path / "stage").exists()
