import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer

from interlingua.align import Embeddings, Normalization, SharedSpace, SpaceError, SpaceMap
from interlingua.align.arrays import MissingExtraError
from interlingua.align.language import Centring
from interlingua.align.space import HiddenLayer
from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache
from interlingua.pipelines.encoders.static import StaticEncoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder
from interlingua.pipelines.export import model as module
from interlingua.pipelines.export.model import to_sentence_transformers

PROMPTS = {"query": "query: ", "passage": "passage: "}
TEXTS = ["a b c", "z", "query the a b", "q w e r t y"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, write_tiny_model):
    folder = tmp_path_factory.mktemp("tiny-model")
    write_tiny_model(folder, PROMPTS)
    return TransformerEncoder(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def centred(encoder):
    rng = np.random.default_rng(0)
    texts = {name: [" ".join(rng.choice([*"abcdefgh"], 5)) for _ in range(9)] for name in ("de", "fr", "ja")}
    return Centring().fit({name: encoder.encode(each) for name, each in texts.items()}, encoder=encoder.identity).space_


def drawn_space(encoder, steps, *, matrix=None, names=("de", "fr")):
    rng = np.random.default_rng(len(steps))
    maps = {}
    for name in names:
        means = 0.1 * rng.standard_normal((sum(step == "centre" for step in steps), encoder.dimension))
        weights = None if matrix is None else rng.standard_normal((encoder.dimension, matrix)).astype(np.float32)
        maps[name] = SpaceMap(Normalization(steps, means.astype(np.float32)), weights)
    return SharedSpace(maps, "drawn", encoder.identity)


def assert_equal_to_ours(model, space, encoder, tasks):
    for role in ("symmetric", "query", "passage"):
        raw = encoder.encode(TEXTS, role=role)
        for language, task in tasks.items():
            options = {} if task is None else {"task": task}
            vectors = model.encode(TEXTS, prompt_name=role, **options)
            np.testing.assert_allclose(vectors, space.transform(raw, language), atol=1e-5)


def test_every_language_has_a_route_with_vectors_equal_to_ours(encoder, centred, tmp_path):
    path = to_sentence_transformers(centred, tmp_path / "new" / "model", encoder)
    model = SentenceTransformer(str(path))
    assert_equal_to_ours(model, centred, encoder, {name: name for name in centred.languages})
    raw = encoder.encode(TEXTS)
    assert np.abs(model.encode(TEXTS, task="de") - raw).max() > 0.1
    np.testing.assert_allclose(model.encode(TEXTS, task="de"), centred.transform(raw, "de"), atol=1e-5)
    assert model.get_embedding_dimension() == 32


@pytest.mark.parametrize(
    "steps",
    [(), ("unit",), ("centre",), ("unit", "centre"), ("centre", "unit", "unit"), ("unit", "centre") * 2 + ("unit",)],
    ids="-".join,
)
@pytest.mark.parametrize("matrix", [None, 32, 20])
def test_any_sequence_of_steps_is_written_with_and_without_a_matrix(encoder, tmp_path, steps, matrix):
    space = drawn_space(encoder, steps, matrix=matrix)
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {"de": "de", "fr": "fr"})
    assert model.get_embedding_dimension() == (matrix or 32)


@pytest.mark.parametrize("steps", [(), ("unit", "centre"), ("unit", "centre", "unit")], ids="-".join)
@pytest.mark.parametrize("matrix", [None, 32, 20])
def test_a_hidden_layer_is_written_as_two_dense_modules(encoder, tmp_path, steps, matrix):
    rng = np.random.default_rng(1)
    maps = {
        name: SpaceMap(
            each.normalization,
            each.matrix,
            HiddenLayer(*(rng.standard_normal(shape).astype(np.float32) for shape in ((32, 7), 7, (7, matrix or 32)))),
        )
        for name, each in drawn_space(encoder, steps, matrix=matrix).maps.items()
    }
    space = SharedSpace(maps, "head", encoder.identity)
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {"de": "de", "fr": "fr"})
    assert model.get_embedding_dimension() == (matrix or 32)


def test_one_language_needs_no_task(encoder, centred, tmp_path):
    path = to_sentence_transformers(centred, tmp_path / "model", encoder, language="fr")
    assert not list(path.glob("*Router*"))
    model = SentenceTransformer(str(path))
    assert_equal_to_ours(model, centred, encoder, {"fr": None})
    np.testing.assert_allclose(
        model.encode_query(TEXTS), centred.transform(encoder.encode(TEXTS, role="query"), "fr"), atol=1e-5
    )
    np.testing.assert_allclose(
        model.encode_document(TEXTS), centred.transform(encoder.encode(TEXTS, role="passage"), "fr"), atol=1e-5
    )


def test_our_own_loader_reads_the_export_of_one_language(encoder, centred, tmp_path):
    path = to_sentence_transformers(centred, tmp_path / "model", encoder, language="fr")
    again = TransformerEncoder(path, device="cpu", dtype="float32")
    assert dict(again.prompts) == dict(encoder.prompts)
    for role in ("symmetric", "query", "passage"):
        expected = centred.transform(encoder.encode(TEXTS, role=role), "fr")
        np.testing.assert_allclose(again.encode(TEXTS, role=role), expected, atol=1e-5)


def test_without_a_task_several_languages_are_an_error_and_never_the_first(encoder, centred, tmp_path):
    model = SentenceTransformer(str(to_sentence_transformers(centred, tmp_path / "model", encoder)))
    with pytest.raises(ValueError, match="task='de', task='fr' and task='ja'"):
        model.encode(TEXTS)
    with pytest.raises(ValueError, match="'sw'"):
        model.encode(TEXTS, task="sw")


def test_a_map_for_all_languages_serves_texts_without_task(encoder, tmp_path):
    space = drawn_space(encoder, ("unit", "centre"), names=("de", "*"))
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {"de": "de", "*": None})
    for name, role in (("query", "query"), ("document", "passage")):
        vectors = getattr(model, f"encode_{name}")(TEXTS)
        np.testing.assert_allclose(vectors, space.transform(encoder.encode(TEXTS, role=role), "*"), atol=1e-5)


def test_a_language_without_a_map_of_its_own_is_written_with_the_map_for_all(encoder, tmp_path):
    space = drawn_space(encoder, ("unit", "centre"), names=("de", "*"))
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder, language="sw")))
    assert_equal_to_ours(model, space, encoder, {"*": None})


def test_only_a_map_for_all_languages_needs_no_router(encoder, tmp_path):
    space = drawn_space(encoder, ("unit", "centre"), names=("*",))
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {"*": None})


def test_languages_whose_names_cannot_name_a_route_are_still_called_by_them(encoder, tmp_path):
    names = ("to", "zh/Hant", "sr.Latn", "keys", "de")
    space = drawn_space(encoder, ("unit", "centre"), names=names)
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {name: name for name in names})


def test_a_cached_encoder_and_a_name_give_the_same_folder(encoder, centred, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    cached = CachedEncoder(encoder, EmbeddingCache(tmp_path / "cache.sqlite"))
    folders = [
        to_sentence_transformers(centred, tmp_path / str(number) / "model", each)
        for number, each in enumerate((encoder, cached, encoder.folder, str(encoder.folder)))
    ]
    files = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")} for folder in folders]
    assert all(each == files[0] for each in files)


def test_modules_are_called_by_names_that_every_version_knows(encoder, centred, tmp_path):
    path = to_sentence_transformers(centred, tmp_path / "model", encoder)
    types = [each["type"] for each in json.loads((path / "modules.json").read_text())]
    kinds = ["Transformer", "Pooling", "Normalize", "Router"]
    assert types == [f"sentence_transformers.models.{kind}" for kind in kinds]
    (router,) = path.glob("*/router_config.json")
    types = set(json.loads(router.read_text())["types"].values())
    assert types == {"sentence_transformers.models.Dense", "sentence_transformers.models.Normalize"}


def test_the_encoders_own_settings_are_kept_as_they_were(encoder, centred, tmp_path):
    path = to_sentence_transformers(centred, tmp_path / "model", encoder)
    for name in ("sentence_bert_config.json", "tokenizer_config.json", "1_Pooling/config.json"):
        assert (path / name).read_bytes() == (encoder.folder / name).read_bytes()


@pytest.mark.parametrize("source", ["saved by the library", "plain transformers", "lower case"])
def test_settings_are_written_in_words_that_older_versions_know(encoder, tmp_path, source):
    folder = tmp_path / "encoder"
    if source == "plain transformers":
        shutil.copytree(encoder.folder, folder)
        for name in ("modules.json", "sentence_bert_config.json", "1_Pooling", "config_sentence_transformers.json"):
            (shutil.rmtree if (folder / name).is_dir() else Path.unlink)(folder / name)
    else:
        SentenceTransformer(str(encoder.folder)).save(str(folder), create_model_card=False)
        if source == "lower case":
            settings = json.loads((folder / "sentence_bert_config.json").read_text())
            (folder / "sentence_bert_config.json").write_text(json.dumps({**settings, "do_lower_case": True}))
    other = TransformerEncoder(folder, device="cpu", dtype="float32")
    path = to_sentence_transformers(drawn_space(other, ("unit",), names=("de",)), tmp_path / "model", other)
    wanted = {"max_seq_length": 64, "do_lower_case": source == "lower case"}
    assert json.loads((path / "sentence_bert_config.json").read_text()) == wanted
    pooling = json.loads((path / "1_Pooling" / "config.json").read_text())
    assert pooling.pop("word_embedding_dimension") == 32
    assert {name for name, value in pooling.items() if value} == {"pooling_mode_mean_tokens", "include_prompt"}
    assert len(pooling) == 7
    assert json.loads((path / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    np.testing.assert_allclose(SentenceTransformer(str(path)).encode(TEXTS), other.encode(TEXTS), atol=1e-5)


def test_a_default_language_serves_what_frameworks_call(encoder, centred, tmp_path):
    model = SentenceTransformer(str(to_sentence_transformers(centred, tmp_path / "m", encoder, default="ja")))
    assert_equal_to_ours(model, centred, encoder, {"de": "de", "ja": None})
    for name, role in (("query", "query"), ("document", "passage")):
        vectors = getattr(model, f"encode_{name}")(TEXTS)
        np.testing.assert_allclose(vectors, centred.transform(encoder.encode(TEXTS, role=role), "ja"), atol=1e-5)
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Without `task`, texts are taken for `ja`." in card
    with pytest.raises(SpaceError, match="must be one that is written, de, fr, ja, but is 'sw'"):
        to_sentence_transformers(centred, tmp_path / "other", encoder, default="sw")


def test_errors_list_languages_and_no_names_of_ours(encoder, tmp_path):
    space = drawn_space(encoder, ("unit", "centre"), names=("de", "*"))
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    with pytest.raises(ValueError, match="No route found for task type 'sw'") as refused:
        model.encode(TEXTS, task="sw")
    assert "all-languages" in str(refused.value)
    assert "route-" not in str(refused.value)


def test_the_weights_of_half_precision_models_are_written_in_float32(write_tiny_model, tmp_path):
    from transformers import BertModel

    (tmp_path / "half").mkdir()
    write_tiny_model(tmp_path / "half", PROMPTS)
    BertModel.from_pretrained(tmp_path / "half").half().save_pretrained(tmp_path / "half")
    encoder = TransformerEncoder(tmp_path / "half", device="cpu", dtype="float32")
    space = drawn_space(encoder, ("unit", "centre"))
    model = SentenceTransformer(str(to_sentence_transformers(space, tmp_path / "model", encoder)))
    assert_equal_to_ours(model, space, encoder, {"de": "de"})


def test_the_card_tells_how_it_was_learned_and_how_to_call_it(encoder, centred, tmp_path):
    space = SharedSpace(
        {**centred.maps, "no": centred.maps["de"]},
        "centring",
        encoder.identity,
        {"MRR": 0.8125},
        {"vectors": {"de": 9}, "share": 1 / 3, "tried": [{"head": "a|b"}] * 99},
    )
    path = to_sentence_transformers(space, tmp_path / "my-model", encoder, license="apache-2.0")
    card = (path / "README.md").read_text(encoding="utf-8")
    assert "to 1e-5 where both compute in float32" in card
    assert "up to about 3e-3 (a cosine of about 0.9999); interlingua computes in bfloat16 where" in card
    front = card.split("---")[1]
    for line in ("license: apache-2.0", '- "no"', "library_name: sentence-transformers"):
        assert line in front.splitlines()
    for said in (
        "# my-model",
        'task="de"',
        "| MRR | 0.8125 |",
        "| vectors | de 9 |",
        "| share | 0.3333 |",
        '| tried | [{"head": "a\\|b"}, {"head"',
        encoder.identity,
        space.fingerprint,
    ):
        assert said in card
    assert str(tmp_path) not in card


def test_the_example_of_the_card_runs(encoder, centred, tmp_path, monkeypatch):
    path = to_sentence_transformers(centred, tmp_path / "model", encoder)
    example = (path / "README.md").read_text(encoding="utf-8").split("```")[1].removeprefix("python\n")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example, names)  # noqa: S102
    expected = centred.transform(encoder.encode(["..."]), "de")
    np.testing.assert_allclose(names["vectors"], expected, atol=1e-5)


def test_the_licence_is_that_of_the_encoders_card(encoder, centred, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(encoder.folder, folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# base\n")
    base = TransformerEncoder(folder, device="cpu", dtype="float32")
    path = to_sentence_transformers(centred, tmp_path / "model", base)
    assert "\nlicense: cc-by-4.0\n" in (path / "README.md").read_text()
    plain = to_sentence_transformers(centred, tmp_path / "plain", encoder)
    assert "\nlicense:" not in (plain / "README.md").read_text()


def test_a_space_of_another_encoder_is_refused(encoder, centred, tmp_path):
    other = SharedSpace(centred.maps, "centring", "another encoder")
    with pytest.raises(SpaceError, match="another encoder"):
        to_sentence_transformers(other, tmp_path / "model", encoder)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_language_and_a_wrong_dimension_are_refused(encoder, centred, tmp_path):
    with pytest.raises(SpaceError, match="no language 'sw'; it has: de, fr, ja"):
        to_sentence_transformers(centred, tmp_path / "model", encoder, language="sw")
    small = SharedSpace({"de": SpaceMap(Normalization(("unit",), np.empty((0, 8), np.float32)))}, "drawn")
    with pytest.raises(SpaceError, match="dimension 8, but the encoder gives 32"):
        to_sentence_transformers(small, tmp_path / "model", encoder)


def test_word_vectors_are_refused(centred, tmp_path):
    words = StaticEncoder(Embeddings(("sun", "moon"), np.eye(2)))
    space = SharedSpace(centred.maps, "centring")
    with pytest.raises(TypeError, match=r"only sentence-transformers models .*`interlingua map`"):
        to_sentence_transformers(space, tmp_path / "model", words)


def test_what_is_there_already_is_not_touched(encoder, centred, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        with pytest.raises(FileExistsError, match="there already"):
            to_sentence_transformers(centred, tmp_path / name, encoder)
    assert (tmp_path / "full" / "note").read_text() == (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    to_sentence_transformers(centred, tmp_path / "empty", encoder)
    assert (tmp_path / "empty" / "modules.json").is_file()


def test_after_an_error_nothing_is_left(encoder, centred, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "model_card", fail)
    with pytest.raises(KeyboardInterrupt):
        to_sentence_transformers(centred, tmp_path / "model", encoder)
    assert list(tmp_path.iterdir()) == []


def test_maps_that_the_modules_do_not_compute_are_refused(encoder, centred, tmp_path):
    class Squared(SpaceMap):
        def transform(self, vectors):
            return super().transform(vectors) ** 2

    space = SharedSpace({"de": Squared(centred.maps["de"].normalization)}, "squares", encoder.identity)
    with pytest.raises(SpaceError, match="built-in modules"):
        to_sentence_transformers(space, tmp_path / "model", encoder)
    assert list(tmp_path.iterdir()) == []


def test_without_sentence_transformers_the_extra_is_named(encoder, centred, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sentence_transformers.sentence_transformer.modules", None)
    monkeypatch.setitem(sys.modules, "sentence_transformers.models", None)
    with pytest.raises(MissingExtraError, match=r"interlingua\[torch\]"):
        to_sentence_transformers(centred, tmp_path / "model", encoder)
