"""The Reconciliation API without a network: queries, evidence, matches, extension, preview."""

import math

import pytest

from interlingua.pipelines.link.reconcile.preview import accepted_languages, direction, display_name
from interlingua.pipelines.link.reconcile.properties import PropertyEvidence
from interlingua.pipelines.link.reconcile.queries import Condition, ReconciliationError, parse_json
from interlingua.pipelines.link.reconcile.service import Reconciler

from .reconciliation_fixtures import SCHEMAS, THINGS, SmallIndex, Thing, validator

URL = "http://127.0.0.1:8000"


@pytest.fixture
def service():
    return Reconciler(SmallIndex())


def only(service, **query):
    answer = service.reconcile({"q": query})
    validator("0.2", "reconciliation-result-batch.json")(answer)
    return answer["q"]["result"]


def test_the_best_candidate_is_first_and_alone_above_the_threshold_it_matches(service):
    found = only(service, query="Deutschland")
    assert (found[0]["id"], found[0]["match"], found[0]["score"]) == ("DE", True, 98.0)
    assert [each["score"] for each in found] == sorted((each["score"] for each in found), reverse=True)
    assert not any(each["match"] for each in found[1:])
    assert {each["id"] for each in found[0]["features"]} == {"name", "spelling"}


def test_namesakes_above_the_threshold_match_neither(service):
    found = only(service, query="Georgia")
    assert {each["id"] for each in found[:2]} == {"GE", "US-GA"}
    assert not any(each["match"] for each in found)
    # with one candidate asked for, the hidden namesake still counts
    assert [each["match"] for each in only(service, query="Georgia", limit=1)] == [False]


def test_nothing_below_the_threshold_matches(service):
    assert not any(each["match"] for each in only(service, query="Germanie"))
    assert only(Reconciler(SmallIndex(), threshold=0.3), query="Germanie")[0]["match"]


def test_a_property_decides_between_namesakes(service):
    found = only(service, query="Georgia", properties=[{"pid": "capital", "v": "TBILISI"}])
    assert (found[0]["id"], found[0]["match"]) == ("GE", True)
    assert found[0]["score"] > 98.0 > found[1]["score"]
    features = {each["id"]: each["value"] for each in found[0]["features"]}
    assert features["properties"] == pytest.approx(math.log(0.9 / (1 / 4)), abs=1e-4)
    assert features["probability"] == pytest.approx(0.98)


@pytest.mark.parametrize(
    "said",
    [{"pid": "no such column", "v": "17"}, {"pid": "capital", "v": "Tiflis"}, {"pid": "region", "v": "West Asia"},
     {"pid": "code", "v": ""}, {"pid": "capital", "v": None}, {"pid": "capital", "v": [None, "row 17"]}],
)  # fmt: skip
def test_a_value_that_no_entity_has_leaves_the_tie_of_namesakes(service, said):
    bare = {each["id"]: each["score"] for each in only(service, query="Georgia")}
    found = only(service, query="Georgia", properties=[said])
    assert {each["id"]: each["score"] for each in found} == pytest.approx(bare)
    assert not any(each["match"] for each in found)
    assert all(asked["contexts"] is None for asked in service.index.asked)
    exact = only(service, query="Georgia", properties=[said, {"pid": "capital", "v": "Atlanta"}])
    assert (exact[0]["id"], exact[0]["match"]) == ("US-GA", True)


def test_numbers_and_days_are_compared_as_what_they_are():
    things = [
        Thing("a", {"en": "a"}, properties={"n": "3700000", "born": "1991-04-09", "x": "1234"}),
        Thing("b", {"en": "b"}, properties={"n": "3.5", "born": "1991-05-01", "x": "1.234"}),
        Thing("c", {"en": "c"}, properties={"n": "250", "born": "1990", "x": "5"}),
    ]
    evidence = PropertyEvidence(things)
    one, two = math.log(0.9 / (1 / 3)), math.log(0.9 / (2 / 3))
    for name, value, id, weight in (
        *(("n", value, "a", one) for value in
          ("3,700,000", "3.700.000", "3 700 000", "3\u202f700\u202f000", "3'700'000", "37,00,000",
           "٣٬٧٠٠٬٠٠٠", "3.7e6")),
        ("n", "3,5", "b", one), ("x", "1,234", "a", one), ("x", "1.234", "b", one),
        ("born", "1991", "a", two), ("born", "1991", "b", two), ("born", "1991-04", "a", one),
        ("born", "+1991-04-09T00:00:00Z", "a", one), ("born", "1990-12-31", "c", one), ("born", "1991-04-10", "a", 0.0),
    ):  # fmt: skip
        condition = Condition(name, (value,))
        assert evidence.weight(id, condition) == pytest.approx(weight), value
        assert evidence.holds(id, condition) == bool(weight)
        assert (id in evidence.agreeing(condition, 9)) == bool(weight)
    assert not evidence.holds("c", Condition("n", ("251",), quantifier="all"))


def test_any_amount_of_evidence_gives_a_probability(service):
    many = [{"pid": "region", "v": "Asia"}, {"pid": "capital", "v": "Tbilisi"}] * 50
    assert only(service, query="Georgia", properties=many)[0]["score"] == 100.0
    assert only(service, query="Germany", properties=many)[0]["id"] in ("DE", "GE")
    for too_many in ({"properties": many * 4}, {"type": [str(n) for n in range(1000)]},
                     {"properties": [{"pid": "code", "v": [str(n) for n in range(101)]}]}):  # fmt: skip
        with pytest.raises(ReconciliationError, match=r"there may be 100 .* of query 'q'") as caught:
            only(service, query="Georgia", **too_many)
        assert caught.value.status == 413


def test_evidence_is_the_log_likelihood_ratio():
    evidence = PropertyEvidence(THINGS)
    europe = Condition("region", ("europe",))
    assert evidence.weight("DE", europe) == pytest.approx(math.log(0.9 / 0.5))
    assert evidence.weight("GE", europe) == pytest.approx(math.log(0.1 / 0.5))
    assert evidence.weight("X<1>", europe) == 0.0  # it has no such property
    assert evidence.weight("DE", Condition("region", ("Atlantis",))) == 0.0
    assert evidence.weight("DE", Condition("no such", ("Europe",))) == 0.0
    assert evidence.weight("US-GA", Condition("code", ("13.0",))) == 0.0  # every entity with a code has it
    both = Condition("region", ("Europe", "Asia"))
    assert evidence.weight("DE", both) == pytest.approx(math.log(0.9 / 0.75))
    assert evidence.weight("DE", Condition("region", ("Europe",), quantifier="none")) < 0
    assert evidence.holds("US-GA", Condition("code", ("13", "GA"), quantifier="all"))
    assert not evidence.holds("DE", Condition("region", ("Europe", "Asia"), quantifier="all"))


def test_a_query_of_properties_alone_finds_entities_that_have_them(service):
    found = only(service, properties=[{"pid": "capital", "v": "Paris"}, {"pid": "region", "v": "Europe"}])
    assert [each["id"] for each in found] == ["FR", "DE"]
    assert found[0]["score"] > 50 > found[1]["score"]


def test_an_entity_whose_name_is_not_found_comes_by_a_rare_value():
    class OneOnly(SmallIndex):
        def link(self, mentions, **named):
            return [each[:1] for each in super().link(mentions, **named)]

    found = only(Reconciler(OneOnly()), query="Georgia", properties=[{"pid": "capital", "v": "Paris"}])
    assert [each["id"] for each in found] == ["GE", "FR"]
    assert not any(each["match"] for each in found)


def test_types_are_required_or_preferred(service):
    assert [each["id"] for each in only(service, query="Georgia", type="state")] == ["US-GA"]
    assert [each["id"] for each in only(service, query="Georgia", type=["state", "region"], type_strict="all")] == [
        "US-GA"
    ]
    assert only(service, query="Georgia", type=["state", "country"], type_strict="all") == []
    found = only(service, query="Georgia", type="state", type_strict="should")
    assert [each["id"] for each in found[:2]] == ["US-GA", "GE"]
    assert [each["match"] for each in found[:2]] == [True, False]
    assert only(service, query="Georgia", type="no such type") == []


def test_an_id_finds_its_entity(service):
    found = only(service, query="FR")
    assert (found[0]["id"], found[0]["score"], found[0]["match"]) == ("FR", 100.0, True)


def test_the_name_is_in_the_language_asked_for(service):
    answer = service.reconcile({"q": {"query": "Frankreich"}}, ["fr", "de", "en"])
    assert answer["q"]["result"][0]["name"] == "Frankreich"
    assert only(service, query="Frankreich")[0]["name"] == "France"
    assert display_name(Thing("9", {}), ["de"]) == "9"
    assert display_name(Thing("9", {"en": "one", "mul": "all", "de-AT": "eins"}), ["de", "fr"]) == "eins"
    assert display_name(Thing("9", {"en": "one", "mul": "all"}), ["fr", "en"]) == "one"
    assert display_name(Thing("9", {"en": "one", "mul": "all"}), ["fr"]) == "all"


def test_limits_hold_and_an_empty_text_finds_nothing(service):
    assert len(only(service, query="Georgia", limit=2)) == 2
    assert len(only(service, query="Georgia", limit=1e3)) == len(THINGS)
    assert only(service, query="  ") == []
    assert service.reconcile({}) == {}


def test_what_is_null_or_empty_was_not_sent_and_cells_may_be_numbers(service):
    plain = only(service, query="Georgia")
    for query in (
        {"limit": None, "type": None, "type_strict": None, "properties": None}, {"type": ""}, {"type": ["", None]},
        {"limit": 0}, {"properties": []}, {"properties": [{"pid": "capital", "v": None}]},
    ):  # fmt: skip
        assert only(service, query="Georgia", **query) == plain
    for cell, text in ((1984, "1984"), (1984.0, "1984"), (1.5, "1.5"), (True, "true")):
        only(service, query=cell)
        assert service.index.asked[-1]["mentions"] == [text]
    answer = service.match({"queries": [
        {"conditions": [{"matchType": "name", "propertyValue": "Georgia", "required": None, "matchQuantifier": None}],
         "type": None, "lang": None, "limit": None},
        {"conditions": [{"matchType": "name", "propertyValue": "Georgia"}], "type": "", "lang": "", "limit": 0},
    ]})  # fmt: skip
    assert [[each["id"] for each in one["candidates"]] for one in answer["results"]] == [[e["id"] for e in plain]] * 2


def test_the_draft_has_arrays_names_of_features_and_directions(service):
    answer = service.match(
        {
            "queries": [
                {"conditions": [{"matchType": "name", "propertyValue": "ألمانيا"}], "lang": "ar", "type": "country"},
                {"conditions": [{"matchType": "id", "propertyValue": "GE"}]},
                {
                    "conditions": [
                        {"matchType": "name", "propertyValue": ["Georgia", "Georgien"]},
                        {"matchType": "property", "propertyId": "region", "propertyValue": "Asia",
                         "matchQuantifier": "none", "required": True, "matchQualifier": "ExactMatch"},
                    ],
                    "limit": 2,
                },
            ]
        },
        ["ar"],
    )  # fmt: skip
    validator("1.0-draft", "reconciliation-result-batch.json")(answer)
    first, second, third = (each["candidates"] for each in answer["results"])
    assert (first[0]["id"], first[0]["name"], first[0]["dir"], first[0]["match"]) == ("DE", "ألمانيا", "rtl", True)
    assert service.index.asked[0]["language"] == "ar"
    assert [each["id"] for each in second] == ["GE"]
    assert "GE" not in {each["id"] for each in third}
    assert third[0]["id"] == "US-GA"


@pytest.mark.parametrize(
    "query",
    [
        None, [], "text", {}, {"query": None}, {"query": []}, {"query": "a", "limit": -3},
        {"query": "a", "limit": "x"}, {"query": "a", "limit": 2.5}, {"query": "a", "limit": float("nan")},
        {"query": "a", "limit": True}, {"query": "a", "type": 3}, {"query": "a", "type": [3]},
        {"query": "a", "type_strict": "some"}, {"query": "a", "type_strict": []}, {"query": "a", "properties": {}},
        {"query": "a", "properties": ["p"]}, {"query": "a", "properties": [{"pid": "p"}]},
        {"query": "a", "properties": [{"v": "p"}]},
        {"query": "a", "properties": [{"pid": "p", "v": [{"name": "n"}]}]}, {"properties": []},
    ],
)  # fmt: skip
def test_a_query_that_is_not_as_specified_is_refused_with_its_key(service, query):
    with pytest.raises(ReconciliationError, match="'q7'") as caught:
        service.reconcile({"q7": query})
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "query",
    [
        3, {}, {"conditions": []}, {"conditions": [{}]}, {"conditions": [{"matchType": "name"}]},
        {"conditions": [{"matchType": "colour", "propertyValue": "a"}]},
        {"conditions": [{"matchType": "property", "propertyValue": "a"}]},
        {"conditions": [{"matchType": "name", "propertyValue": "a", "matchQuantifier": "none"}]},
        {"conditions": [{"matchType": "name", "propertyValue": "a", "matchQualifier": "WildcardMatch"}]},
        {"conditions": [{"matchType": "property", "propertyId": "p", "propertyValue": "a", "required": 1}]},
        {"conditions": [{"matchType": "name", "propertyValue": "a"}], "lang": 3},
        {"conditions": [{"matchType": "name", "propertyValue": "a"}], "type": ["a", "b"]},
    ],
)  # fmt: skip
def test_a_draft_query_that_is_not_as_specified_is_refused(service, query):
    with pytest.raises(ReconciliationError):
        service.match({"queries": [query]})


def test_batches_are_bounded(service):
    small = Reconciler(SmallIndex(), batch=2)
    with pytest.raises(ReconciliationError, match="at most 2 queries, but this one has 3") as caught:
        small.reconcile({str(number): {"query": "a"} for number in range(3)})
    assert caught.value.status == 413
    with pytest.raises(ReconciliationError, match="array"):
        service.match({"queries": {}})


def test_odd_texts_are_made_harmless(service):
    only(service, query="a\ud800\x00b\n c" + "d" * 5000)
    mention = service.index.asked[-1]["mentions"][0]
    assert mention.encode("utf-8")
    assert len(mention) == 1000
    with pytest.raises(ReconciliationError, match="nested too deeply"):
        parse_json("[" * 100_000, "it")


@pytest.mark.parametrize("api", ["0.2", "1.0-draft"])
def test_manifests_are_as_the_schemas_say(api):
    validator(api, "manifest.json")(Reconciler(SmallIndex()).manifest(URL + "/", api))
    other = Reconciler(SmallIndex(), view="https://example.org/{{id}}", identifiers="https://example.org/", batch=7)
    manifest = other.manifest(URL, api)
    validator(api, "manifest.json")(manifest)
    assert manifest["view"]["url"] == ("https://example.org/{{id}}" if api == "0.2" else "https://example.org/{id}")
    assert manifest["batchSize"] == 7
    assert manifest["defaultTypes"][0]["id"] == "country"


def test_settings_are_checked():
    with pytest.raises(ValueError, match="threshold"):
        Reconciler(SmallIndex(), threshold=1.5)
    with pytest.raises(ValueError, match="id"):
        Reconciler(SmallIndex(), view="https://example.org/")


@pytest.mark.parametrize("api", ["0.2", "1.0-draft"])
def test_suggestions_are_as_the_schemas_say(service, api):
    schemas = {"entity": "suggest-entities", "property": "suggest-properties", "type": "suggest-types"}
    for kind, name in schemas.items():
        for prefix in ("", "c", "Ge"):
            validator(api, f"{name}-response.json")(service.suggest(kind, prefix))
    assert [each["id"] for each in service.suggest("entity", "georg")["result"]] == ["GE", "US-GA"]
    assert [each["id"] for each in service.suggest("entity", "georg", limit=1, offset=1)["result"]] == ["US-GA"]
    assert [each["id"] for each in service.suggest("entity", "DE")["result"]] == ["DE"]
    assert [each["id"] for each in service.suggest("property", "")["result"]] == ["capital", "region", "code", "k<"]
    assert [each["id"] for each in service.suggest("type", "Re")["result"]] == ["region"]
    with pytest.raises(ReconciliationError) as caught:
        service.suggest("planet", "a")
    assert caught.value.status == 404


@pytest.mark.parametrize("api", ["0.2", "1.0-draft"])
def test_extension_gives_properties_and_names(service, api):
    wanted = ["capital", "code", "name:de", "description", "aliases", "types"]
    query = {"ids": ["US-GA", "DE", "gone"], "properties": [{"id": each} for each in wanted]}
    query["properties"][1]["settings"] = {"limit": "1"}
    answer = service.extend(query, api)
    validator(api, "data-extension-response.json")(answer)
    rows = answer["rows"]
    if api == "1.0-draft":
        rows = {row["id"]: {each["id"]: each["values"] for each in row["properties"]} for row in rows}
    assert rows["US-GA"]["code"] == [{"str": "13"}]
    assert rows["DE"]["name:de"] == [{"str": "Deutschland"}]
    assert rows["DE"]["aliases"] == [{"str": "FRG"}]
    assert rows["gone"] == {each: [] for each in wanted}
    assert [each["id"] for each in answer["meta"]] == wanted


@pytest.mark.parametrize(
    "query",
    [
        None, [], {}, {"ids": "DE", "properties": []}, {"ids": [1], "properties": []}, {"ids": [], "properties": [{}]},
        {"ids": [], "properties": ["capital"]}, {"ids": [], "properties": [{"id": "no such"}]},
        {"ids": [], "properties": [{"id": "capital", "settings": 3}]},
        {"ids": [], "properties": [{"id": "capital", "settings": {"limit": "x"}}]},
        {"ids": ["DE"] * 30_000, "properties": [{"id": "capital"}]},
    ],
)  # fmt: skip
def test_an_extension_that_is_not_as_specified_is_refused(service, query):
    with pytest.raises(ReconciliationError):
        service.extend(query)


@pytest.mark.parametrize("api", ["0.2", "1.0-draft"])
def test_properties_are_proposed_by_type(service, api):
    for kind in ("country", "state", None, "no such"):
        validator(api, "data-extension-property-proposal.json")(service.propose_properties(kind))
    assert [each["id"] for each in service.propose_properties("country", 2)["properties"]] == ["capital", "region"]
    found = {each["id"] for each in service.propose_properties("country")["properties"]}
    assert {"name:ar", "description", "aliases"} <= found
    assert "code" not in found
    assert service.propose_properties("no such")["properties"] == []


def test_the_preview_is_escaped_and_knows_directions(service):
    page = service.preview("X<1>")
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in service.flyout("entity", "X<1>")["html"]
    assert "<" not in service.flyout("property", "k<")["html"].replace("<p><b>", "").replace("</b>", "")[:-4]
    assert '<dd dir="rtl">ألمانيا</dd>' in service.preview("DE")
    assert '<h1 dir="rtl">ألمانيا</h1>' in service.preview("DE", ["ar"])
    for kind, one in (("entity", "gone"), ("type", "gone"), ("planet", "DE")):
        with pytest.raises(ReconciliationError) as caught:
            service.flyout(kind, one)
        assert caught.value.status == 404


def test_languages_of_a_header_are_in_order_of_preference():
    assert accepted_languages("en;q=0.5, de-AT , *;q=0.1, fr;q=0, x;q=a") == ["de-AT", "de", "en"]
    assert accepted_languages("") == []
    assert (direction("123 abc"), direction("٣ ألف"), direction("…")) == ("ltr", "rtl", "ltr")


def test_the_schemas_refuse_what_is_wrong():
    from jsonschema import ValidationError

    assert SCHEMAS["notice"]
    for version in ("0.2", "1.0-draft"):
        for name, wrong in (
            ("manifest.json", {"versions": ["0.1"], "name": "x"}),
            ("reconciliation-result-batch.json", {"results": {}, "q": {"result": [{"id": "x"}]}}),
            ("suggest-types-response.json", {"result": [{"id": "x"}]}),
        ):
            with pytest.raises(ValidationError):
                validator(version, name)(wrong)
