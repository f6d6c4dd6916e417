import threading

import numpy as np
import pytest

from interlingua.align import retrieve
from interlingua.align.neighbors import mean_neighbor_similarity
from interlingua.index import Collection, CollectionStore, FaissIndex, LockedError, UnsupportedOperation
from interlingua.index.engines.choose import recall_at_k
from interlingua.pipelines.search.corrected import HubCorrectedCollection
from interlingua.pipelines.search.ranked import own_vectors

LISTS = {"threads": 1, "n_lists": 20, "nprobe": 8, "train_size": 2000}
GRAPH = {"threads": 1, "M": 16, "ef_construction": 80, "ef_search": 100, "train_size": 1000}


def clustered(n, seed, d=48):
    """Unit rows around 60 centres of power-law size, with a common offset that makes hubs."""
    fixed, rng = np.random.default_rng(7), np.random.default_rng(seed)
    centres, offset = fixed.normal(size=(60, d)), fixed.normal(size=d)
    weights = 1 / np.arange(1, 61)
    rows = centres[rng.choice(60, size=n, p=weights / weights.sum())] + 0.6 * rng.normal(size=(n, d)) + offset
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


SOURCES, TARGETS, QUERIES = clustered(1000, 0), clustered(4000, 1), clustered(100, 2)
IDS = [str(row) for row in range(len(TARGETS))]


@pytest.fixture(scope="module")
def truth():
    """Exact CSLS in float64, by brute force."""
    wide = (TARGETS.astype(np.float64) @ SOURCES.T.astype(np.float64)).copy()
    means = np.sort(wide, axis=1)[:, -10:].mean(axis=1)
    scores = 2 * QUERIES.astype(np.float64) @ TARGETS.T.astype(np.float64) - means
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return order, np.take_along_axis(scores, order, axis=1)


def built(kind, config=None, **options):
    made = HubCorrectedCollection.create(SOURCES, kind=kind, config=config, **options)
    made.add(IDS, TARGETS, [{"language": "sw" if row % 2 else "fi"} for row in range(len(IDS))])
    return made


def numbers(found):
    return np.array([[int(id) for id in ids] for ids in found.ids])


@pytest.mark.parametrize("kind", ["flat", "faiss-flat"])
def test_exact_kinds_rank_as_brute_force_does(kind, truth):
    found = built(kind).search(QUERIES, 10)
    np.testing.assert_allclose(found.scores, truth[1], atol=3e-6)
    np.testing.assert_array_equal(numbers(found), truth[0])
    same = retrieve(QUERIES, TARGETS, 10, background=SOURCES).ids
    np.testing.assert_array_equal(numbers(found), same)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("hnsw", GRAPH),
        ("hnsw", {**GRAPH, "storage": "float16"}),
        ("ivf-flat", LISTS),
        ("ivf-rabitq", {**LISTS, "refine": "float32"}),
        ("ivf-pq", {**LISTS, "refine": "float32"}),
    ],
)
def test_approximate_kinds_find_what_exact_csls_finds(kind, config, truth):
    assert recall_at_k(numbers(built(kind, config).search(QUERIES, 10)), truth[0]) >= 0.98


def test_a_graph_of_bytes_finds_what_exact_csls_finds():
    """In 384 dimensions, where one byte a dimension is as much as real sentence vectors need."""
    projection = np.random.default_rng(8).normal(size=(48, 384)).astype(np.float32)
    rng = np.random.default_rng(9)
    sources, targets, queries = (
        rows @ projection + 0.3 * rng.normal(size=(len(rows), 384)) for rows in (SOURCES, TARGETS, QUERIES)
    )
    exact = HubCorrectedCollection.create(sources, kind="faiss-flat")
    bytes_ = HubCorrectedCollection.create(sources, kind="hnsw", config={**GRAPH, "storage": "sq8"})
    for made in (exact, bytes_):
        made.add(IDS, targets)
    truth = numbers(exact.search(queries, 10))
    assert recall_at_k(numbers(bytes_.search(queries, 10)), truth) >= 0.98


def test_folding_matters(truth):
    """Cosine alone is not enough, or the tests above would prove nothing."""
    cosine = np.argsort(-(QUERIES @ TARGETS.T), axis=1)[:, :10]
    assert recall_at_k(cosine, truth[0]) < 0.95


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_means_stay_exact_through_adding_replacing_and_removing(kind):
    made = built(kind, LISTS if kind != "flat" else None)
    made.remove(IDS[:300])
    made.upsert(IDS[300:400], TARGETS[:100])
    made.add(["new"], QUERIES[:1])
    expected = np.concatenate([TARGETS[400:], TARGETS[:100], QUERIES[:1]])
    means = mean_neighbor_similarity(expected, SOURCES, 10)
    np.testing.assert_allclose(made.means([*IDS[400:], *IDS[300:400], "new"]), means, atol=1e-6)
    with pytest.raises(KeyError, match="'0'"):
        made.means(["0"])
    assert made.staleness == 0


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_a_saved_collection_answers_alike_and_goes_on(kind, tmp_path):
    made = built(kind, LISTS if kind != "flat" else None, neighborhood=7)
    made.save(tmp_path / "kept")
    again = HubCorrectedCollection.load(tmp_path / "kept", threads=1)
    assert (again.neighborhood, again.sources_sha256) == (7, made.sources_sha256)
    one, other = made.search(QUERIES, 10), again.search(QUERIES, 10)
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.scores, other.scores)
    again.add(["new"], QUERIES[:1])
    assert again.search(QUERIES[:1], 1).ids == (("new",),)


def test_few_changed_sources_are_said_and_many_measured_anew(tmp_path):
    made = built("flat", max_staleness=0.1)
    few, many = np.concatenate([SOURCES[20:], QUERIES[:20]]), np.concatenate([SOURCES[:500], QUERIES])
    before = made.means(IDS)
    with pytest.warns(UserWarning, match=r"3.9% of the sources changed.*refresh"):
        assert made.update_sources(few) == pytest.approx(40 / 1020)
    np.testing.assert_array_equal(made.means(IDS), before)
    with pytest.raises(ValueError, match="refresh"):
        made.save(tmp_path / "kept")
    assert made.update_sources(many) == pytest.approx(600 / 1100)
    assert made.staleness == 0
    np.testing.assert_allclose(made.means(IDS), mean_neighbor_similarity(TARGETS, many, 10), atol=1e-6)
    truth = 2 * QUERIES @ TARGETS.T - made.means(IDS)  # two are equal in float32: scores are compared, not ids
    found, expected = numbers(made.search(QUERIES, 10)), retrieve(QUERIES, TARGETS, 10, background=many).ids
    scores = [np.take_along_axis(truth, each, axis=1) for each in (found, expected)]
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_filters_hold_where_candidates_are_scored_again():
    found = built("ivf-flat", LISTS).search(QUERIES, 10, languages=["sw"])
    assert all(int(id) % 2 for ids in found.ids for id in ids)
    assert all(row["language"] == "sw" for rows in found.metadata for row in rows)
    assert np.isfinite(found.scores).all()


def test_k_beyond_the_collection_returns_all_there_is():
    made = HubCorrectedCollection.create(SOURCES, kind="ivf-flat", config=LISTS)
    assert made.search(QUERIES, 3).ids == ((),) * len(QUERIES)
    made.add(IDS[:5], TARGETS[:5])
    assert [len(ids) for ids in made.search(QUERIES, 9).ids] == [5] * len(QUERIES)
    assert isinstance(made.collection.index, FaissIndex)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda made: made.add(["x"], np.ones((1, 3))), "differ in dimension"),
        (lambda made: made.add(["x"], np.zeros((1, 48))), "row 0 is zero"),
        (lambda made: made.search(np.full((1, 48), np.nan), 3), "not finite"),
        (lambda made: made.search(np.ones((1, 3)), 3), "differ in dimension"),
        (lambda made: made.update_sources(np.ones((1, 3))), "differ in dimension"),
        (lambda made: made.search(QUERIES, 0), "k must be at least 1"),
        (lambda made: HubCorrectedCollection.create(SOURCES, neighborhood=0), "neighborhood must be"),
        (lambda made: HubCorrectedCollection.create(SOURCES, max_staleness=2), "max_staleness must"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(call, message):
    made = HubCorrectedCollection.create(SOURCES)
    made.add(IDS[:9], TARGETS[:9])
    with pytest.raises(ValueError, match=message):
        call(made)
    assert len(made) == 9


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_own_vectors_are_those_that_were_added(kind, tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4))
    made = HubCorrectedCollection.create(rng.normal(size=(20, 4)), kind=kind)
    made.add([str(number) for number in range(60)], rows)
    made.save(tmp_path / "c")
    for collection in (made.collection, Collection.load(tmp_path / "c")):
        np.testing.assert_allclose(
            own_vectors(collection), rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6
        )


def test_a_plain_collection_is_refused(tmp_path):
    Collection.create(4).save(tmp_path / "plain")
    with pytest.raises(ValueError, match="without hub correction"):
        HubCorrectedCollection.load(tmp_path / "plain")


FORMS = [("flat", None), ("hnsw", {**GRAPH, "storage": "float16"}), ("ivf-flat", LISTS)]


def changed(made):
    made.add(["new"], QUERIES[:1], [{"language": "zh"}])
    made.upsert(IDS[5:9], QUERIES[5:9])
    made.remove(IDS[:5])


@pytest.mark.parametrize(("kind", "config"), FORMS, ids=lambda form: form if isinstance(form, str) else "")
def test_what_an_open_collection_acknowledged_is_there_without_any_save(kind, config, tmp_path):
    folder = tmp_path / "kept"
    made = built(kind, config)
    made.save(folder)
    changed(made)
    with HubCorrectedCollection.open(folder, threads=1) as writer:
        changed(writer)
        with pytest.raises(LockedError):
            HubCorrectedCollection.open(folder)
        again = HubCorrectedCollection.load(folder, threads=1)
        assert again.collection.ids == writer.collection.ids == made.collection.ids
        np.testing.assert_allclose(again.means(again.collection.ids), made.means(made.collection.ids), atol=1e-6)
        assert again.search(QUERIES, 10).ids == writer.search(QUERIES, 10).ids
        writer.compact()
        writer.add(["newer"], QUERIES[1:2])
    with HubCorrectedCollection.open(folder, threads=1) as writer:
        np.testing.assert_allclose(
            writer.means(["new", "newer"]), mean_neighbor_similarity(QUERIES[:2], SOURCES, 10), atol=1e-6
        )
        writer.checkpoint()
    assert not [path for path in folder.glob("journal-*.log") if path.stat().st_size > 100]
    assert len(HubCorrectedCollection.load(folder)) == len(made) + 1


@pytest.mark.parametrize(("kind", "config"), FORMS, ids=lambda form: form if isinstance(form, str) else "")
def test_a_save_by_itself_keeps_the_means_of_the_change_that_caused_it(kind, config, tmp_path):
    made = built(kind, config)
    made.save(tmp_path / "kept")
    with HubCorrectedCollection.open(tmp_path / "kept", threads=1, checkpoint_bytes=0) as writer:
        for start in range(0, 8000, 2000):  # a journal as large as what is saved
            writer.upsert(IDS[:2000], np.roll(TARGETS, start, axis=0)[:2000])
        expected = writer.means(IDS)
    again = HubCorrectedCollection.load(tmp_path / "kept", threads=1)
    np.testing.assert_allclose(again.means(IDS), expected, atol=1e-6)


def test_rows_that_came_by_other_means_are_measured(tmp_path):
    made = built("ivf-flat", LISTS)
    made.save(tmp_path / "kept")
    with CollectionStore(tmp_path / "kept") as store:
        store.remove(IDS[-1:])
        store.checkpoint()
        store.upsert(["0", "plain"], QUERIES[:2])
    again = HubCorrectedCollection.load(tmp_path / "kept", threads=1)
    np.testing.assert_allclose(
        again.means(["0", "plain"]), mean_neighbor_similarity(QUERIES[:2], SOURCES, 10), atol=1e-6
    )
    np.testing.assert_allclose(again.means(IDS[1:-1]), made.means(IDS[1:-1]), atol=1e-7)


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_other_sources_replace_what_an_open_collection_has_saved(kind, tmp_path):
    made = built(kind, LISTS if kind != "flat" else None)
    made.save(tmp_path / "kept")
    many = np.concatenate([SOURCES[:500], QUERIES])
    with HubCorrectedCollection.open(tmp_path / "kept", threads=1) as writer:
        writer.update_sources(many)
        writer.add(["new"], QUERIES[:1])
        assert writer.staleness == 0
    again = HubCorrectedCollection.load(tmp_path / "kept", threads=1)
    assert again.sources_sha256 != made.sources_sha256
    expected = mean_neighbor_similarity(np.concatenate([TARGETS, QUERIES[:1]]), many, 10)
    np.testing.assert_allclose(again.means([*IDS, "new"]), expected, atol=1e-6)


def test_a_refresh_that_cannot_be_saved_changes_nothing(tmp_path, monkeypatch):
    made = built("flat")
    made.save(tmp_path / "kept")
    with HubCorrectedCollection.open(tmp_path / "kept") as writer:
        before = writer.means(IDS)
        monkeypatch.setattr(Collection, "save", lambda self, path: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            writer.update_sources(QUERIES)
        monkeypatch.undo()
        np.testing.assert_array_equal(writer.means(IDS), before)
        writer.add(["new"], QUERIES[:1])
        writer.checkpoint()
    again = HubCorrectedCollection.load(tmp_path / "kept")
    assert again.sources_sha256 == made.sources_sha256
    assert len(again) == len(IDS) + 1


def test_a_mapped_collection_answers_alike_and_refuses_changes(tmp_path):
    made = built("hnsw", GRAPH)
    made.save(tmp_path / "kept")
    mapped = HubCorrectedCollection.load(tmp_path / "kept", mapped=True)
    assert mapped.search(QUERIES, 10).ids == made.search(QUERIES, 10).ids
    with pytest.raises(UnsupportedOperation, match="mapped"):
        mapped.add(["new"], QUERIES[:1])


def test_a_collection_that_is_not_open_says_how_to_save_it():
    with pytest.raises(ValueError, match=r"not open for writing; use save, or HubCorrectedCollection.open"):
        built("flat").checkpoint()


@pytest.mark.parametrize(
    ("kind", "config"), [("flat", None), ("hnsw", GRAPH | {"storage": "sq8"}), ("ivf-flat", LISTS)]
)
def test_rows_that_are_replaced_beside_searches_are_ranked_by_their_own_means(kind, config):
    corrected = built(kind, config)
    asked = QUERIES[:5]
    states, done = [], threading.Event()
    for vectors in (TARGETS[200:400], TARGETS[:200]):  # there and back again: two states, each vector with its mean
        corrected.upsert(IDS[:200], vectors)
        states.append(scores_by_id(corrected.search(asked, 400)))
    wrong, answers = [], []

    def read():
        while not done.is_set() or not answers:
            found = scores_by_id(corrected.search(asked, 100))
            answers.append(len(found))
            for key, score in found.items():
                right = [state[key] for state in states if key in state]
                wrong.extend([key] if right and min(abs(score - each) for each in right) > 1e-4 else [])

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(4):
            corrected.upsert(IDS[:200], TARGETS[200:400])
            corrected.upsert(IDS[:200], TARGETS[:200])
        if kind == "flat":
            corrected.refresh()
    finally:
        done.set()
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    assert answers
    assert not wrong
    np.testing.assert_allclose(corrected.means(IDS), mean_neighbor_similarity(TARGETS, SOURCES, 10), atol=1e-5)


def scores_by_id(found):
    """Score of each query and id."""
    return {
        (query, id): score
        for query, (ids, scores) in enumerate(zip(found.ids, found.scores.tolist()))
        for id, score in zip(ids, scores)
    }
