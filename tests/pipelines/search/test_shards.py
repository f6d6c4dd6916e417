import json

import numpy as np
import pytest

from interlingua.index import Collection, create_index
from interlingua.index.collection.parts import bytes_to_array
from interlingua.index.engines.choose import recall_at_k
from interlingua.pipelines import CrossLingualSearch, load_encoder
from interlingua.pipelines.search import LocalRunner, build_index
from interlingua.pipelines.search.ranked import own_vectors

QUESTIONS = ["w3en w4en w5en", "w7sw w8sw", "w10zh w11zh w12zh"]


def answers(search):
    return [[hit.id for hit in hits] for hits in search.search(QUESTIONS, 5)]


class CutOff:
    """Runs some tasks, then fails as a killed process would."""

    def __init__(self, after):
        self.after = after

    def run(self, function, tasks):
        for task in list(tasks)[: self.after]:
            function(task)
            yield task
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw"])
def test_a_build_over_shards_is_that_of_one_search(corpus, tmp_path, kind):
    report = build_index(corpus.files, tmp_path / "c", encoder_name=corpus.encoder, kind=kind, shards=5)
    whole = CrossLingualSearch.build(corpus.passages, encoder_name=corpus.encoder, kind=kind, lexical=False)
    made = CrossLingualSearch.load(tmp_path / "c")
    assert report.records == 300
    assert report.shards >= 4
    assert made.collection.ids == whole.collection.ids
    assert made.collection.get(made.collection.ids) == whole.collection.get(whole.collection.ids)
    ids = whole.collection.ids
    np.testing.assert_allclose(made.collection.vectors(ids), whole.collection.vectors(ids), atol=1e-6)
    assert answers(made) == answers(whole)
    assert not (tmp_path / "c.parts").exists()


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-flat"])
@pytest.mark.parametrize("ranking", ["csls", "cosine"])
def test_vectors_lie_in_an_index_over_shards_as_in_that_of_one_search(corpus, tmp_path, kind, ranking):
    config = {"storage": "sq8"} if kind == "hnsw" else None
    build_index(
        corpus.files, tmp_path / "c", encoder_name=corpus.encoder, kind=kind, config=config, ranking=ranking, shards=4
    )
    made = CrossLingualSearch.load(tmp_path / "c")
    options = {"kind": kind, "ranking": ranking, "lexical": False}
    whole = CrossLingualSearch.build(corpus.passages, encoder_name=corpus.encoder, **options)
    assert (made.collection.dimension, made.collection.metric) == (whole.collection.dimension, whole.collection.metric)
    exact = kind != "hnsw"
    np.testing.assert_allclose(
        own_vectors(made.collection), own_vectors(whole.collection), atol=1e-6 if exact else 0.03
    )
    wanted = set() if kind == "flat" else {"hub-means.npy", "hub-rows.npy"}
    assert wanted <= set(made.collection.attachments)
    if kind == "ivf-flat":
        means = [bytes_to_array(each.parts.means["hub-means.npy"]) for each in (made, whole)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-6)
    if kind == "flat":
        assert answers(made) == answers(whole)


@pytest.mark.parametrize("kind", ["ivf-flat", "ivf-pq", "ivf-rabitq"])
def test_merged_lists_hold_what_one_index_holds(corpus, tmp_path, kind):
    config = {"n_lists": 8, "nprobe": 8, "train_size": 900}
    build_index([corpus.folder / "vectors.npy"], tmp_path / "c", kind=kind, config=config, shards=4)
    made = Collection.load(tmp_path / "c")
    assert made.ids == tuple(str(number) for number in range(1, 901))
    whole = create_index(kind, 16, "cosine", config)
    whole.add(np.arange(900), corpus.vectors)
    found, expected = (each.search(corpus.vectors[:50], 10) for each in (made.index, whole))
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)
    if kind == "ivf-flat":  # all of its lists are searched
        exact = create_index("flat", 16, "cosine")
        exact.add(np.arange(900), corpus.vectors)
        assert recall_at_k(found.ids, exact.search(corpus.vectors[:50], 10).ids) == 1
    unit = corpus.vectors[10] / np.linalg.norm(corpus.vectors[10])
    np.testing.assert_allclose(made.vectors(["11"])[0], unit, atol=0.05)


def test_the_number_of_shards_changes_nothing(corpus, tmp_path):
    for shards in (1, 7):
        build_index(
            corpus.files, tmp_path / f"c{shards}", encoder_name=corpus.encoder, kind="ivf-flat", shards=shards,
            sample_size=100,
        )  # fmt: skip
    one, seven = (CrossLingualSearch.load(tmp_path / f"c{shards}") for shards in (1, 7))
    assert one.collection.ids == seven.collection.ids
    assert answers(one) == answers(seven)


@pytest.mark.parametrize("after", [0, 2])
def test_a_build_cut_off_goes_on_where_it_was(corpus, tmp_path, after):
    options = {"encoder_name": corpus.encoder, "kind": "ivf-rabitq", "shards": 5}
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus.files, tmp_path / "c", runner=CutOff(after), **options)
    assert not (tmp_path / "c").exists()
    with pytest.raises(FileExistsError, match="unfinished build; resume it"):
        build_index(corpus.files, tmp_path / "c", **options)
    report = build_index(corpus.files, tmp_path / "c", resume=True, **options)
    assert report.encoded == report.shards - after
    build_index(corpus.files, tmp_path / "whole", **options)
    made, whole = (CrossLingualSearch.load(tmp_path / name) for name in ("c", "whole"))
    assert made.collection.ids == whole.collection.ids
    assert answers(made) == answers(whole)


def test_another_setting_or_input_refuses_to_resume(corpus, tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_text(corpus.files[0].read_text())
    with pytest.raises(KeyboardInterrupt):
        build_index([source], tmp_path / "c", encoder_name=corpus.encoder, runner=CutOff(1), shards=3)
    with pytest.raises(ValueError, match="has another seed"):
        build_index([source], tmp_path / "c", encoder_name=corpus.encoder, shards=3, seed=1, resume=True)
    source.write_text(corpus.files[1].read_text())
    with pytest.raises(ValueError, match="has another input or number of shards"):
        build_index([source], tmp_path / "c", encoder_name=corpus.encoder, shards=3, resume=True)


def test_a_damaged_shard_is_named_and_not_believed(corpus, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus.files, tmp_path / "c", encoder_name=corpus.encoder, runner=CutOff(2), shards=3)
    damaged = next((tmp_path / "c.parts" / "encoded" / "000000").glob("vectors*.npy"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"vectors.*altered"):
        build_index(corpus.files, tmp_path / "c", encoder_name=corpus.encoder, shards=3, resume=True)


def test_every_format_gives_the_same_records(corpus, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    some = corpus.passages[:40]
    rows = [{"id": each.id, "text": each.text, "language": each.language} for each in some]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=15)
    found = []
    for suffix in ("jsonl", "tsv", "parquet"):
        build_index([tmp_path / f"a.{suffix}"], tmp_path / suffix, encoder_name=corpus.encoder, shards=3)
        collection = CrossLingualSearch.load(tmp_path / suffix).collection
        found.append((collection.ids, collection.get(collection.ids)))
    assert found[0] == found[1] == found[2]
    assert found[0][0] == tuple(each.id for each in some)


def test_records_without_ids_are_called_by_file_and_line(corpus, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("w1en w2en\n\nw3en w4en\n")
    build_index(
        [tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "c", encoder_name=corpus.encoder, shards=2, language="en"
    )
    collection = Collection.load(tmp_path / "c")
    assert collection.ids == ("a.txt:1", "a.txt:3", "b.txt:1", "b.txt:3")
    assert collection.get(["b.txt:3"]) == [{"text": "w3en w4en", "language": "en"}]


def test_an_id_in_two_shards_is_refused(corpus, tmp_path):
    other = tmp_path / "again.jsonl"
    other.write_text(corpus.files[0].read_text())
    with pytest.raises(ValueError, match="'p0' is there twice"):
        build_index([corpus.files[0], other], tmp_path / "c", encoder_name=corpus.encoder, shards=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "ivf-pq", "ranking": "dot"}, "ranking must be csls or cosine"),
        ({"kind": "milvus"}, "the kind is 'milvus'"),
        ({"shards": 0}, "shards must be at least 1"),
        ({"space": "no such"}, "languages are removed by"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(corpus, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        build_index(corpus.files, tmp_path / "c", encoder_name=corpus.encoder, **options)
    assert not list(tmp_path.iterdir())


def test_a_bad_line_is_named(corpus, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "w1en"}\n{"text": 3}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2"):
        build_index([tmp_path / "a.jsonl"], tmp_path / "c", encoder_name=corpus.encoder)


def test_callback_counts_shards(corpus, tmp_path):
    seen = []
    report = build_index(
        corpus.files, tmp_path / "c", encoder_name=corpus.encoder, shards=3, runner=LocalRunner(),
        callback=lambda *each: seen.append(each),
    )  # fmt: skip
    n = report.shards
    assert seen == [(stage, each + 1, n) for stage in ("encoded", "filled") for each in range(n)]
    assert load_encoder(corpus.encoder).identity == Collection.load(tmp_path / "c").attributes["encoder"]
