"""The service over HTTP: what it answers, and what it refuses."""

import base64
import json
import logging

import numpy as np
import pytest
from starlette.testclient import TestClient

from interlingua.index import CollectionStore
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.live import SearchStore
from interlingua.pipelines.serve.app import create_app
from interlingua.pipelines.serve.gate import Keys, Limits

JSON = "application/problem+json"


def test_a_search_gives_what_the_library_gives(client, words, fake_encoder):
    asked = {"query": "sun.en", "k": 4, "languages": ["sw", "zh"], "where": "odd = 0"}
    found = client.post("/v1/search", json=asked).json()
    library = CrossLingualSearch.load(words, fake_encoder)
    (hits,) = library.search(["sun.en"], 4, languages=["sw", "zh"], where={"odd": 0})
    assert [each["id"] for each in found["hits"]] == [each.id for each in hits]
    np.testing.assert_allclose([each["score"] for each in found["hits"]], [each.score for each in hits], atol=1e-5)
    assert set(found["hits"][0]) >= {"id", "text", "language", "score", "probability", "metadata"}
    assert found["hits"][0]["metadata"] == {"topic": "sun", "odd": 0}
    assert client.post("/v1/search", json={"query": "nonsense.en gibberish.en", "least": 1}).json()["hits"] == []
    for prefer in ("own", 0.9):
        dialled = client.post("/v1/search", json={**asked, "prefer": prefer}).json()
        (hits,) = library.search(["sun.en"], 4, languages=["sw", "zh"], where={"odd": 0}, prefer=prefer)
        assert [each["id"] for each in dialled["hits"]] == [each.id for each in hits]
    for hybrid, meant in (("off", "off"), (False, "off"), (True, "on"), ("auto", "auto")):
        by_words = client.post("/v1/search", json={**asked, "query": "noisesw4.sw", "hybrid": hybrid}).json()
        (hits,) = library.search(["noisesw4.sw"], 4, languages=["sw", "zh"], where={"odd": 0}, hybrid=meant)
        assert [each["id"] for each in by_words["hits"]] == [each.id for each in hits]
    anew = client.post("/v1/search", json={**asked, "rerank": True})
    assert anew.status_code == 422
    assert "gives no vectors of tokens" in anew.json()["detail"]  # which are of words
    as_fields = client.post("/v1/search", json={**asked, "where": {"odd": [0]}}).json()
    assert as_fields == found


def test_what_another_writes_is_found_without_a_new_start(client, words, fake_encoder):
    with SearchStore(words, fake_encoder) as store:
        store.upsert([Passage("new", "comet.en", "en")])
    assert client.post("/v1/search", json={"query": "comet.en", "k": 1}).json()["hits"][0]["id"] == "new"
    search = CrossLingualSearch.load(words, fake_encoder)
    search.remove(["new"])
    search.save(words)  # saved anew, not by the journal
    assert client.post("/v1/search", json={"query": "comet.en", "k": 1}).json()["hits"][0]["id"] != "new"


def test_what_is_acknowledged_is_in_the_folder_and_found(client, words, fake_encoder):
    passages = [{"id": f"c{n}", "text": f"comet.en tail{n}.en", "language": "en", "metadata": {"n": n}} for n in (1, 2)]
    answer = client.post("/v1/collections/words/passages", json={"passages": passages})
    assert answer.json() == {"collection": "words", "changed": 2, "passages": 47}
    assert "c2" in CrossLingualSearch.load(words, fake_encoder).collection
    assert client.post("/v1/search", json={"query": "comet.en", "k": 2, "where": "n>=1"}).json()["hits"]
    assert client.post("/v1/collections/words/remove", json={"ids": ["c1", "no"]}).status_code == 404
    assert client.post("/v1/collections/words/remove", json={"ids": ["c1", "c1", "c2"]}).json()["passages"] == 45
    assert len(CrossLingualSearch.load(words, fake_encoder)) == 45


def test_a_folder_that_another_writes_to_is_in_the_way(client, words):
    with CollectionStore(words):
        answer = client.post("/v1/collections/words/passages", json={"passages": [{"id": "a", "text": "b"}]})
    assert answer.status_code == 409
    assert str(words.parent) not in answer.text


FILES = {
    "a.csv": "id,text,language,year\n1,sun.en moon.en,en,2020\n2,jua.sw,sw,2021\n",
    "b.tsv": "id\ttext\tlanguage\tyear\n1\tsun.en moon.en\ten\t2020\n2\tjua.sw\tsw\t2021\n",
    "c.jsonl": '{"id": "1", "text": "sun.en moon.en", "year": 2020}\n{"id": 2, "text": "jua.sw"}\n',
    "d.txt": "sun.en moon.en\n\njua.sw\n",
    "e.tmx": '<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>sun.en moon.en</seg></tuv>'
    '<tuv xml:lang="sw"><seg>jua.sw</seg></tuv></tu></body></tmx>',
}


@pytest.mark.parametrize(("way", "name"), [*(("raw", each) for each in FILES), ("form", "a.csv")])
def test_a_collection_is_made_of_a_file_and_deleted(client, wait, tmp_path, name, way):
    if way == "raw":
        answer = client.post("/v1/collections", params={"name": "mine", "filename": name}, content=FILES[name])
    else:
        answer = client.post("/v1/collections", files={"file": (name, FILES[name])}, data={"name": "mine"})
    last = wait(client, answer)
    assert (last["state"], last["rows"]) == ("done", 2)
    assert not list((tmp_path / "data" / ".incoming").iterdir())
    hit = client.post("/v1/search", json={"query": "jua.sw", "collection": "mine", "k": 1}).json()["hits"][0]
    assert hit["text"] == "jua.sw"
    assert {each["name"] for each in client.get("/v1/collections").json()["collections"]} == {"words", "mine"}
    assert client.delete("/v1/collections/mine").status_code == 204
    assert client.get("/v1/collections/mine").status_code == 404
    assert not (tmp_path / "data" / "mine").exists()


def test_columns_of_other_names_and_rows_that_are_added(client, wait):
    said = {"name": "mine", "filename": "x.csv", "text_column": "Satz", "language_column": "Sprache", "id_column": "Nr"}
    wait(client, client.post("/v1/collections", params=said, content="Nr;Satz;Sprache\n7;sun.en;en\n8;sea.en;en\n"))
    more = client.post(
        "/v1/collections/mine/upload", params={"format": "jsonl"}, content='{"id": 8, "text": "fire.en"}\n'
    )
    assert wait(client, more)["rows"] == 1
    found = client.post("/v1/search", json={"query": "fire.en", "collection": "mine", "k": 1}).json()["hits"][0]
    assert found["id"] == "8"
    wrong = client.post(
        "/v1/collections", params={**said, "name": "other", "text_column": "Text"}, content="Nr;Satz\n1;a\n"
    )
    last = wait(client, wrong)
    assert last["problem"] == {"status": 422, "detail": "x.csv has no column 'Text'; it has: Nr, Satz"}


def test_made_collections_are_there_after_a_new_start(service, wait):
    with service() as client:
        wait(client, client.post("/v1/collections", params={"filename": "My File.txt"}, content="sun.en\nsea.en\n"))
    with service() as client:
        about = client.get("/v1/collections/my-file").json()
        assert (about["passages"], about["deletable"]) == (2, True)
        assert client.delete("/v1/collections/words").status_code == 403


def test_work_that_nobody_wants_makes_no_collection(service, fake_encoder, wait, tmp_path):
    lines = "".join(f"word{number}.en\n" for number in range(200))
    with service() as client:
        jobs = []

        class Cancelling(type(fake_encoder)):
            def encode(self, texts, *, role="symmetric", progress=False):
                if len(texts) > 10:
                    client.delete(f"/v1/jobs/{client.get('/v1/jobs').json()[0]['id']}")
                    jobs.append(len(texts))
                return super().encode(texts, role=role)

        client.app.catalogue.encoders._default._encoder = Cancelling()
        answer = client.post("/v1/collections", params={"name": "mine", "filename": "a.txt"}, content=lines)
        assert wait(client, answer)["state"] == "cancelled"
        assert jobs == [32]
        assert client.get("/v1/collections/mine").status_code == 404
    assert not (tmp_path / "data" / "mine").exists()


def test_embeddings_are_those_of_the_library(client, fake_encoder, words):
    asked = {"model": "fake-1", "input": ["sun.sw", "moon.en"]}
    answer = client.post("/v1/embeddings", json=asked).json()
    vectors = np.array([each["embedding"] for each in answer["data"]], np.float32)
    np.testing.assert_allclose(vectors, fake_encoder.encode(asked["input"]), atol=1e-6)
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    packed = client.post("/v1/embeddings", json={**asked, "encoding_format": "base64", "dimensions": 5}).json()
    short = np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4")
    np.testing.assert_allclose(short, vectors[0, :5] / np.linalg.norm(vectors[0, :5]), atol=1e-6)
    mapped = client.post("/v1/embeddings", json={**asked, "model": "fake-1@words:query", "language": "sw"}).json()
    search = CrossLingualSearch.load(words, fake_encoder)
    expected, _ = search.map_questions(asked["input"], "sw")
    np.testing.assert_allclose([each["embedding"] for each in mapped["data"]], expected, atol=1e-5)
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["fake-1", "fake-1@words"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"input": [1, 2]}, 422, "arrays of tokens are refused"),
        ({"input": [[1, 2], [3]]}, 422, "check_embedding_ctx_length=False"),
        ({"input": []}, 422, "input"),
        ({"input": 5}, 422, "a text or a list of texts is wanted"),
        ({"dimensions": 4096}, 422, "the model has 128"),
        ({"model": "text-embedding-3-small"}, 404, "there are: fake-1"),
        ({"model": "fake-1@no"}, 404, "there are: words"),
    ],
)
def test_embeddings_that_cannot_be_given_are_refused_with_the_way_out(client, change, status, said):
    answer = client.post("/v1/embeddings", json={"model": "fake-1", "input": "sun", **change})
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_documents_are_ordered(client, path):
    documents = ["king.en road.en", "sun.sw", {"text": "sun.en moon.en"}]
    asked = {"model": "fake-1", "query": "sun.en", "documents": documents, "top_n": 2, "return_documents": True}
    results = client.post(path, json=asked).json()["results"]
    assert {each["index"] for each in results} == {1, 2}
    assert results[0]["relevance_score"] >= results[1]["relevance_score"] >= 0
    assert ("document" in results[0]) == (path == "/v1/rerank")


def test_without_a_key_nothing_but_the_page_and_its_state_is_open(service, caplog):
    caplog.set_level(logging.INFO, "interlingua.serve")
    secret = "-".join(("a", "Secret", "1"))
    with service(keys=Keys([secret, "another"])) as client:
        for path in ("/", "/healthz", "/readyz"):
            assert client.get(path).status_code in (200, 503)
        for said in (None, "Bearer wrong", f"Bearer {secret.lower()}", f"Bearer {secret}x", secret, f"Basic {secret}"):
            headers = {} if said is None else {"authorization": said}
            answer = client.get("/v1/collections", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for headers in ({"authorization": f"Bearer {secret}"}, {"x-api-key": "another"}):
            assert client.get("/v1/collections", headers=headers).status_code == 200
        client.post("/v1/search", json={"query": "a private question"}, headers={"x-api-key": secret})
    noted = caplog.text.lower()
    assert secret.lower() not in noted
    assert "private" not in noted
    assert {json.loads(each.message)["status"] for each in caplog.records} >= {200, 401}


def test_other_names_and_other_pages_are_refused(service):
    with service(local=True) as client:
        assert client.get("/v1/models").status_code == 421  # testserver
        here = {"host": "localhost:8765"}
        assert client.get("/v1/models", headers=here).status_code == 200
        own = {**here, "origin": "http://localhost:8765"}
        asked = {"query": "sun"}
        assert client.post("/v1/search", json=asked, headers=own).status_code == 200
        other = client.post("/v1/search", json=asked, headers={**here, "origin": "https://evil.example"})
        assert (other.status_code, "access-control-allow-origin" in other.headers) == (403, False)
    with service(origins=["https://good.example"]) as client:
        answer = client.post("/v1/search", json=asked, headers={"origin": "https://good.example"})
        assert answer.headers["access-control-allow-origin"] == "https://good.example"


HOSTILE = [
    ("POST", "/v1/search", b"{", 400),
    ("POST", "/v1/search", b"", 422),
    ("POST", "/v1/search", b"[]", 422),
    ("POST", "/v1/search", b"null", 422),
    ("POST", "/v1/search", b'{"query": ""}', 422),
    ("POST", "/v1/search", b'{"query": "  \\n"}', 422),
    ("POST", "/v1/search", b'{"query": "\\ud800"}', 422),
    ("POST", "/v1/search", b'{"query": "a", "k": 0}', 422),
    ("POST", "/v1/search", b'{"query": "a", "k": 1e400}', 422),
    ("POST", "/v1/search", b'{"query": "a", "k": NaN}', 422),
    ("POST", "/v1/search", b'{"query": "a", "k": -1}', 422),
    ("POST", "/v1/search", b'{"query": "a", "kk": 1}', 422),
    ("POST", "/v1/search", b'{"query": ["a"]}', 422),
    ("POST", "/v1/search", b'{"query": "a", "prefer": 2}', 422),
    ("POST", "/v1/search", b'{"query": "a", "hybrid": "perhaps"}', 422),
    ("POST", "/v1/search", b'{"query": "a", "prefer": "own", "balance": true}', 422),
    ("POST", "/v1/search", b'{"query": "a", "where": "year >="}', 422),
    ("POST", "/v1/search", b'{"query": "a", "where": {"topic": {"sun": 1}}}', 422),
    ("POST", "/v1/search", b'{"query": "a", "where": {"topic": [["sun"]]}}', 422),
    ("POST", "/v1/search", b'{"query": "a", "where": "' + b"(" * 5000 + b'"}', 422),
    ("POST", "/v1/search", b'{"query": "a", "languages": []}', 422),
    ("POST", "/v1/search", b'{"query": "a", "languages": ["xx"]}', 422),
    ("POST", "/v1/search", b'{"query": "a", "collection": "../../etc/passwd"}', 422),
    ("POST", "/v1/search", b'{"query": "a", "collection": "other"}', 404),
    ("POST", "/v1/search", b'{"query": "' + b"a" * 40_000 + b'"}', 422),
    ("POST", "/v1/search", b"[" * 100_000, 400),
    ("POST", "/v1/search", b"\xff\xfe{", 400),
    ("POST", "/v1/search", b'{"query": "a", "x": "' + b"a" * 5_000_000 + b'"}', 413),
    ("GET", "/v1/search", None, 405),
    ("GET", "/page/..%2f..%2f..%2fpyproject.toml", None, 404),
    ("GET", "/page/%2e%2e/app.py", None, 404),
    ("POST", "/v1/collections?name=..%2Fx&filename=a.csv", b"text\na\n", 422),
    ("POST", "/v1/collections?name=ok&filename=a.exe", b"MZ", 415),
    ("POST", "/v1/collections?name=words&filename=a.csv", b"text\na\n", 409),
    ("POST", "/v1/collections/words/passages", b'{"passages": [{"id": "a", "text": "b", "metadata":{"text":1}}]}', 422),
    ("POST", "/v1/collections/words/passages", b'{"passages": []}', 422),
    ("POST", "/v1/collections/words/passages", b'{"passages": [{"id": "a", "text": "b", "language": "<b>"}]}', 422),
    ("POST", "/v1/collections/words/passages", b'{"passages": [{"id": "a", "text": "b", "metadata": {"n":NaN}}]}', 422),
    ("POST", "/v1/collections/words/remove", b'{"ids": ["no such"]}', 404),
    ("GET", "/v1/jobs/none", None, 404),
    ("POST", "/v1/classify", b'{"texts": ["a"], "language": "en"}', 404),
    ("POST", "/v1/rerank", b'{"query": "a", "documents": []}', 422),
    ("BREW", "/v1/search", None, 405),
]  # fmt: skip


def test_hostile_requests_are_refused_one_by_one_and_the_service_goes_on(client, words):
    for method, path, body, status in HOSTILE:
        answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
        place = (method, path, (body or b"")[:60], answer.text[:200])
        assert answer.status_code == status, place
        assert answer.headers["content-type"] == JSON, place
        assert set(answer.json()) == {"type", "title", "status", "detail", "message", "request_id"}, place
        assert len(answer.content) < 1500, place
        assert str(words.parent) not in answer.text, place
    assert client.post("/v1/search", json={"query": "sun.en"}).status_code == 200


def test_files_that_are_no_good_are_refused_by_their_job(client, wait):
    for number, (name, body, said) in enumerate(
        [
            ("a.csv", b"", "a.csv holds no text"),
            ("a.csv", b"words\nsun\n", "a.csv has no column 'text'"),
            ("a.csv", b"text,language\nsun\n", "a.csv, line 2"),
            ("a.jsonl", b'{"text": 5}\n', "a.jsonl, line 1"),
            ("a.txt", b"\xff\xfe\x00", "a.txt, line 1"),
            ("a.tmx", b"<tmx><!DOCTYPE a [<!ENTITY b 'c'>]>", "a.tmx"),
            ("../../a.csv", b"id,text\n1,a\n1,b\n", "a.csv, line 3"),
        ]
    ):
        answer = client.post("/v1/collections", params={"name": f"bad{number}", "filename": name}, content=body)
        last = wait(client, answer)
        assert (last["state"], last["problem"]["status"]) == ("failed", 422)
        assert last["problem"]["detail"].startswith(said), last
        assert client.get(f"/v1/collections/bad{number}").status_code == 404


def test_what_is_too_much_is_refused(service, wait):
    few = Limits(requests=1, upload=200, passages=2, characters=20, jobs=0)
    with service(limits=few) as client:
        over = client.post("/v1/collections", params={"filename": "a.txt"}, content=b"a" * 300)
        assert over.status_code == 413
        pieces = client.post("/v1/collections", params={"filename": "a.txt"}, content=(b"a" * 50 for _ in range(9)))
        assert pieces.status_code == 413
        waiting = client.post("/v1/collections", params={"filename": "a.txt"}, content=b"a")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (429, "1")
    with service(limits=Limits(passages=2, characters=20)) as client:
        for text, said in (("a\nb\nc\n", "at most 2 passages"), ("a" * 30, "at most 20 characters")):
            last = wait(client, client.post("/v1/collections", params={"filename": "a.txt"}, content=text))
            assert (last["problem"]["status"], said in last["problem"]["detail"]) == (413, True)


def test_the_map_has_a_point_for_each_passage_and_the_audit_a_verdict(client, words, fake_encoder):
    found = client.get("/v1/collections/words/map").json()
    after = np.frombuffer(base64.b64decode(found["after"]), "<f4").reshape(-1, 2)
    assert len(found["ids"]) == len(found["label"]) == len(after) == 45
    assert found["languages"] == ["en", "sw", "zh"]
    assert np.abs(after).max() == pytest.approx(1)
    before = np.frombuffer(base64.b64decode(found["before"]), "<f4").reshape(-1, 2)
    labels = np.array(found["label"])
    apart = [
        np.linalg.norm(each[labels == 0].mean(axis=0) - each[labels == 1].mean(axis=0)) for each in (before, after)
    ]
    assert apart[0] > 5 * apart[1]  # languages lie apart before, and together afterwards
    audit = client.get("/v1/collections/words/audit").json()
    assert (audit["before"]["biased"], audit["after"]["biased"]) == (True, False)
    assert client.get("/v1/collections/words/map", params={"limit": 7}).json()["passages"] == 45
    rows = client.post("/v1/collections/words/rows", json={"ids": ["en-sun", "no"]}).json()["rows"]
    assert rows == [{"id": "en-sun", "text": "sun.en noiseen0.en", "language": "en"}]


def test_the_document_names_every_route_with_examples_and_its_refusals(client):
    document = client.get("/openapi.json").json()
    for path in (
        "/v1/search",
        "/v1/embeddings",
        "/v1/rerank",
        "/v1/classify",
        "/v1/answer",
        "/v1/link",
        "/v1/translate",
    ):
        asked = document["paths"][path]["post"]
        name = asked["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][name]["examples"]
        assert JSON in asked["responses"]["422"]["content"]
    client.get("/v1/models")
    text = client.get("/metrics").text
    assert 'interlingua_requests_total{method="GET",route="/v1/models",status="200"} 1.0' in text
    assert 'interlingua_collection_rows{collection="words"} 45.0' in text


def test_folders_that_hold_nothing_are_refused_before_anything_is_served(tmp_path, fake_encoder, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError)):
        create_app({"empty": tmp_path / "empty"}, encoder=fake_encoder)
    with pytest.raises(ValueError, match="NAME=FOLDER"):
        create_app({words.name: words}, data=words.parent, encoder=fake_encoder)


def test_a_deleted_folder_is_served_no_more(client, words):
    words.rename(words.with_name("elsewhere"))
    assert client.post("/v1/search", json={"query": "sun.en"}).status_code == 404
    assert isinstance(client, TestClient)
