import io
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr

from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.similarity import (
    Analogies,
    SimilarityJudgements,
    analogy_accuracy,
    monolingual_quality,
    word_similarity,
)

DATA = Path(os.environ.get("INTERLINGUA_DATA", Path(__file__).parents[3] / "shared" / "data"))


def vocabulary(n, d=8, seed=0, prefix="w", space="en"):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return Embeddings(tuple(f"{prefix}{row}" for row in range(n)), vectors, space)


def judgements(n, first="w", second="w", seed=1):
    rng = np.random.default_rng(seed)
    rows = rng.integers(n, size=(25, 2))
    scores = rng.integers(5, size=25).astype(float)  # with ties
    return SimilarityJudgements(tuple((f"{first}{a}", f"{second}{b}") for a, b in rows), tuple(scores), "made")


@pytest.mark.parametrize("cross", [False, True])
def test_correlation_is_that_of_scipy_over_covered_pairs(cross):
    english, other = vocabulary(15), vocabulary(15, seed=2, prefix="v") if cross else None
    said = judgements(20, second="v" if cross else "w")
    second = other or english
    cosines, scores = [], []
    for (a, b), score in zip(said.pairs, said.scores, strict=True):
        if a in english and b in second:
            x, y = english[a].astype(float), second[b].astype(float)
            cosines.append(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
            scores.append(score)
    got = word_similarity(said, english, other)
    assert got.spearman == pytest.approx(spearmanr(cosines, scores).statistic, abs=1e-12)
    assert (got.n_pairs, got.n_asked) == (len(scores), 25)
    assert 0 < got.coverage < 1


def test_no_covered_pair_and_no_variation_give_nan_not_zero():
    assert np.isnan(word_similarity(judgements(5, first="x"), vocabulary(5)).spearman)
    flat = SimilarityJudgements((("w0", "w1"), ("w1", "w2")), (3.0, 3.0))
    assert np.isnan(word_similarity(flat, vocabulary(5)).spearman)


def test_languages_must_lie_in_one_space():
    with pytest.raises(ValueError, match="dimensions 8 and 5"):
        word_similarity(judgements(5), vocabulary(5), vocabulary(5, d=5))


def test_files_are_read_with_tabs_blanks_and_headers(tmp_path):
    path = tmp_path / "set.txt"
    path.write_text("Word 1\tWord 2\tHuman (mean)\nNew York\tcity\t7.5\tnoun\n\n", encoding="utf-8")
    got = SimilarityJudgements.read(path)
    assert (got.pairs, got.scores, got.name) == ((("new york", "city"),), (7.5,), "set")
    path.write_text("Tiger cat 7.35\nTiger tiger 10\n", encoding="utf-8")
    assert SimilarityJudgements.read(path, lower=False).pairs == (("Tiger", "cat"), ("Tiger", "tiger"))


@pytest.mark.parametrize("bad", ["one two", "one two three", "one two nan"])
def test_a_line_without_judgement_is_refused_with_its_number(tmp_path, bad):
    path = tmp_path / "bad.txt"
    path.write_text(f"a b 1\n{bad}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: a line must hold word, word, score"):
        SimilarityJudgements.read(path)


@pytest.mark.skipif(not (DATA / "wordsim-en").is_dir(), reason="the shared data are not there")
def test_wordsim_353_is_read_whole():
    got = SimilarityJudgements.read(DATA / "wordsim-en" / "EN-WS-353-ALL.txt")
    assert len(got.pairs) == 353
    assert (got.pairs[1], got.scores[1]) == (("tiger", "cat"), 7.35)


def test_analogies_are_answered_as_by_brute_force():
    words = vocabulary(30, d=4)
    rng = np.random.default_rng(3)
    questions = [tuple(f"w{row}" for row in rng.choice(30, 4, replace=False)) for _ in range(200)]
    unit = words.vectors / np.linalg.norm(words.vectors, axis=1, keepdims=True)
    right = 0
    for question in questions:
        a, b, c, d = (words.index[word] for word in question)
        scores = unit @ (unit[b] - unit[a] + unit[c])
        scores[[a, b, c]] = -np.inf
        right += int(scores.argmax() == d)
    got = analogy_accuracy(words, Analogies({"made": [*questions, ("w0", "w1", "w2", "absent")], "none": []}))
    assert right > 0
    assert got.accuracy == pytest.approx(right / 200)
    assert got.by_section == {"made": right / 200}
    assert (got.n_scored, got.n_asked) == (200, 201)


def test_words_of_the_question_are_no_answer():
    # b - a + c is c itself, the nearest word to it
    words = Embeddings(("a", "b", "c", "d"), np.array([[1, 0], [1, 0.01], [0, 1], [0.2, 1]]))
    assert analogy_accuracy(words, Analogies({"": [("a", "b", "c", "d")]})).accuracy == 1.0


def test_a_vocabulary_of_three_words_has_no_answer():
    words = Embeddings(("a", "b", "c"), np.eye(3))
    assert analogy_accuracy(words, Analogies({"": [("a", "b", "c", "c")]})).accuracy == 0.0


def test_questions_are_read_in_sections(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nParis France Rome Italy\n\n: family\nboy girl king queen\n", encoding="utf-8")
    sections = Analogies.read(path).sections
    assert sections["capitals"] == [("paris", "france", "rome", "italy")]
    assert list(sections) == ["capitals", "family"]
    path.write_text(": capitals\nParis France Rome\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: a question must be four words"):
        Analogies.read(path)


def test_an_orthogonal_map_changes_no_judgement_and_no_answer():
    words = vocabulary(30)
    steps = Normalization.fit(words.vectors, "unit")
    rotation = SharedSpace({"en": SpaceMap(steps, ortho_group.rvs(8, random_state=0).astype(np.float32))}, "test")
    flat = SharedSpace({"en": SpaceMap(steps, np.eye(8, 1, dtype=np.float32))}, "test")
    questions = Analogies({"": [("w0", "w1", "w2", "w3"), ("w5", "w7", "w9", "w11")]})
    same = monolingual_quality(rotation, words, [judgements(30)], questions)
    before, after = same.similarity["made"]
    assert after.spearman == pytest.approx(before.spearman, abs=1e-6)
    assert same.analogy[0] == same.analogy[1]
    before, after = monolingual_quality(flat, words, [judgements(30)]).similarity["made"]
    assert after.spearman != pytest.approx(before.spearman, abs=1e-3)


def test_words_with_zero_vectors_are_not_covered():
    said = SimilarityJudgements((("a", "b"), ("b", "c"), ("a", "c"), ("a", "gap")), (3.0, 2.0, 1.0, 9.0))
    vectors = np.array([[1.0, 0.1], [1.0, 0.3], [0.2, 1.0]])
    words = Embeddings(("a", "b", "c"), vectors)
    gaps = Embeddings(("gap", "a", "b", "c"), np.concatenate([[[0.0, 0.0]], vectors]))
    assert word_similarity(said, gaps) == word_similarity(said, words)
    questions = Analogies({"": [("a", "b", "c", "gap")]})
    assert analogy_accuracy(gaps, questions).n_scored == 0


@pytest.mark.parametrize(
    ("read", "line"), [(SimilarityJudgements.read, b"sun\tmoon\t1.5\n"), (Analogies.read, b"a b c d\n")]
)
def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path, read, line):
    path = tmp_path / "words.txt"
    path.write_bytes(line + line.replace(b"a", b"\xe9").replace(b"sun", b"\xe9t\xe9"))
    with pytest.raises(ValueError, match=r"words\.txt, line 2: the text must be UTF-8 \(.*\); convert it to UTF-8"):
        read(path)


def test_only_ends_of_lines_end_lines_and_a_mark_is_no_word(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffsun\u2028\tmoon\t1.5\r\n\r\nsea\tsun\t2\n".encode())
    assert SimilarityJudgements.read(path).pairs == (("sun", "moon"), ("sea", "sun"))
    assert SimilarityJudgements.read(path).scores == (1.5, 2.0)


def test_an_open_file_is_called_by_the_name_given():
    good, bad = b"sun\tmoon\t1.5\nsea\tsun\t2\n", b"sun\tmoon\t1.5\nsun\n"
    assert SimilarityJudgements.read(io.BytesIO(good)).pairs == (("sun", "moon"), ("sea", "sun"))
    with pytest.raises(ValueError, match=r"^said\.gz, line 2: a line must hold"):
        SimilarityJudgements.read(io.BytesIO(bad), name="said.gz")
    with pytest.raises(ValueError, match=r"^<stream>, line 1: a question must be four words"):
        Analogies.read(io.BytesIO(good))
