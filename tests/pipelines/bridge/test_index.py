"""A bridge into an index whose encoder is not at hand."""

import json

import faiss
import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.align.bridge import Bridge, BridgeError
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage, load_encoder
from interlingua.pipelines.bridge import BridgeTexts, fit_index_bridge, fit_text_bridge, map_questions, read_index
from interlingua.pipelines.bridge.index import is_index

WORDS = [f"word{number}" for number in range(300)]
N = 200


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Two models of the same words, of other dimensions."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    first = rng.normal(size=(len(WORDS), 24))
    turned = first @ np.linalg.qr(rng.normal(size=(32, 24)))[0].T + 0.2 * rng.normal(size=(len(WORDS), 32))
    made = []
    for name, vectors in (("A", first), ("B", turned)):
        Embeddings(tuple(WORDS), (vectors + 0.5).astype(np.float32), name).write(folder / f"{name}.vec")
        made.append(load_encoder(folder / f"{name}.vec"))
    return made


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    long = [" ".join(rng.choice(WORDS, 12, replace=False)) for _ in range(N)]
    return BridgeTexts(tuple(" ".join(each.split()[:6]) for each in long), tuple(long), "en")


def rows_of(texts):
    return [
        {"id": f"t{row}", "text": long, "title": short, "language": "en"}
        for row, (short, long) in enumerate(zip(texts.short, texts.long))
    ]


@pytest.fixture
def store(tmp_path, encoders, texts):
    """A FAISS index with its table, as another program leaves them, with German rows and one without a text."""
    vectors = encoders[1].encode(texts.long, role="passage")
    index = faiss.IndexFlatIP(32)
    index.add(np.concatenate([vectors, vectors[:9] * -1, vectors[:1]]))
    faiss.write_index(index, str(tmp_path / "old.faiss"))
    rows = [
        *rows_of(texts),
        *({"id": f"g{n}", "text": f"deutsch {n}", "language": "de"} for n in range(9)),
        {"id": "x"},
    ]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return tmp_path / "old.faiss"


def test_a_store_of_another_program_stands_in_for_its_encoder(store, encoders, texts):
    read = read_index(store, titles="title")
    assert (read.texts.short, read.texts.long, read.texts.language) == (texts.short, texts.long, "en")
    np.testing.assert_allclose(read.vectors, encoders[1].encode(texts.long, role="passage"), atol=1e-6)
    assert (read.left_out, read.encoder.identity) == (10, "")
    bridge = fit_index_bridge(read, encoders[0])
    assert bridge.scores["kept@10"] > 0.7
    assert (bridge.matrix.shape, bridge.target.encoder, len(bridge.target.probes)) == ((24, 32), "", 0)
    known = fit_text_bridge(texts, *encoders)
    asked = [" ".join(each.split()[3:9]) for each in texts.long]
    recall = {}
    for name, each in (("index", bridge), ("encoder", known)):
        scores = map_questions(each, asked, "de", source=encoders[0]).vectors @ read.vectors.T
        recall[name] = (scores.argsort(axis=1)[:, -10:] == np.arange(N)[:, None]).any(axis=1).mean()
    assert recall["index"] > recall["encoder"] - 0.1 > 0.5


def test_vectors_in_another_order_make_no_bridge(store, encoders):
    read = read_index(store, titles="title")
    order = np.random.default_rng(3).permutation(N)
    with pytest.raises(BridgeError, match="not of the same texts in the same order"):
        fit_index_bridge(type(read)(read.texts, read.vectors[order], read.encoder), encoders[0])


def test_titles_come_from_texts_that_are_given_and_other_rows_are_left_out(store, texts):
    given = BridgeTexts(("one", "two"), texts.long[:2], "en")
    assert read_index(store, shorts=given).texts.short == ("one", "two")
    with pytest.raises(BridgeError, match="is any of the texts that were given"):
        read_index(store, shorts=BridgeTexts(("one",), ("another text",), "en"))


def test_a_language_is_chosen_and_one_without_rows_refused(store):
    assert len(read_index(store, language="de").texts) == 9
    with pytest.raises(BridgeError, match="is in 'fr', but in en, de"):
        read_index(store, language="fr")


def test_a_collection_says_whose_its_vectors_are_and_one_without_texts_is_refused(tmp_path, encoders, texts):
    made = Collection.create(32, "cosine")
    vectors = encoders[1].encode(texts.long, role="passage")
    made.add([f"t{row}" for row in range(N)], vectors, [{"text": each} for each in texts.long])
    made.attributes = {"encoder": "theirs", "encoder_name": "their/model"}
    made.save(tmp_path / "c")
    assert is_index(tmp_path / "c")
    read = read_index(tmp_path / "c")
    assert (read.encoder.identity, read.encoder.name, read.texts.language) == ("theirs", "their/model", "und")
    assert fit_index_bridge(read, encoders[0], least=0.1).target.encoder == "theirs"
    bare = Collection.create(4, "cosine")
    bare.add(["a"], np.ones((1, 4), np.float32), [{"note": "no text"}])
    bare.save(tmp_path / "bare")
    with pytest.raises(BridgeError, match="none of its 1 rows has a text in the field 'text'"):
        read_index(tmp_path / "bare")


def test_a_search_that_changed_its_vectors_is_asked_for_its_encoder(tmp_path, encoders, texts, cli):
    passages = [Passage(f"t{row}", each, "en") for row, each in enumerate(texts.long)]
    name = encoders[1].loaded_as
    CrossLingualSearch.build(passages, encoders[1], encoder_name=name, lexical=False).save(tmp_path / "s")
    read = read_index(tmp_path / "s")
    assert read.vectors is None
    with pytest.raises(BridgeError, match="other vectors than its encoder gave"):
        fit_index_bridge(read, encoders[0])
    done = cli("bridge", "fit", "--from", encoders[0].loaded_as, "--to", tmp_path / "s", "-o", tmp_path / "b")
    assert done.code == 0, done.err
    assert Bridge.load(tmp_path / "b").target.encoder == encoders[1].identity


def test_the_command_fits_into_a_store_and_the_store_is_searched(store, encoders, texts, cli):
    bridge = store.with_name("b")
    named = ("bridge", "fit", "--from", encoders[0].loaded_as, "--titles", "title", "-o", bridge)
    done = cli(*named, "--to", store, "--json")
    assert done.code == 0, done.err
    assert "10 rows of the index are left out" in done.err
    assert done.result["texts"] == N
    asked = [texts.short[row] for row in range(0, N, 10)]
    done = cli("search", store, *asked, "--bridge", bridge, "--language", "en", "-k", "3", "--json")
    assert done.code == 0, done.err
    right = [any(hit["id"] == f"t{row}" for hit in each["hits"]) for row, each in zip(range(0, N, 10), done.result)]
    assert sum(right) >= 14
    done = cli(*named, "--to", encoders[1].loaded_as)
    assert (done.code, "is no index; give texts" in done.err) == (2, True)


def test_rows_without_texts_are_matched_from_anchors(tmp_path, encoders, texts, cli):
    order = np.random.default_rng(2).permutation(N)
    made = Collection.create(32, "cosine")
    made.add([f"r{row}" for row in range(N)], encoders[1].encode([texts.long[row] for row in order], role="passage"))
    made.save(tmp_path / "c")
    rows = [{"text": long, "title": short, "language": "en"} for short, long in zip(texts.short, texts.long)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    known = {texts.long[order[row]]: f"r{row}" for row in range(0, 120, 2)}
    table = ["text\tid", *(f"{text}\t{id}" for text, id in known.items())]
    (tmp_path / "anchors.tsv").write_text("\n".join(table), encoding="utf-8")
    named = ("bridge", "fit", "--from", encoders[0].loaded_as, "--to", tmp_path / "c", "--texts", tmp_path / "t.jsonl",
             "--titles", "title", "-o", tmp_path / "b")  # fmt: skip
    done = cli(*named, "--anchors", tmp_path / "anchors.tsv", "--json")
    assert done.code == 0, done.err
    told = Bridge.load(tmp_path / "b").provenance
    assert told["anchors"] == 60
    assert told["matched"] > 0.8 * N
    wrong = [f"{text}\t{id}" for text, id in zip(known, reversed(known.values()))]
    (tmp_path / "anchors.tsv").write_text("\n".join(["text\tid", *wrong]), encoding="utf-8")
    (tmp_path / "b").unlink()
    done = cli(*named, "--anchors", tmp_path / "anchors.tsv")
    assert (done.code, "check the anchors" in done.err, (tmp_path / "b").exists()) == (1, True, False)
    (tmp_path / "anchors.tsv").write_text("text\tid\nnobody\tr1\n", encoding="utf-8")
    assert "is none of the texts" in cli(*named, "--anchors", tmp_path / "anchors.tsv").err
