"""Entities from tables whose columns mean the same, and from dumps with what is no entity."""

import json

import pytest

from interlingua.pipelines.link.sources import read_entity_table, read_wikidata


def test_several_columns_of_aliases_are_joined(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("id,name:en,a,alias,aliases\n1,Rome,Roma,Urbs|SPQR,\n2,Paris,,,Lutetia\n")
    found = read_entity_table(path, columns={"a": "aliases"})
    assert [each.aliases for each in found] == [("Roma", "Urbs", "SPQR"), ("Lutetia",)]


@pytest.mark.parametrize("meaning", ["name:en", "id", "description", "area"])
def test_two_columns_of_one_meaning_are_refused(tmp_path, meaning):
    path = tmp_path / "e.csv"
    path.write_text("id,name:en,description,area,other\n1,Rome,city,1285,x\n")
    with pytest.raises(ValueError, match=f"'{meaning}' and 'other' both mean '{meaning}'"):
        read_entity_table(path, columns={"other": meaning})


def test_empty_cells_beyond_the_first_line_and_empty_rows_are_nothing(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("id,name\n1,Foo,,\n,\n , ,\n2,Bar\n")
    assert [each.id for each in read_entity_table(path)] == ["1", "2"]
    path.write_text("id,name\n1,Foo,,x\n")
    with pytest.raises(ValueError, match="line 2: expected 2 columns"):
        read_entity_table(path)


def entity(number, **labels):
    said = {tag.replace("_", "-"): {"value": text} for tag, text in labels.items()}
    return {"type": "item", "id": f"Q{number}", "labels": said}


def dump(path, *values):
    path.write_text("".join(json.dumps(each) + "\n" for each in values))
    return path


def test_names_for_several_languages_and_of_regions_are_names_and_what_has_none_is_counted(tmp_path):
    path = dump(tmp_path / "w.json", entity(1, mul="Rome"), entity(2, en_gb="Colour"), entity(3, fr="Paris"),
                {"type": "property", "id": "P31", "labels": {"en": {"value": "instance of"}}})  # fmt: skip
    with pytest.warns(UserWarning, match=r"w\.json: 1 entities left out, without a name in en"):
        found = list(read_wikidata(path, languages=["en"]))
    assert [(each.id, *each.names.values()) for each in found] == [("Q1", "Rome"), ("Q2", "Colour")]
    assert [each.id for each in read_wikidata(path)] == ["Q1", "Q2", "Q3"]


@pytest.mark.parametrize(
    "value", [{"id": "Q2", "labels": ["x"]}, {"id": "Q2", "labels": {"en": {"language": "en"}}}, {"id": 7}]
)
def test_what_is_no_entity_is_named_by_file_and_line(tmp_path, value):
    with pytest.raises(ValueError, match=r"w\.json, line 2: "):
        list(read_wikidata(dump(tmp_path / "w.json", entity(1, en="Rome"), value)))


@pytest.mark.parametrize("text", ["[" * 20_000, '{"id": "Q1", "x": ' + "9" * 5000 + "}"])
def test_json_that_python_refuses_is_named_by_file_and_line(tmp_path, text):
    path = tmp_path / "w.json"
    path.write_text(text + "\n")
    with pytest.raises(ValueError, match=r"w\.json, line 1: "):
        list(read_wikidata(path))
