"""train head; the other trainings are tested beside what they train."""

import json

import numpy as np
import pytest

from interlingua.align import SharedSpace

N = 120


@pytest.fixture
def bitext(tmp_path):
    """Word vectors of two languages that differ by a rotation and a shift, and 120 pairs of "sentences" of them."""
    rng = np.random.default_rng(0)
    english = rng.normal(size=(N, 10))
    french = english @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + 0.5
    words = [f"{side}{i}" for side, rows in (("e", english), ("f", french)) for i in range(len(rows))]
    lines = [
        f"{word} {' '.join(map(str, row.round(5)))}"
        for word, row in zip(words, np.concatenate([english, french]), strict=True)
    ]
    vectors = tmp_path / "words.vec"
    vectors.write_text(f"{2 * N} 10\n" + "\n".join(lines) + "\n", encoding="utf-8")
    draws = [rng.choice(N, 2, replace=False) for _ in range(400)]
    pairs = [f"e{a} e{b}\tf{a} f{b}" for a, b in draws]
    for name, rows in (("train", pairs[:300]), ("other", pairs[300:])):
        (tmp_path / f"{name}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_a_head_is_learned_from_pairs_and_all_candidates_are_told(cli, bitext):
    out = bitext / "head.space"
    done = cli(
        "train", "head", "--pairs", f"en-fr={bitext / 'train.tsv'}", "--validation", f"en-fr={bitext / 'other.tsv'}",
        "--encoder", bitext / "words.vec", "--no-cache", "--capacity", "closed-form", "-o", out, "--json", "--quiet",
    )  # fmt: skip
    assert done.code == 0
    candidates = {each["candidate"]: each["accuracy"] for each in done.result["candidates"]}
    assert {"centring", "rotation", "ridge + whitening"} <= set(candidates)
    assert candidates[done.result["chosen"]["candidate"]] > candidates["centring"] + 0.5
    space = SharedSpace.load(out)
    assert space.languages == ("en", "fr")
    assert space.encoder == done.result["encoder"]
    assert space.provenance["role"] == "symmetric"


def test_the_table_marks_what_was_chosen(cli, bitext):
    done = cli(
        "train", "head", "--pairs", f"en-fr={bitext / 'train.tsv'}", "--capacity", "centring",
        "--encoder", bitext / "words.vec", "--no-cache", "-o", bitext / "s", "--quiet",
    )  # fmt: skip
    assert done.code == 0
    assert any(line.startswith("* centring") for line in done.out.splitlines())


def test_files_without_languages_are_refused_with_the_way_out(cli, bitext):
    done = cli(
        "train", "head", "--pairs", bitext / "train.tsv", "--encoder", bitext / "words.vec", "--no-cache",
        "-o", bitext / "s", "--quiet",
    )  # fmt: skip
    assert done.code == 1
    assert "does not name its languages; write SOURCE-TARGET=FILE" in done.err
    assert not (bitext / "s").exists()


def test_several_files_are_given_at_once_or_one_by_one(cli, bitext):
    settings = ("--capacity", "centring", "--encoder", bitext / "words.vec", "--no-cache", "-o", bitext / "s")
    files = [f"en-fr={bitext / name}.tsv" for name in ("train", "other")]
    for pairs in (("--pairs", *files), ("--pairs", files[0], "--pairs", files[1])):
        done = cli("train", "head", *pairs, *settings, "--json")
        assert done.code == 0, done.err
        assert done.result["pairs"] == 396  # without repeated ones


def test_a_file_to_learn_from_is_not_one_to_choose_by(cli, bitext):
    pairs = f"en-fr={bitext / 'train.tsv'}"
    done = cli("train", "head", "--pairs", pairs, "--validation", pairs, "-o", bitext / "s", "--quiet")
    assert done.code == 2
    assert "is given to learn from and to choose by" in done.err


def test_a_pivot_that_no_pair_is_in_is_refused_with_the_languages(cli, bitext, tmp_path):
    settings = ("--pivot", "de", "--encoder", bitext / "words.vec", "--no-cache", "-o", bitext / "s", "--quiet")
    said = "the pivot must be a language of the pairs, but 'de' is none of en, fr"
    (tmp_path / "named.jsonl").write_text(json.dumps({"en": "e1 e2", "fr": "f1 f2"}) + "\n", encoding="utf-8")
    for pairs in (f"en-fr={bitext / 'train.tsv'}", tmp_path / "named.jsonl"):
        done = cli("train", "head", "--pairs", pairs, *settings)
        assert done.code == 2
        assert said in done.err
    assert not (bitext / "s").exists()
