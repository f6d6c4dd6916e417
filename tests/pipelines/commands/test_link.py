"""The commands `link` and `entities`: tables in, tables out, and what is doubtful."""

import csv
import json

import numpy as np
import pytest

from interlingua.pipelines.link import Entity, EntityIndex

TOWNS = ("Berlin", "Paris", "Lima", "Cairo", "Tokyo", "Oslo", "Delhi", "Quito", "Accra", "Minsk", "Sofia", "Riga")


class Letters:
    """Encodes a text by its letters: alike is what is spelt alike."""

    dimension, identity = 64, "letters"
    prompts = {"symmetric": ""}  # noqa: RUF012

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            padded = f" {text.casefold()} "
            for place in range(len(padded) - 1):
                draw = np.random.default_rng(list(padded[place : place + 2].encode())).normal(size=self.dimension)
                rows[row] += draw
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def index(monkeypatch):
    entities = [Entity(name[:2].upper(), {"en": name}, types=("town",)) for name in TOWNS]
    made = EntityIndex.build([*entities, Entity("PA2", {"en": "Paris"})], Letters())
    monkeypatch.setattr(EntityIndex, "read", lambda path, encoder: made)
    return made


def rows_of(text):
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def test_other_columns_and_row_numbers_are_kept(cli, index, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text('no,city,note\n7,Berlin,"a, b"\n8,Xqzwv,\n9,Limma,c\n', encoding="utf-8")
    done = cli("link", "i", table, "--column", "city")
    assert done.code == 0
    found = rows_of(done.out)
    assert list(found[0]) == ["mention", "id", "name", "probability", "nil", "row", "no", "note"]
    assert [(each["mention"], each["row"], each["no"], each["note"]) for each in found] == [
        ("Berlin", "1", "7", "a, b"), ("Xqzwv", "2", "8", ""), ("Limma", "3", "9", "c")]  # fmt: skip
    assert (found[0]["id"], found[0]["nil"], found[1]["nil"]) == ("BE", "", "NIL")
    named = cli("link", "i", table, "--column", "city=mention", "--column", "note=context", "--json", "--quiet")
    assert [each["columns"]["no"] for each in json.loads(named.out)] == ["7", "8", "9"]


def test_doubtful_rows_come_first_where_that_is_asked(cli, index, tmp_path):
    table = tmp_path / "t.tsv"
    table.write_text("mention\nBerlin\nBerlun\nXqzwv\nParis\n", encoding="utf-8")
    found = json.loads(cli("link", "i", table, "--doubtful-first", "--json").out)
    away = [abs(each["probability"] - index.threshold) for each in found]
    assert away == sorted(away)
    assert sorted(each["row"] for each in found) == [1, 2, 3, 4]
    in_order = json.loads(cli("link", "i", table, "--json").out)
    assert [each["row"] for each in in_order] == [1, 2, 3, 4]
    paris = in_order[3]
    assert (paris["nil"], paris["probability"]) == (True, pytest.approx(0.5, abs=0.01))  # two are called so


def test_what_is_linked_to_nothing_says_what_helps(cli, index):
    said = " ".join(cli("link", "INDEX", "Xqzwv", "Oslo").err.split())
    for each in ("context", "--unknown", "interlingua entities accept INDEX MENTION ID"):
        assert each in said
    assert "accept" not in cli("link", "INDEX", "Oslo").err


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (["--column", "town"], "has no column 'town'; it has: city,note; --column NAME names the mentions", 1),
        ([], "has no column 'mention'; it has: city,note", 1),
        (["--column", "city=place"], "a column is mention, context, language", 2),
        (["--column", "city", "--column", "note"], "each once", 2),
    ],
)
def test_a_wrong_column_is_refused_in_clear_words(cli, index, tmp_path, options, said, code):
    table = tmp_path / "t.csv"
    table.write_text("city,note\nBerlin,a\n", encoding="utf-8")
    done = cli("link", "i", table, *options)
    assert done.code == code
    assert said.replace(" ", "") in "".join(done.err.split()).replace(", ", ",")


def test_columns_are_of_tables(cli, index):
    assert cli("link", "i", "Berlin", "--column", "city").code == 2


def test_any_file_that_is_there_is_a_table_and_no_mention(cli, index, tmp_path):
    table = tmp_path / "mentions.txt"
    table.write_text("mention;x\nBerlin;1\n", encoding="utf-8")
    assert [each["id"] for each in json.loads(cli("link", "i", table, "--json").out)] == ["BE"]
