"""The same mistake is the same clear error with every kind of index, and changes nothing."""

from itertools import count

import numpy as np
import pytest

from interlingua.index import Collection, UnsupportedOperation, load_index, save_index

DIMENSION, ROWS = 16, 260
LISTS = {"threads": 1, "n_lists": 4, "train_size": 200}
KINDS = {
    "flat": ("flat", None),
    "faiss-flat": ("faiss-flat", {"threads": 1}),
    "hnsw": ("hnsw", {"threads": 1}),
    "hnsw-float16": ("hnsw", {"threads": 1, "storage": "float16"}),
    "hnsw-sq8": ("hnsw", {"threads": 1, "storage": "sq8", "train_size": 200}),
    "ivf-flat": ("ivf-flat", LISTS),
    "ivf-pq": ("ivf-pq", LISTS),
    "ivf-rabitq": ("ivf-rabitq", LISTS),
    "untrained": ("ivf-rabitq", {"threads": 1, "train_size": 1000}),
    "milvus-lite": ("milvus", {}),
}
VECTORS = np.random.default_rng(0).normal(size=(ROWS, DIMENSION)).astype(np.float32)
_NAMES = count()


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.slow] if "milvus" in kind else []) for kind in KINDS])
def filled(request):
    kind, config = KINDS[request.param]
    if kind == "milvus":
        config = {"uri": request.getfixturevalue("milvus_file"), "collection": f"refusals{next(_NAMES)}"}
    made = Collection.create(DIMENSION, "cosine", kind, config)
    made.add([f"{row}" for row in range(ROWS)], VECTORS, [{"n": row} for row in range(ROWS)])
    return made


def changed(**rows):
    found = VECTORS[:2].copy()
    for row, value in rows.items():
        found[int(row[1:]), 3] = value
    return found


def test_every_mistake_is_named_and_changes_nothing(filled):
    before = filled.search(VECTORS[:5], 3)
    mistakes = [
        (lambda: filled.search(changed(r1=np.nan), 3), ValueError, r"queries row 1 holds NaN"),
        (lambda: filled.search(changed(r0=np.inf), 3), ValueError, r"queries row 0 holds NaN, infinite"),
        (lambda: filled.search(VECTORS[:2, :7], 3), ValueError, r"queries and the index differ.*\(7 vs 16\)"),
        (lambda: filled.search(VECTORS[0], 3), ValueError, r"for one vector write queries\[None, :\]"),
        (lambda: filled.search(np.zeros((1, DIMENSION)), 3), ValueError, "zero vector, which has no cosine"),
        (lambda: filled.search(VECTORS[:2], 0), ValueError, "k must be at least 1, but is 0"),
        (lambda: filled.search(VECTORS[:2], 2.0), TypeError, "k must be an integer, not float"),
        (lambda: filled.add(["x", "0"], VECTORS[:2]), ValueError, "ids are in the collection already: '0'; use upsert"),
        (lambda: filled.add(["x", "x"], VECTORS[:2]), ValueError, "ids must not repeat, but these do: 'x'"),
        (lambda: filled.add(["x", "y"], changed(r1=np.nan)), ValueError, "vectors row 1 holds NaN"),
        (lambda: filled.upsert(["0", "y"], VECTORS[:2, :7]), ValueError, r"differ in dimension \(7 vs 16\)"),
        (lambda: filled.upsert(["0"], VECTORS[:2]), ValueError, r"differ in number \(1 vs 2\)"),
        (lambda: filled.remove(["0", "nobody"]), KeyError, "ids are not in the collection: 'nobody'"),
        (lambda: filled.vectors(["nobody"]), KeyError, "ids are not in the collection: 'nobody'"),
        (lambda: filled.search(VECTORS[:2], 3, where={"m": 1}), ValueError, "no row has the field 'm'; the fields are"),
    ]  # fmt: skip
    for mistake, error, text in mistakes:
        with pytest.raises(error, match=text):
            mistake()
    after = filled.search(VECTORS[:5], 3)
    assert len(filled) == len(filled.index) == ROWS
    assert after.ids == before.ids
    np.testing.assert_array_equal(after.scores, before.scores)


def test_more_results_than_rows_are_all_rows_once(filled):
    found = filled.search(VECTORS[:2], ROWS + 50)
    assert found.scores.shape == (2, ROWS)
    assert [sorted(ids) for ids in found.ids] == [sorted(filled.ids)] * 2
    assert np.isfinite(found.scores).all()


def test_a_mapped_index_refuses_writes_and_what_cannot_be_mapped_says_so(filled, tmp_path):
    save_index(filled.index, tmp_path / "kept")
    if filled.info["kind"] == "milvus":
        with pytest.raises(UnsupportedOperation, match=r"cannot be mapped from its file; load it without mapping"):
            load_index(tmp_path / "kept", mapped=True)
        return
    mapped = load_index(tmp_path / "kept", mapped=True, threads=1)
    for write in (lambda: mapped.add([9999], VECTORS[:1]), lambda: mapped.remove([3])):
        with pytest.raises(UnsupportedOperation, match="can only be read; load it without mapping"):
            write()
    np.testing.assert_array_equal(mapped.search(VECTORS[:5], 3).ids, filled.index.search(VECTORS[:5], 3).ids)
