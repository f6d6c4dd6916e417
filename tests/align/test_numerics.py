"""What awkward numbers do to each method: the table of docs/numerics.md, row by row.

Every method gets the same vectors in an awkward form, and must do what the table says: "same" as with the plain
vectors (a precision at 1 within .05), "less" (finite, with less precision, since the vectors say less), or refuse.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import retrieve, top_k
from interlingua.align.arrays import as_matrix
from interlingua.align.language import REMOVAL_METHODS
from interlingua.align.matching import margin_scores, sinkhorn_scores
from interlingua.align.neighbors import softmax_normalizer
from interlingua.align.sentence import Consensus, mine_pairs
from interlingua.align.word import RCSLS, Expansion, GeneralizedProcrustes, MultiStep, Procrustes, SelfLearning
from interlingua.align.word.methods import UNSUPERVISED_METHODS, WORD_METHODS

N, D, P = 200, 8, 120
PAIRS = np.stack([np.arange(P)] * 2, axis=1)


def plain():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(N, D)) ** 3
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return source, source @ turn + 0.02 * rng.normal(size=(N, D)), turn


def vectors(case):
    """Return source, target and pairs of a case, by its name in the table."""
    source, target, turn = plain()
    pairs = PAIRS
    if case == "rank 2 of 8":
        source = source[:, :2] @ np.random.default_rng(1).normal(size=(2, D))
        target = source @ turn
    elif case == "each vector twice":
        source[1::2] = source[::2]
        target = source @ turn
    elif case == "a constant column":
        source[:, 3] = 5
        target = source @ turn
    elif case == "float16":
        source, target = source.astype(np.float16), target.astype(np.float16)
    elif case == "whole numbers":
        source, target = np.round(100 * source).astype(np.int64), np.round(100 * target).astype(np.int32)
    elif case in ("times 1e-30", "times 1e30", "times 1e200", "times 1e-200"):
        factor = float(case.removeprefix("times "))
        source, target = source * factor, target * factor
    elif case == "1e-30 beside 1e30":
        source, target = (source * 1e-30).astype(np.float32), (target * 1e30).astype(np.float32)
    elif case == "fewer pairs than dimensions":
        pairs = PAIRS[:3]
    elif case == "one pair, many times":
        pairs = np.repeat(PAIRS[:1], P, axis=0)
    elif case == "one direction":
        source = np.outer(1 + np.arange(N), source[0])  # one vector, of other lengths
    elif case in ("NaN", "infinity"):
        source[3, 1] = np.nan if case == "NaN" else np.inf
    return source, target, pairs


def of(aligner):
    def mapped(source, target, pairs):
        space = aligner().fit(source, target, pairs, names=("en", "fr")).space_
        return space.transform(source, "en"), space.transform(target, "fr")

    return mapped


def removed(source, target, pairs):
    space = REMOVAL_METHODS["centring"]().fit({"en": source, "fr": target}).space_
    return space.transform(source, "en"), space.transform(target, "fr")


def consensus(source, target, pairs):
    turn = plain()[2].astype(target.dtype if target.dtype.kind == "f" else np.float64)
    target = target @ turn.T  # sentences of one encoder are no rotation of each other
    space = Consensus(shrinkage=None).fit({"en": source[:P], "fr": target[:P]}).space_
    return space.transform(source, "en"), space.transform(target, "fr")


def joint(source, target, pairs):
    space = GeneralizedProcrustes().fit({"en": source, "fr": target}, {("en", "fr"): pairs}).space_
    return space.transform(source, "en"), space.transform(target, "fr")


METHODS = {
    "procrustes": of(Procrustes),
    "generalised procrustes": joint,
    "multi-step": of(MultiStep),
    "rcsls": of(RCSLS),
    "expansion": of(Expansion),
    "self-learning": of(lambda: SelfLearning(search_iterations=3, search_vocabulary=100)),
    "consensus": consensus,
}
SAME, LESS = "same", "less"
CASES = {
    "rank 2 of 8": LESS,
    "each vector twice": LESS,
    "a constant column": SAME,
    "float16": SAME,
    "whole numbers": SAME,
    "times 1e-30": SAME,
    "times 1e30": SAME,
    "1e-30 beside 1e30": SAME,
    "fewer pairs than dimensions": LESS,
    "one pair, many times": LESS,
    "times 1e200": "must fit float32, but 200 of 200 rows hold numbers up to",
    "times 1e-200": "must fit float32, but 200 of 200 rows hold numbers of at most",
    "one direction": "must hold vectors of several directions, but all 200 have the same",
    "NaN": "must be finite, but 1 of 200 rows hold NaN or infinity (first: row 3)",
    "infinity": "must be finite, but 1 of 200 rows hold NaN or infinity (first: row 3)",
}
#: Where a method does something else than most.
OWN = {
    ("consensus", "one direction"): LESS,
    ("consensus", "fewer pairs than dimensions"): SAME,  # it gets rows, not pairs
    ("consensus", "one pair, many times"): SAME,
    ("expansion", "fewer pairs than dimensions"): SAME,
}


def wanted(method, case):
    return OWN.get((method, case), CASES[case])


def precision(mapped):
    source, target = mapped
    assert source.dtype == target.dtype == np.float32
    assert np.isfinite(source).all()
    assert np.isfinite(target).all()
    return float((retrieve(source, target, k=1, criterion="csls").ids[:, 0] == np.arange(N)).mean())


@pytest.fixture(scope="module")
def usual():
    return {name: precision(method(*vectors("plain"))) for name, method in METHODS.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_does_what_the_table_says(method, case, usual):
    said = wanted(method, case)
    if said not in (SAME, LESS):
        given = [each[:P] if method == "consensus" else each for each in vectors(case)]
        said = said.replace("200", str(len(given[0])))
        with pytest.raises(ValueError, match=re.escape(said)):
            METHODS[method](*given)
        return
    found = precision(METHODS[method](*vectors(case)))
    assert usual[method] > 0.9
    assert (found > usual[method] - 0.05) is (said == SAME)


def test_the_table_of_the_docs_is_this_one():
    lines = (Path(__file__).parents[2] / "docs" / "numerics.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    head, body = rows[0][1:], {row[0]: row[1:] for row in rows if row[0] in CASES}
    assert head == list(METHODS)

    def cell(method, case):
        return said if (said := wanted(method, case)) in (SAME, LESS) else "refused"

    assert body == {case: [cell(method, case) for method in METHODS] for case in CASES}


def test_every_word_method_with_pairs_that_needs_no_library_is_in_the_table():
    assert {name for name, each in WORD_METHODS.items() if each.library is None} <= set(METHODS)
    assert set(UNSUPERVISED_METHODS) == {"adversarial", "race", "wasserstein-procrustes"}


@pytest.mark.parametrize("name", sorted(REMOVAL_METHODS))
@pytest.mark.parametrize("case", ["rank 2 of 8", "a constant column", "times 1e-30", "times 1e30", "one direction"])
def test_removal_of_language_stays_finite(name, case):
    source, target, _ = vectors(case)
    space = REMOVAL_METHODS[name]().fit({"en": source, "fr": target}).space_
    for each, language in ((source, "en"), (target, "fr")):
        lengths = np.linalg.norm(space.transform(each, language).astype(np.float64), axis=1)
        assert np.isfinite(lengths).all()
        assert (lengths < 3).all()


@pytest.mark.parametrize("scale", [1e-25, 1e25])
@pytest.mark.parametrize("n", [1, 20, 200])
def test_inner_products_that_float32_cannot_hold_are_refused_and_not_ranked(scale, n):
    source, target, _ = plain()
    queries, candidates = (source[:n] * scale).astype(np.float32), (target * scale).astype(np.float32)
    for search in (
        lambda: top_k(queries, candidates, 3),
        lambda: retrieve(queries, candidates, k=3, criterion="csls"),
        lambda: retrieve(queries, candidates, k=3, criterion="isf"),
        lambda: softmax_normalizer(candidates, queries, 30.0),
    ):
        with pytest.raises(ValueError, match=r"must fit float32.*such as to unit length"):
            search()
    other = top_k(queries, (target / scale).astype(np.float32), 3)  # the products are those of plain vectors
    np.testing.assert_array_equal(other.ids[:, 0], (source[:n] @ target.T).argmax(axis=1))


def test_vectors_at_right_angles_and_zero_vectors_have_products_of_zero():
    axes = np.eye(4, dtype=np.float32)
    assert top_k(axes[:1], axes[1:], 2).scores.tolist() == [[0.0, 0.0]]
    assert top_k(np.zeros((2, 4), np.float32), axes, 1).scores.tolist() == [[0.0], [0.0]]


def test_mining_refuses_what_it_cannot_rank():
    source, target, _ = plain()
    for factor in (1e-25, 1e25):
        with pytest.raises(ValueError, match="must fit float32"):
            mine_pairs((source * factor).astype(np.float32), (target * factor).astype(np.float32))


def test_rows_of_small_numbers_beside_others_are_named():
    rows = np.ones((4, 3))
    rows[2] = 1e-60
    with pytest.raises(ValueError, match=r"x must fit float32, but 1 of 4 rows hold numbers of at most 1e-60.*row 2"):
        as_matrix(rows, "x")
    rows[2] = 0  # a word without a vector
    assert as_matrix(rows, "x").tolist()[2] == [0, 0, 0]
    rows[1, 1] = -1e60
    with pytest.raises(ValueError, match=r"x must fit float32, but 1 of 4 rows hold numbers up to 1e\+60.*row 1"):
        as_matrix(rows, "x")


def test_scores_of_every_size_are_matched_alike():
    source, target, _ = plain()
    scores = (source @ target.T).astype(np.float32)
    for factor in (1e-3, 1e30):
        ratio = margin_scores(scores * np.float32(factor), k=4)
        np.testing.assert_allclose(ratio, margin_scores(scores, k=4), rtol=1e-4, atol=1e-5)
    assert np.isfinite(sinkhorn_scores(np.full((3, 4), 1e30, np.float32))).all()
