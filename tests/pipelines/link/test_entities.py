"""Entities found by names of other languages, told apart by context, and refused where unknown."""

import gzip
import json
import threading

import numpy as np
import pytest

from interlingua.index import LockedError
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.entities import _NOTHING
from interlingua.pipelines.link.model import LinkModel
from interlingua.pipelines.link.names import NameTable, _best_places, centred, centred_by_script, folded_name
from interlingua.pipelines.link.sources import read_entity_table, read_wikidata

MEANINGS = {"deutschland": "germany", "alemania": "germany", "frankreich": "france", "georgien": "georgia"}


class Meaning:
    """Encodes the words of a text; words of one meaning have one vector."""

    dimension = 64
    identity = "meaning"
    prompts = {"symmetric": ""}  # noqa: RUF012

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = []
        for text in texts:
            words = [word.strip(":.,").lower() for word in text.split()]
            seeds = [sum(map(ord, MEANINGS.get(word, word))) * 31 + len(MEANINGS.get(word, word)) for word in words]
            rows.append(sum(np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds))
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


COUNTRIES = ("germany", "france", "norway", "kenya", "brazil", "japan", "india", "canada", "peru", "egypt", "chad")


@pytest.fixture(scope="module")
def entities():
    states = [Entity(name, {"en": name.title()}, types=("country",)) for name in COUNTRIES]
    return [
        *states,
        Entity("ge", {"en": "Georgia"}, description="caucasus armenia tbilisi", types=("country",)),
        Entity("us-ga", {"en": "Georgia"}, description="america florida atlanta", types=("state",)),
    ]


@pytest.fixture
def index(entities):
    return EntityIndex.build(entities, Meaning())


def test_names_of_other_languages_find_their_entity(index):
    for mention, id in (("Deutschland", "germany"), ("Alemania", "germany"), ("Frankreich", "france")):
        (found,) = index.link([mention], k=2)
        assert found[0].entity.id == id
        assert found[0].features["name"] > found[1].features["name"]
    assert [each[0].entity.id for each in index.link(["NORWAY", "ｋｅｎｙａ"])] == ["norway", "kenya"]


def test_probabilities_are_ordered_and_leave_room_for_none(index):
    for found in index.link(["Deutschland", "Georgia", "something else"], k=20):
        probabilities = [each.probability for each in found]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) < 1
        none = 1 - sum(probabilities)  # all 13 entities are among the candidates
        scores = [np.log(each / none) for each in probabilities if each > 1e-9]
        np.testing.assert_allclose([each.score for each in found[: len(scores)]], scores, rtol=1e-4, atol=1e-4)


def test_contexts_and_types_tell_namesakes_apart(index):
    contexts = ["armenia caucasus tbilisi", "florida america atlanta"]
    found = index.link(["Georgia", "Georgia"], contexts=contexts)
    assert [each[0].entity.id for each in found] == ["ge", "us-ga"]
    (only,) = index.link(["Georgia"], types=["state"], k=5)
    assert only[0].entity.id == "us-ga"
    assert {each.entity.id for each in only} == {"us-ga"}
    assert index.links(only)


def test_what_is_of_another_type_is_no_candidate_but_tells_that_another_is_not_meant(index):
    (found,) = index.link(["Norway"], types=["state"], k=5)
    assert {each.entity.id for each in found} == {"us-ga"}
    assert not index.links(found)
    assert index.link(["Norway"], types=["no such type"], k=5) == [[]]


@pytest.mark.parametrize("context", ["row 17", "17", "n/a", "no. 3", "imported yesterday", "-"])
def test_a_context_that_says_nothing_leaves_the_tie_of_namesakes(index, context):
    (bare,), (found,) = index.link(["Georgia"], k=2), index.link(["Georgia"], contexts=[context], k=2)
    assert {each.entity.id: each.probability for each in found} == {each.entity.id: each.probability for each in bare}
    assert found[0].features["context"] == 0.0
    assert not index.links(found)
    (told,) = index.link(["Georgia"], contexts=[f"{context} florida atlanta america"], k=2)
    assert (told[0].entity.id, index.links(told)) == ("us-ga", True)


def test_a_mention_is_linked_from_the_threshold_on_and_not_where_another_has_the_same(index):
    (found,) = index.link(["Norway"], k=2)
    assert index.links(found)
    assert not index.links(found, threshold=1.0)
    assert not index.links([])
    assert index.links(found[:1], threshold=found[0].probability)


def test_each_mention_may_have_its_language_and_all_are_asked_together(index):
    mentions = ["Deutschland", "Norway", "Georgia"]
    found = index.link(mentions, language=[None, "en", None], k=2)
    assert [each[0].features["language"] for each in found] == [0.0, 1.0, 0.0]
    plain = index.link(mentions, k=2)
    assert [each[0].entity.id for each in found] == [each[0].entity.id for each in plain]
    with pytest.raises(ValueError, match="3 mentions and 2"):
        index.link(mentions, language=["en", "de"])


def test_what_the_encoder_does_not_know_has_no_candidates_and_leaves_the_others(entities):
    class Words(Meaning):
        def encode(self, texts, *, role="symmetric", progress=False):
            for place, text in enumerate(texts):
                if "qwx" in text or text in _NOTHING:
                    raise UnknownTextError(place, "holds no known word")
            return super().encode(texts, role=role, progress=progress)

    index = EntityIndex.build(entities, Words())
    found = index.link(["qwx", "Norway", "qwx 2", "Georgia"], contexts=["", "", "", "qwx"])
    assert [each[0].entity.id if each else None for each in found] in ([None, "norway", None, "ge"],
                                                                      [None, "norway", None, "us-ga"])  # fmt: skip
    assert index.link(["qwx"]) == [[]]


def test_what_is_not_there_is_less_probable_than_what_is(index):
    known, unknown = index.link(["Germany", "Zanzibar"])
    assert known[0].probability > index.threshold
    assert unknown[0].probability < index.threshold


def test_the_model_is_a_conditional_logit():
    model = LinkModel((1.0, 0.0, 0.0, 0.0, 0.0), -0.5)
    features = np.zeros((2, 5), np.float32)
    features[:, 0] = [2.0, 1.0]
    e = np.exp([1.5, 0.5])
    np.testing.assert_allclose(model.probability(features), e / (1 + e.sum()), rtol=1e-6)


def test_another_share_of_unknown_mentions_changes_the_odds_alone():
    rng = np.random.default_rng(0)
    model, features = LinkModel((1.0, 0, 0, 0, 0, 0), -0.5), rng.normal(size=(3, 6))
    before, after = model.probability(features), model.with_unknown(0.2).probability(features)
    odds = (after / (1 - after.sum())) / (before / (1 - before.sum()))
    np.testing.assert_allclose(odds, 4.0, rtol=1e-6)  # 0.8 / 0.2, from even
    np.testing.assert_allclose(model.with_unknown(0.2).with_unknown(0.5).bias, model.bias)
    with pytest.raises(ValueError, match="between 0 and 1, but is 1"):
        model.with_unknown(1)


def test_the_share_of_unknown_mentions_is_found_from_the_mentions():
    rng, model = np.random.default_rng(1), LinkModel((1.0, 0, 0, 0, 0, 0), 0.0)
    # one candidate each; where it is right, x has the density phi(x - 1/2), else phi(x + 1/2): the logit is x
    for share in (0.1, 0.3, 0.7):
        right = rng.random(4000) > share
        groups = [np.array([[each, 0, 0, 0, 0, 0]]) for each in rng.normal(np.where(right, 0.5, -0.5))]
        assert model.with_unknown_of(groups).unknown == pytest.approx(min(share, 0.5), abs=0.05)
    assert model.with_unknown_of(groups[:1]).unknown == pytest.approx(0.5, abs=0.05)
    assert model.with_unknown_of([]) == model


def test_fewer_mentions_are_refused_where_fewer_are_unknown(index):
    few, many = (index.link(["Germany", "Zanzibar"], unknown=share) for share in (0.01, 0.99))
    assert all(one[0].probability > other[0].probability for one, other in zip(few, many))
    assert LinkModel.from_json(index.model.to_json()) == index.model


def test_accepted_names_are_found_and_kept(index, tmp_path):
    index.save(tmp_path / "countries")
    index = EntityIndex.load(tmp_path / "countries", Meaning())
    index.accept("Land der Franken", "france")
    again = EntityIndex.load(tmp_path / "countries", Meaning())
    for each in (index, again):
        assert each.link(["land der  franken"])[0][0].entity.id == "france"
        assert "Land der Franken" in each.get("france").aliases
    with pytest.raises(KeyError, match="no entity has the id"):
        again.accept("x", "atlantis")


def test_prefixes_suggest_and_types_are_counted(index):
    assert {each.id for each in index.suggest("ge")} == {"germany", "ge", "us-ga"}
    assert [each.id for each in index.suggest("GEO", types=["state"])] == ["us-ga"]
    assert index.types() == {"country": 12, "state": 1}


def test_tables_are_read_with_their_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("QID,name:en,name:de,aliases,capital\nQ1,Germany,Deutschland,FRG|BRD,Berlin\n", encoding="utf-8")
    (entity,) = read_entity_table(path, columns={"QID": "id"})
    assert entity == Entity(
        "Q1", {"en": "Germany", "de": "Deutschland"}, ("FRG", "BRD"), properties={"capital": ("Berlin",)}
    )
    path.write_text("id,label\n1,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs a column 'id' and one 'name'"):
        read_entity_table(path)


def test_a_wikidata_dump_is_streamed(tmp_path):
    def item(id, name, kind):
        claim = {"mainsnak": {"datavalue": {"value": {"id": kind}}}}
        labels = {"en": {"language": "en", "value": name}}
        return {
            "id": id,
            "type": "item",
            "labels": labels,
            "aliases": {},
            "descriptions": {},
            "claims": {"P31": [claim]},
        }

    lines = ["[", json.dumps(item("Q1", "Kenya", "Q6256")) + ",", json.dumps(item("Q2", "Nile", "Q4022")), "]"]
    with gzip.open(tmp_path / "dump.json.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    assert [each.id for each in read_wikidata(tmp_path / "dump.json.gz")] == ["Q1", "Q2"]
    assert [each.name for each in read_wikidata(tmp_path / "dump.json.gz", types=["Q6256"])] == ["Kenya"]


def test_labels_of_wikidata_are_found_with_their_region_and_mul_stands_in(tmp_path):
    def texts(**by_language):
        return {code.replace("_", "-"): {"language": code, "value": text} for code, text in by_language.items()}

    labels = [texts(en="Kenya", fr_CA="Kénya"), texts(mul="Nile"), texts(fr="Paris", fr_CA="Parisse", mul="P")]
    rows = [{"id": f"Q{n}", "type": "item", "labels": each, "aliases": {"mul": [{"value": f"alias {n}"}]}}
            for n, each in enumerate(labels)]  # fmt: skip
    (tmp_path / "dump.json").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = list(read_wikidata(tmp_path / "dump.json", languages=["fr"]))
    assert [dict(each.names) for each in found] == [{"fr-CA": "Kénya"}, {"mul": "Nile"}, {"fr": "Paris"}]
    assert [each.aliases for each in found] == [("alias 0",), ("alias 1",), ("alias 2",)]


def test_a_language_favours_names_in_it_with_a_region_or_mul_where_there_is_none():
    things = [
        Entity("a", {"fr-FR": "germany", "mul": "germany x"}),
        Entity("b", {"mul": "france", "en": "france x"}),
        Entity("c", {"en": "norway"}),
    ]
    index = EntityIndex.build(things, Meaning(), calibrate=False)
    found = index.link(["germany", "france", "norway"], language="FR", k=1)
    assert [(each[0].entity.id, each[0].features["language"]) for each in found] == [("a", 1.0), ("b", 1.0), ("c", 0.0)]


def test_what_cannot_be_indexed_is_refused(entities):
    with pytest.raises(ValueError, match="at least one entity"):
        EntityIndex.build([], Meaning())
    with pytest.raises(ValueError, match="different ids"):
        EntityIndex.build([entities[0], entities[0]], Meaning())
    assert folded_name("ＧＥＯＲＧＩＡ ") == folded_name("georgia")


def test_names_are_accepted_beside_links_and_by_two_indexes_of_one_folder(index, tmp_path):
    index.save(tmp_path / "kept")
    first, second = (
        EntityIndex.load(tmp_path / "kept", index.encoder),
        EntityIndex.load(tmp_path / "kept", index.encoder),
    )
    id = first.entities[0].id
    done, errors = threading.Event(), []

    def read():
        try:
            while not done.is_set():
                assert len(first.link([first.entities[0].name])[0]) == 1
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for number in range(6):
        (first, second)[number % 2].accept(f"another name {number}", id)
    done.set()
    reader.join(60)
    assert not reader.is_alive()
    assert not errors
    loaded = EntityIndex.load(tmp_path / "kept", index.encoder)
    assert {f"another name {number}" for number in range(6)} <= set(loaded.get(id).aliases)
    first.accept("one more", id)
    first.save(tmp_path / "kept")
    with pytest.raises(LockedError, match="was saved by someone else"):
        second.accept("too late", id)
    with pytest.raises(LockedError, match="was changed by someone else"):
        second.save(tmp_path / "kept")


def assert_tell_the_same(index, other, mentions):
    for one, two in zip(index.link(mentions, k=5), other.link(mentions, k=5), strict=True):
        assert [each.entity.id for each in one] == [each.entity.id for each in two]
        for each, its in zip(one, two):
            assert set(each.entity.aliases) == set(its.entity.aliases)
            assert each.features == pytest.approx(its.features, abs=1e-5)
            assert each.probability == pytest.approx(its.probability, abs=1e-4)


ACCEPTED = [("Bundesrepublik", "germany"), ("Kenia", "kenya"), ("frankreich", "france"), ("BRD", "germany")]


def test_accepting_gives_what_loading_gives_in_whichever_order(index, entities, tmp_path):
    for name in ("one", "other"):
        index.save(tmp_path / name)
    first, other = (EntityIndex.load(tmp_path / name, Meaning()) for name in ("one", "other"))
    for mention, id in ACCEPTED:
        first.accept(mention, id)
    for mention, id in reversed(ACCEPTED):
        other.accept(mention, id)
    mentions = [*(mention for mention, _ in ACCEPTED), "Alemania", "Georgia", "Kenya", "nobody"]
    loaded = EntityIndex.load(tmp_path / "one", Meaning())
    assert_tell_the_same(first, loaded, mentions)
    assert [found[0].entity.id for found in first.link([each for each, _ in ACCEPTED])] == [id for _, id in ACCEPTED]
    assert_tell_the_same(first, other, mentions)
    first.save(tmp_path / "saved again")
    assert_tell_the_same(first, EntityIndex.load(tmp_path / "saved again", Meaning()), mentions)


def test_accepting_makes_nothing_anew(index, tmp_path, monkeypatch):
    index.suggest("bund")
    index.save(tmp_path / "kept")
    index = EntityIndex.load(tmp_path / "kept", Meaning())
    index.suggest("bund")

    def refuse(*_, **__):
        raise AssertionError("made anew")

    with monkeypatch.context() as patch:
        for place in ("index.Collection.load", "pipelines.link.names.NameTable.__init__"):
            patch.setattr(f"interlingua.{place}", refuse)
        index.accept("Bundesrepublik", "germany")
        index.accept("Bundesland", "us-ga")
        with monkeypatch.context() as inner:
            inner.setattr("interlingua.pipelines.link.state.folded_name", refuse)
            assert [each.id for each in index.suggest("bund")] == ["us-ga", "germany"]
            assert [each.id for each in index.suggest("bund", types=["state"])] == ["us-ga"]


def test_what_is_kept_of_names_is_what_is_computed_and_of_other_names_is_not_used(index, entities, tmp_path):
    index.save(tmp_path / "kept")
    mentions = ["Alemania", "Georgia", "Georgien", "nobody"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("interlingua.pipelines.link.spelling.spelt_names", lambda names: 1 / 0)
        loaded = EntityIndex.load(tmp_path / "kept", Meaning())
    assert_tell_the_same(loaded, index, mentions)
    fewer = EntityIndex.build(entities[1:], Meaning(), calibrate=False)
    again = EntityIndex(entities[1:], Meaning(), fewer.collection, model=fewer.model, packed=index.table.packed())
    assert_tell_the_same(again, fewer, mentions)


def test_more_names_of_an_entity_count_as_its_others_do():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names, owners = [f"name {row}" for row in range(60)], np.repeat(np.arange(20), 3)[rng.permutation(60)]
    table = NameTable(names[:50], [""] * 50, owners[:50], vectors[:50])
    more = table.with_more(names[50:55], owners[50:55], vectors[50:55])
    more = more.with_more(names[55:], owners[55:], vectors[55:])
    x = vectors[:3] + 0.3 * rng.normal(size=(3, 16)).astype(np.float32)
    around, y = centred_by_script(["a", "b", "c"], x, table.mean), centred(vectors, table.mean)
    cosines = around @ y.T
    best = lambda scores: np.array([scores[owners == each].max() for each in range(20)])  # noqa: E731

    def typical(row):
        among = [(y[:50] @ y[row])[owners[:50] == each].max() for each in range(20) if each != owners[row]]
        return np.sort(among)[-10:].mean()

    hubness = np.array([typical(row) for row in range(60)])
    for row, near in enumerate(more.near(["a", "b", "c"], x)):
        own = np.sort(best(cosines[row]))[-10:].mean()
        scores = cosines[row] - (own + hubness) / 2
        assert near.owners.tolist() == list(range(20))
        np.testing.assert_allclose(near.name, best(scores), atol=1e-5)
    whole = NameTable(names, [""] * 60, owners, vectors)
    for one, other in zip(more.near(names[50:], vectors[50:]), whole.near(names[50:], vectors[50:])):
        np.testing.assert_array_equal(one.exact, other.exact)
        np.testing.assert_allclose(one.letters, other.letters, atol=1e-6)
        np.testing.assert_allclose(one.sounds, other.sounds, atol=1e-6)


@pytest.mark.parametrize("n", [1, 50, 700])
def test_the_best_places_are_those_of_a_sort(n):
    rng = np.random.default_rng(n)
    for scores in (rng.normal(size=9000), rng.integers(0, 5, 9000), np.where(rng.random(9000) < 0.99, -np.inf, 1.0)):
        found = _best_places(scores.astype(np.float32), n)
        assert len(set(found.tolist())) == n
        np.testing.assert_array_equal(np.sort(scores[found]), np.sort(scores)[-n:])
