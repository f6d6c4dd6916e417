"""Rows of other programs, and rows in Milvus, are searched with texts."""

import json

import faiss
import numpy as np
import pytest

from interlingua.index import Collection, Range
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.foreign import collection_from_faiss
from interlingua.pipelines.search.portable import open_portable, restored


def told(lists):
    return [[(hit.id, hit.language, hit.text, dict(hit.metadata)) for hit in hits] for hits in lists]


def figures(lists):
    return [[(hit.score, hit.cosine) for hit in hits] for hits in lists]


QUESTIONS = ["sun.sw", "moon.zh star.zh", "fish.en"]


@pytest.fixture
def theirs(passages, fake_encoder):
    """Vectors of the encoder, as another program keeps them."""
    made = Collection.create(fake_encoder.dimension)
    about = [{"body": each.text, "lang": each.language, "odd": each.metadata["odd"]} for each in passages]
    made.add([each.id for each in passages], fake_encoder.encode([each.text for each in passages]), about)
    return made


def test_vectors_of_another_program_are_ranked_by_cosine(theirs, fake_encoder, passages):
    search = CrossLingualSearch.over(theirs, fake_encoder, text_field="body", language_field="lang")
    texts = {each.id: each.text for each in passages}
    asked = fake_encoder.encode(QUESTIONS, role="query")
    expected = theirs.search(asked, 5)
    found = search.search(QUESTIONS, 5)
    assert [tuple(hit.id for hit in hits) for hits in found] == list(expected.ids)
    np.testing.assert_allclose([[hit.cosine for hit in hits] for hits in found], expected.scores, atol=1e-6)
    assert all(hit.score == hit.cosine and hit.text == texts[hit.id] for hits in found for hit in hits)
    assert all(set(hit.metadata) == {"odd"} for hit in found[0])
    assert search.languages == {"en": 15, "sw": 15, "zh": 15}
    assert {hit.language for hit in search.search(["sun.en"], 9, languages=["sw"])[0]} == {"sw"}
    some = search.search(["sun.en"], 9, languages=["sw"], where=Range("odd", least=1))[0]
    assert {(hit.language, hit.metadata["odd"]) for hit in some} == {("sw", 1)}


def test_rows_without_text_and_language_are_found_too(fake_encoder):
    made = Collection.create(fake_encoder.dimension, "ip")
    made.add(["a", "b"], 3 * fake_encoder.encode(["sun", "moon"]))
    (hits,) = CrossLingualSearch.over(made, fake_encoder).search(["moon"], 2)
    assert [(hit.id, hit.text, hit.language) for hit in hits] == [("b", "", "und"), ("a", "", "und")]
    expected = fake_encoder.encode(["moon"]) @ fake_encoder.encode(["moon"], role="query").T
    assert hits[0].cosine == pytest.approx(expected.item(), abs=1e-5)


def test_a_folder_without_an_encoder_names_the_way_out(theirs, fake_encoder, tmp_path):
    theirs.save(tmp_path / "c")
    with pytest.raises(ValueError, match=r"c holds no search; .*name the encoder that made them: --encoder NAME"):
        CrossLingualSearch.load(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder, text_field="body", language_field="lang")
    assert told(loaded.search(QUESTIONS, 3)) == told(
        CrossLingualSearch.over(theirs, fake_encoder, text_field="body", language_field="lang").search(QUESTIONS, 3)
    )
    loaded.save(tmp_path / "noted")
    again = CrossLingualSearch.load(tmp_path / "noted", fake_encoder, text_field="body")
    assert again.search(["sun.en"], 1)[0][0].text.startswith("sun.en")


def test_an_encoder_of_another_dimension_or_name_is_refused(theirs, fake_encoder, other_fake_encoder, tmp_path):
    from dataclasses import replace

    with pytest.raises(ValueError, match="of dimension 128, but the encoder 'fake-1' gives 64"):
        CrossLingualSearch.over(theirs, replace(fake_encoder, dimension=64))
    CrossLingualSearch.over(theirs, fake_encoder).save(tmp_path / "c")
    with pytest.raises(ValueError, match="holds vectors of 'fake-1', but the encoder is 'fake-2'"):
        CrossLingualSearch.load(tmp_path / "c", other_fake_encoder)


@pytest.fixture
def milvus(tmp_path):
    pytest.importorskip("milvus_lite")
    return {"uri": str(tmp_path / "rows.db"), "collection": "passages"}


def test_a_search_in_milvus_answers_as_one_in_memory(passages, fake_encoder, milvus, tmp_path):
    here = CrossLingualSearch.build(passages, fake_encoder, lexical=False)
    there = CrossLingualSearch.build(passages, fake_encoder, milvus=milvus)
    options = (
        {},
        {"languages": ["sw"]},
        {"where": {"topic": ["sun", "moon"]}},
        {"balance": True},
        {"language": "en"},
        {"prefer": 0.3},
    )
    for each in options:
        ours, theirs = here.search(QUESTIONS, 4, **each), there.search(QUESTIONS, 4, **each)
        assert told(theirs) == told(ours)
        np.testing.assert_allclose(figures(theirs), figures(ours), atol=2e-6)
    assert there.languages == here.languages
    assert len(there) == len(here)
    raw = fake_encoder.encode(["sun.zh"])
    assert there.guess_languages(raw) == here.guess_languages(raw) == ["zh"]
    there.save(tmp_path / "folder")
    again = CrossLingualSearch.load(tmp_path / "folder", fake_encoder)
    for search in (here, again):
        search.upsert([Passage("en-sun", "bread.en fire.en", "en"), Passage("fr-new", "sun.fr fire.fr", "fr")])
        search.remove(["zh-sun"])
    assert told(again.search(QUESTIONS, 4)) == told(here.search(QUESTIONS, 4))
    assert again.languages == here.languages


def test_milvus_holds_one_search_in_a_collection(passages, fake_encoder, milvus):
    CrossLingualSearch.build(passages, fake_encoder, milvus=milvus)
    with pytest.raises(ValueError, match="has 45 rows already; name a new one"):
        CrossLingualSearch.build(passages, fake_encoder, milvus=milvus)


def test_vectors_that_were_loaded_into_milvus_are_searched_with_texts(theirs, fake_encoder, milvus):
    from interlingua.index import MilvusCollection

    kept = MilvusCollection(milvus, fake_encoder.dimension, partition=None)
    kept.load_batches(theirs.batches(20))
    fields = {"text_field": "body", "language_field": "lang"}
    there, here = (CrossLingualSearch.over(each, fake_encoder, **fields) for each in (kept, theirs))
    assert told(there.search(QUESTIONS, 4, languages=["zh", "sw"])) == told(
        here.search(QUESTIONS, 4, languages=["zh", "sw"])
    )
    assert there.languages == here.languages
    plain = CrossLingualSearch(fake_encoder, None, None, kept, {})
    assert [hit.id for hit in plain.search(["sun.en"], 2)[0]] == [hit.id for hit in here.search(["sun.en"], 2)[0]]


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-flat"])
def test_what_is_exported_are_unit_vectors_and_comes_back_as_it_was(passages, fake_encoder, tmp_path, kind):
    search = CrossLingualSearch.build(passages, fake_encoder, kind=kind)
    search.save(tmp_path / "c")
    portable = open_portable(tmp_path / "c")
    assert (portable.dimension, str(portable.metric)) == (128, "ip")
    np.testing.assert_allclose(np.linalg.norm(portable.vectors(portable.ids), axis=1), 1, atol=1e-6)
    ids = [each.id for each in passages]
    hubness = [row["hubness"] for row in portable.get(ids)]
    np.testing.assert_array_equal(np.float32(hubness), search._ranked.means(ids))
    portable.to_parquet(tmp_path / "c.parquet")
    restored(Collection.from_parquet(tmp_path / "c.parquet")).save(tmp_path / "again")
    again = CrossLingualSearch.load(tmp_path / "again", fake_encoder)
    exact = 1e-7 if kind == "ivf-flat" else 0  # inverted lists scale what is added to unit length once more
    np.testing.assert_allclose(again.collection.vectors(ids), search.collection.vectors(ids), atol=exact, rtol=0)
    assert told(again.search(QUESTIONS, 5)) == told(search.search(QUESTIONS, 5))
    both = figures(again.search(QUESTIONS, 5)), figures(search.search(QUESTIONS, 5))
    np.testing.assert_allclose(*both, atol=10 * exact, rtol=0)
    assert again.collection.index.spec == search.collection.index.spec


def test_a_field_called_hubness_stays_and_another_kind_may_be_chosen(fake_encoder, tmp_path):
    given = [Passage(str(n), f"sun{n}.en moon.en", "en", {"hubness": n}) for n in range(12)]
    CrossLingualSearch.build(given, fake_encoder).save(tmp_path / "c")
    portable = open_portable(tmp_path / "c")
    assert set(portable.get(["3"])[0]) == {"text", "language", "hubness", "hubness_"}
    back = restored(portable, "hnsw")
    assert back.index.spec.kind == "hnsw"
    assert back.get(["3"]) == [{"text": "sun3.en moon.en", "language": "en", "hubness": 3}]


def faiss_indexes(vectors):
    d = vectors.shape[1]
    flat, hnsw = faiss.IndexFlatIP(d), faiss.IndexHNSWFlat(d, 8, faiss.METRIC_INNER_PRODUCT)
    ivf = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, 2)
    ivf.cp.min_points_per_centroid = 1
    ivf.train(vectors)
    numbered = faiss.IndexIDMap(faiss.IndexFlatL2(d))
    numbered.add_with_ids(vectors, np.arange(len(vectors), dtype=np.int64) * 10)
    for index in (flat, hnsw, ivf):
        index.add(vectors)
    return {"flat": flat, "hnsw": hnsw, "ivf": ivf, "numbered": numbered}


@pytest.mark.parametrize("name", ["flat", "hnsw", "ivf", "numbered"])
def test_the_vectors_of_a_faiss_file_become_a_collection(tmp_path, name):
    vectors = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    faiss.write_index(faiss_indexes(vectors)[name], str(tmp_path / "theirs.faiss"))
    made = collection_from_faiss(tmp_path / "theirs.faiss")
    assert made.ids == tuple(str(number * (10 if name == "numbered" else 1)) for number in range(30))
    np.testing.assert_array_equal(made.vectors(made.ids), vectors)
    assert str(made.metric) == ("ip" if name in ("flat", "hnsw") else "l2")


def test_a_table_names_the_rows_of_a_faiss_file(tmp_path):
    vectors = np.eye(3, dtype=np.float32)
    faiss.write_index(faiss_indexes(vectors)["flat"], str(tmp_path / "t.faiss"))
    (tmp_path / "rows.csv").write_text("key,text,language\nx,sun,en\ny,jua,sw\nz,moon,\n", encoding="utf-8")
    made = collection_from_faiss(tmp_path / "t.faiss", tmp_path / "rows.csv", id="key")
    assert made.ids == ("x", "y", "z")
    assert made.get(["y"]) == [{"text": "jua", "language": "sw"}]
    (tmp_path / "rows.csv").write_text("text\nsun\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"holds 3 vectors, but .*rows\.csv has 1 rows"):
        collection_from_faiss(tmp_path / "t.faiss", tmp_path / "rows.csv")


def test_what_faiss_cannot_read_is_said_in_a_line(tmp_path):
    (tmp_path / "t.faiss").write_bytes(b"no index at all")
    with pytest.raises(ValueError, match=r"t\.faiss is no index that FAISS reads"):
        collection_from_faiss(tmp_path / "t.faiss")


def test_the_commands_import_search_and_export(cli, word_files, tmp_path):
    pytest.importorskip("pyarrow")
    rows = [("a", "the sun of the night", 2019, "sky"), ("b", "the cat of the queen", 2020, "house"),
            ("c", "bread of stone", 2021, "human food")]  # fmt: skip
    lines = [{"id": id, "text": text, "year": year, "topic": topic} for id, text, year, topic in rows]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    built, out = tmp_path / "built", tmp_path / "out.parquet"
    assert cli("index", "build", tmp_path / "t.jsonl", "--encoder", word_files.en, "-o", built).code == 0
    asked = cli("search", built, "king", "--json", "-k", 9, "--where", "year>=2020 and topic in (house, 'human food')")
    assert {hit["id"] for hit in asked.result[0]["hits"]} == {"b", "c"}
    for where, wanted in (("not (year=2020)", {"a", "c"}), ("topic='human food' or year<2020", {"a", "c"})):
        assert {
            hit["id"] for hit in cli("search", built, "king", "--json", "--where", where).result[0]["hits"]
        } == wanted
    wrong = cli("search", built, "king", "--where", "topic=human food")
    assert wrong.code == 2
    assert "has 'food' at character 13: topic=human >>> food" in wrong.err
    assert "the bound 2 is a number; compare it as a text" in cli("search", built, "king", "--where", "topic>2").err
    assert cli("index", "export", built, out, "--where", "year>=2020").code == 0
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(out)
    assert table.column("vector").type.list_size == 8
    assert table.num_rows == 2
    assert "hubness" in table.column_names
    plain = tmp_path / "plain.parquet"
    pyarrow.parquet.write_table(table.select(["id", "vector", "text"]).replace_schema_metadata(None), plain)
    theirs = tmp_path / "theirs"
    assert cli("index", "import", plain, "-o", theirs).code == 0
    assert "name the encoder that made them: --encoder NAME" in cli("search", theirs, "queen").err
    found = cli("search", theirs, "queen", "--encoder", word_files.en, "--json").result[0]["hits"]
    assert [hit["id"] for hit in found] == ["b", "c"]
    noted = tmp_path / "noted"
    assert cli("index", "import", plain, "--encoder", word_files.en, "-o", noted).code == 0
    assert [hit["id"] for hit in cli("search", noted, "queen", "--json").result[0]["hits"]] == ["b", "c"]


def test_the_commands_keep_a_search_in_milvus(cli, word_files, texts_file, tmp_path):
    pytest.importorskip("milvus_lite")
    folder, more = tmp_path / "kept there", tmp_path / "more.jsonl"
    arguments = ("--encoder", word_files.en, "--milvus", tmp_path / "rows.db", "-o", folder)
    assert cli("index", "build", texts_file, *arguments).code == 0
    assert cli("search", folder, "cat", "-k", 1, "--json").result[0]["hits"][0]["id"] == "b"
    more.write_text('{"id": "d", "text": "the dog of the king", "language": "fr"}\n', encoding="utf-8")
    assert cli("index", "add", folder, more).code == 0
    assert cli("index", "remove", folder, "b").code == 0
    assert cli("search", folder, "dog", "-k", 1, "--json", "--languages", "fr").result[0]["hits"][0]["id"] == "d"
    assert cli("info", folder, "--json").result["languages"] == {"en": 1, "fr": 1, "und": 1}
    assert cli("search", folder, "cat", "--json", "--where", "page>=1").result[0]["hits"][0]["id"] == "a"
    assert cli("index", "export", folder, tmp_path / "out.parquet", "--json").result["rows"] == 3
