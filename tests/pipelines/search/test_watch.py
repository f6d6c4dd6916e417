"""Recall that is watched, beside a count by hand of what exact search finds."""

from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore, HNSWConfig, IVFConfig
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.corrected import HubCorrectedCollection
from interlingua.pipelines.search.live import SearchStore
from interlingua.pipelines.search.watch import _rows_of, _Trial, watch_recall

N, D = 300, 12
WEAK = {
    "hnsw": HNSWConfig(M=2, ef_construction=2, ef_search=1),
    "ivf-flat": IVFConfig(n_lists=16, nprobe=1, train_size=200),
}


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(12, D))
    return (centres[rng.integers(0, 12, N)] + 0.7 * rng.normal(size=(N, D))).astype(np.float32)


def scores_of(vectors, metric):
    rows = vectors.astype(np.float64)
    if metric == "l2":
        return -((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows
    return rows @ rows.T


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("kind", WEAK)
def test_recall_is_what_is_counted_by_hand(vectors, kind, metric, tmp_path):
    collection = Collection.create(D, metric, kind, WEAK[kind])
    collection.add([f"r{row}" for row in range(N)], vectors)
    collection.save(tmp_path / "c")
    watched = watch_recall(tmp_path / "c", k=5, sample=N)
    scores = scores_of(vectors, metric)
    np.fill_diagonal(scores, -np.inf)
    right = [{f"r{other}" for other in each} for each in np.argsort(-scores, axis=1)[:, :5]]
    found = collection.search(vectors, 6).ids
    others = [[id for id in ids if id != f"r{row}"][:5] for row, ids in enumerate(found)]
    expected = np.mean([len(each & set(own)) / 5 for each, own in zip(right, others, strict=True)])
    assert watched.recall == pytest.approx(expected, abs=1e-3)  # near ties
    assert 0.05 < watched.recall < 0.95
    assert watched.low < watched.recall < watched.high
    assert (watched.kind, watched.rows, watched.asked, watched.k) == (kind, N, N, 5)
    assert watched.effort == 1
    efforts = [effort for effort, _ in watched.tried]
    assert efforts == [watched.effort * 2 ** (n + 1) for n in range(len(efforts))]
    assert watched.tried[-1][1] >= 0.95 or len(efforts) == 8
    assert Collection.load(tmp_path / "c").index.config == WEAK[kind]  # nothing was changed


def test_equal_rows_are_each_right_and_one_that_is_removed_none(vectors, tmp_path):
    copies = np.concatenate([vectors[:150], vectors[:150]])
    with CollectionStore.create(tmp_path / "c", Collection.create(D, "cosine", "hnsw")) as store:
        store.add([f"r{row}" for row in range(N)], copies)
        store.remove([f"r{row}" for row in range(130, 150)])
    watched = watch_recall(tmp_path / "c", k=3)
    assert (watched.recall, watched.rows) == (1.0, N - 20)
    assert watched.tried == ()


def test_exact_search_misses_nothing(vectors, tmp_path):
    for kind, config in (("flat", None), ("ivf-flat", IVFConfig(train_size=5000))):
        collection = Collection.create(D, "cosine", kind, config)
        collection.add([f"r{row}" for row in range(N)], vectors)
        collection.save(tmp_path / kind)
        watched = watch_recall(tmp_path / kind)
        assert (watched.exact, watched.recall, watched.asked) == (True, 1.0, 0)


@pytest.mark.parametrize("kind", ["hnsw", "ivf-flat"])
def test_rows_that_are_ranked_by_csls_ask_as_they_are_ranked(kind, fake_encoder, passages, tmp_path):
    search = CrossLingualSearch.build(passages, fake_encoder, kind=kind, lexical=False)
    search.save(tmp_path / "c")
    with SearchStore(tmp_path / "c", fake_encoder) as store:
        store.upsert([Passage("new", "sun.en sea.en", "en")])
    watched = watch_recall(tmp_path / "c", k=4)
    assert (watched.rows, watched.recall) == (len(passages) + 1, 1.0)


def test_hub_corrected_lists_are_watched_by_their_own_scores(vectors, tmp_path):
    made = HubCorrectedCollection.create(vectors[:50], kind="ivf-flat", config=WEAK["ivf-flat"])
    made.add([f"r{row}" for row in range(N)], vectors)
    made.save(tmp_path / "c")
    rows = made._ranked
    names = rows.collection.ids
    kept, means = rows.vectors(names), rows.means(names)
    scores = 2 * kept @ kept.T - means
    np.fill_diagonal(scores, -np.inf)
    trial = _Trial(_rows_of(tmp_path / "c"), names, 10)
    np.testing.assert_allclose(trial.last, -np.sort(-scores, axis=1)[:, 9], atol=1e-5)
    assert watch_recall(tmp_path / "c", sample=N).recall == trial.shares().mean() == 1.0  # 100 candidates are plenty
    trial.rows.rows.search = lambda questions, k: SimpleNamespace(ids=[names[:k]] * len(questions))
    right = [{names[other] for other in each} for each in np.argsort(-scores, axis=1)[:, :10]]
    others = [[id for id in names[:11] if id != name][:10] for name in names]
    expected = [len(each & set(own)) / 10 for each, own in zip(right, others, strict=True)]
    np.testing.assert_allclose(trial.shares(), expected)


def test_what_cannot_be_watched_is_refused(vectors, tmp_path):
    collection = Collection.create(D)
    collection.add(["a"], vectors[:1])
    collection.save(tmp_path / "one")
    with pytest.raises(ValueError, match="has 1 rows; recall takes two"):
        watch_recall(tmp_path / "one")
    for wrong in ({"k": 0}, {"sample": 0}, {"least": 0}, {"least": 1.5}):
        with pytest.raises(ValueError, match=r"must be at least 1|a share above 0"):
            watch_recall(tmp_path / "one", **wrong)


def test_the_command_says_it_advises_and_fails_below_least(vectors, tmp_path, cli):
    for name, config in (("weak", WEAK["hnsw"]), ("good", None)):
        collection = Collection.create(D, "cosine", "hnsw", config)
        collection.add([f"r{row}" for row in range(N)], vectors)
        collection.save(tmp_path / name)
    watched = watch_recall(tmp_path / "weak", least=0.9)
    said = cli("index", "verify", tmp_path / "weak", "--recall", "--sample", "300")
    assert said.code == 0
    lines = said.out.splitlines()
    assert "is sound: 300 rows" in lines[0]
    assert " ".join(lines[1:]).startswith("recall: hnsw finds 0.")
    assert "ef_search" in said.out
    assert "less than 0.95" in said.out
    bad = cli("index", "verify", tmp_path / "weak", "--recall", "--least", "0.9")
    assert bad.code == 1
    assert bad.out == ""
    assert f"recall: hnsw finds {watched.recall:.3f}" in bad.err
    assert f"finds {watched.tried[-1][1]:.3f}" in bad.err
    result = cli("index", "verify", tmp_path / "good", "--recall", "--least", "0.9", "--json").result
    assert result["recall"]["recall"] == 1.0
    assert result["rows"] == N
    assert cli("index", "verify", tmp_path / "good", "--least", "0.9").code == 2


def test_rows_in_milvus_are_watched_as_they_are_ranked(fake_encoder, passages, tmp_path, cli):
    pytest.importorskip("milvus_lite")
    config = {"uri": str(tmp_path / "w.db"), "collection": "c", "index_type": "HNSW"}
    config |= {"build": {"M": 16, "efConstruction": 100}, "search": {"ef": 100}}
    CrossLingualSearch.build(passages, fake_encoder, milvus=config).save(tmp_path / "c")
    result = cli("index", "verify", tmp_path / "c", "--recall", "-k", "4", "--json").result
    assert (result["rows"], result["problems"]) == (len(passages), [])
    found = result["recall"]
    assert (found["kind"], found["exact"], found["asked"], found["recall"]) == ("HNSW", False, len(passages), 1.0)
