"""What every reader of text keeps: marks, compression, line ends and blank ends do not matter, faults have places."""

import bz2
import gzip
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlingua.pipelines.answer.respond import read_exchanges
from interlingua.pipelines.graphs import KnowledgeGraph, read_graph, read_graph_pair
from interlingua.pipelines.graphs.graph import GraphPair, read_links, read_positions
from interlingua.pipelines.link.sources import read_entity_table, read_wikidata
from interlingua.pipelines.mine.documents import Document
from interlingua.pipelines.texts import lines as module
from interlingua.pipelines.texts.corpus import read_corpus
from interlingua.pipelines.texts.labelled import read_conll, read_labelled
from interlingua.pipelines.texts.lines import UniqueLines, numbered_lines, open_lines
from interlingua.pipelines.texts.pairs import read_pairs
from interlingua.pipelines.texts.passages import read_passage_file
from interlingua.pipelines.texts.tables import open_table, read_columns

GRAPH = KnowledgeGraph.from_triples([("ex/Köln", "in", "ex/NRW"), ("ex/Bonn", "in", "ex/NRW")])


def _text(path: Any) -> list[str]:
    with open_lines(path) as lines:
        return [line for line in lines if line.strip()]


def _pairs(path: Any) -> list[Any]:
    return list(read_pairs(path))


def _corpus(path: Any) -> list[str]:
    return list(read_corpus({"de": path})[0].sources["de"])


def _rows(path: Any) -> list[tuple[int, dict[str, Any]]]:
    return list(open_table(path).rows)


def _sorted(graph: KnowledgeGraph) -> Any:
    return graph.entities, graph.names, graph.relations, graph.triples.tolist(), graph.attributes, graph.other_names


def _moses(path: Path) -> list[Any]:
    other = path.with_name(f"other.fr{''.join(path.suffixes[1:])}")
    other.write_bytes(path.read_bytes())
    return list(read_pairs([path, other], keep=["identical"]))


def _folder(path: Path) -> Any:
    pair = read_graph_pair(path.parent)
    return _sorted(pair.left), _sorted(pair.right), {name: links.tolist() for name, links in pair.links.items()}


@dataclass(frozen=True)
class Reader:
    """A reader of files of some name, what it is tried with, and the line that is spoilt."""

    file: str
    content: str
    read: Callable[[Any], Any]
    spoilt: int = 2
    column: str = ""  # one that it must have
    from_input: bool = False
    blank_end: bool = True
    others: tuple[tuple[str, str], ...] = ()


CSV = 'text,category,language\n"Grüß, Gott",a,de\n日本,b,ja\n'
TSV = "text\tcategory\tlanguage\nGrüß Gott\ta\tde\n日本\tb\tja\n"
JSONL = (
    '{"text": "Grüß Gott", "category": "a", "language": "de"}\n{"text": "日本", "category": "b", "language": "ja"}\n'
)
CONLLU = "1\tDas\tdas\tDET\n2\tÖl\tÖl\tNOUN\n\n1\tJa\tja\tINTJ\n"
TMX = (
    '<tmx version="1.4"><body>\n<tu><tuv xml:lang="de"><seg>Öl</seg></tuv>'
    '<tuv xml:lang="fr"><seg>huile</seg></tuv></tu>\n</body></tmx>\n'
)
TRIPLES = "ex/Köln\tin\tex/NRW\nex/Bonn\tin\tex/NRW\n"
NT = '<http://e/Köln> <http://e/in> <http://e/NRW> .\n<http://e/Köln> <http://e/says> "Grüß" .\n'
WIKIDATA = "".join(
    json.dumps({"id": f"Q{n}", "labels": {"de": {"value": name}}}, ensure_ascii=False) + "\n"
    for n, name in enumerate(("Köln", "Öhringen"))
)
ENTITIES = 'id,name:de,aliases\nQ1,Köln,"Coeln|Kölle"\nQ2,Öhringen,\n'
FAQ = "question\tanswer\nWann geöffnet?\tUm neun.\nWo?\tIn Köln.\n"

READERS = {
    "lines": Reader("a.txt", "Öl\nja\n", _text, from_input=True),
    "numbered lines": Reader(
        "a.txt", "Öl\nja\n", lambda path: list(numbered_lines(path, blank="skip")), from_input=True
    ),
    "unique lines": Reader("a.txt", "Öl\nja\n", lambda path: list(UniqueLines(path)), from_input=True),
    "documents": Reader("a.txt", "Öl\nja\n", lambda path: Document.read(path, "de", name="a"), from_input=True),
    "corpus": Reader("a.txt", "Öl\nja\n", _corpus),
    "csv": Reader("a.csv", CSV, _rows, column="category"),
    "tsv": Reader("a.tsv", TSV, _rows, column="category"),
    "jsonl": Reader("a.jsonl", JSONL, _rows, column="category"),
    "csv by content": Reader("a.data", CSV, _rows, from_input=True),
    "tsv by content": Reader("a.data", TSV, _rows, from_input=True),
    "jsonl by content": Reader("a.data", JSONL, _rows, from_input=True),
    "labelled csv": Reader("a.csv", CSV, lambda path: read_labelled(path, "de"), column="category"),
    "labelled tsv": Reader("a.tsv", TSV, lambda path: read_labelled(path, "de"), column="category"),
    "labelled jsonl": Reader("a.jsonl", JSONL, lambda path: read_labelled(path, "de"), column="category"),
    "labelled by number": Reader("a.tsv", TSV, lambda path: read_labelled(path, "de", text=0, label=1)),
    "conllu": Reader("a.conllu", CONLLU, lambda path: read_conll(path, "de")),
    "conll": Reader("a.conll", "Öl O\nja O\n\nKöln B\n", lambda path: read_conll(path, "de")),
    "passages csv": Reader("a.csv", CSV, read_passage_file, column="text"),
    "passages tsv": Reader("a.tsv", TSV, read_passage_file, column="text"),
    "passages jsonl": Reader("a.jsonl", JSONL, read_passage_file),
    "passages by content": Reader("a.data", JSONL, read_passage_file, from_input=True),
    "pairs tsv": Reader("a.tsv", "de\tfr\nÖl\thuile\n", _pairs),
    "pairs jsonl": Reader("a.jsonl", '{"de": "a", "fr": "b"}\n{"de": "Öl", "fr": "huile"}\n', _pairs),
    "pairs tmx": Reader("a.tmx", TMX, _pairs),
    "pairs moses": Reader("a.de", "Öl\nja\n", _moses, blank_end=False),
    "exchanges": Reader("a.tsv", FAQ, read_exchanges, column="answer"),
    "graph tsv": Reader("a.tsv", TRIPLES, lambda path: _sorted(read_graph(path)), from_input=True),
    "graph nt": Reader("a.nt", NT, lambda path: _sorted(read_graph(path))),
    "graph ttl": Reader("a.ttl", NT, lambda path: _sorted(read_graph(path))),
    "graph names": Reader("a.tsv", "ex/Köln\tCologne\nex/Bonn\tBonn\n", lambda path: _sorted(GRAPH.with_names(path))),
    "graph attributes": Reader(
        "a.tsv", "ex/Köln\tsize\t1\tm\nex/Bonn\tsize\t2\n", lambda path: _sorted(GRAPH.with_attributes(path))
    ),
    "graph links": Reader(
        "a.tsv", "ex/Köln\tex/Köln\t0.9\nex/Bonn\tex/Bonn\t1\n", lambda path: read_links(path, GraphPair(GRAPH, GRAPH))
    ),
    "graph entities": Reader("a.txt", "ex/Köln\nex/Bonn\n", lambda path: read_positions(path, GRAPH), from_input=True),
    "OpenEA": Reader(
        "rel_triples_1", TRIPLES, _folder, others=(("rel_triples_2", TRIPLES), ("ent_links", "ex/Bonn\tex/Bonn\n"))
    ),
    "DBP15K": Reader(
        "triples_1",
        "0\t0\t1\n1\t0\t0\n",
        _folder,
        others=(
            ("ent_ids_1", "0\tex/Köln\n1\tex/NRW\n"),
            ("ent_ids_2", "0\tex/Köln\n1\tex/NRW\n"),
            ("triples_2", "0\t0\t1\n"),
        ),
    ),
    "entities csv": Reader("a.csv", ENTITIES, read_entity_table, column="id"),
    "entities tsv": Reader("a.tsv", ENTITIES.replace(",", "\t"), read_entity_table, column="id"),
    "wikidata": Reader("a.json", WIKIDATA, lambda path: list(read_wikidata(path))),
}  # fmt: skip

FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "mark": ("", lambda data: b"\xef\xbb\xbf" + data),
    "gzip": (".gz", gzip.compress),
    "gzip by content": ("", gzip.compress),
    "gzip with a mark": (".gz", lambda data: gzip.compress(b"\xef\xbb\xbf" + data)),
    "two members of gzip": (".gz", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "bzip2": (".bz2", bz2.compress),
    "line ends of Windows": ("", lambda data: data.replace(b"\n", b"\r\n")),
    "no last line end": ("", lambda data: data.rstrip(b"\n")),
    "blank end": ("", lambda data: data + b"\n \n"),
}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Reader:
    found = READERS[request.param]
    for name, content in found.others:
        (tmp_path / name).write_text(content, encoding="utf-8")
    if found.file.endswith((".nt", ".ttl")):
        pytest.importorskip("pyoxigraph")
    return found


def _write(reader: Reader, tmp_path: Path, data: bytes, ending: str = "") -> Path:
    path = tmp_path / (reader.file + ending)
    path.write_bytes(data)
    return path


def _read(reader: Reader, path: Path) -> Any:
    found = reader.read(path)
    path.unlink()
    assert found
    return found


def _only(keep: Callable[[Reader], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("reader", [name for name, each in READERS.items() if keep(each)], indirect=True)


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_file_does_not_matter(reader, form, tmp_path):
    if form == "blank end" and not reader.blank_end:
        pytest.skip("a blank line is a text in files that are read row by row")
    if form == "bzip2" and reader.others:
        pytest.skip("the layout of a folder knows gzip")
    ending, change = FORMS[form]
    wanted = _read(reader, _write(reader, tmp_path, reader.content.encode()))
    assert _read(reader, _write(reader, tmp_path, change(reader.content.encode()), ending)) == wanted


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_is_not_utf_8_is_named_by_file_and_line(reader, ending, tmp_path):
    rows = reader.content.encode().splitlines(keepends=True)
    row = rows[reader.spoilt - 1]
    middle = row.index(b"<seg>") + 5 if b"<seg>" in row else row.index(b'"') + 1 if b'"' in row else len(row) - 2
    rows[reader.spoilt - 1] = row[:middle] + b"\xe9\xe9" + row[middle:]
    data = b"".join(rows)
    path = _write(reader, tmp_path, gzip.compress(data) if ending else data, ending)
    what = "UTF-8"
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}, line {reader.spoilt}: .*{what}"):
        reader.read(path)


def test_damaged_and_cut_data_are_named(reader, tmp_path):
    data = gzip.compress(reader.content.encode())
    for spoilt in (data[:-6], data[:-8] + bytes(4) + data[-4:]):
        path = _write(reader, tmp_path, spoilt, ".gz")
        with pytest.raises(ValueError, match=rf"{re.escape(str(path))}.*the compressed file is damaged"):
            reader.read(path)


@_only(lambda each: not each.file.endswith((".tmx", ".nt", ".ttl")))
def test_endless_lines_are_refused_before_they_fill_the_memory(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 400)
    rows = reader.content.encode().splitlines(keepends=True)
    rows[1] = rows[1].rstrip(b"\n") + b" " * 400 + b"\n"
    path = _write(reader, tmp_path, gzip.compress(b"".join(rows)), ".gz")
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}, line 2: a line may have at most 400 bytes"):
        reader.read(path)


@_only(lambda each: bool(each.column))
def test_a_missing_column_is_answered_with_those_that_there_are(reader, tmp_path):
    path = _write(reader, tmp_path, reader.content.replace(reader.column, "xyz").encode())
    with pytest.raises(ValueError, match=rf"'?{reader.column}'?.*(it has|columns are):.*xyz"):
        read_columns(path, [reader.column]) if reader.read is _rows else reader.read(path)


@_only(lambda each: each.from_input)
@pytest.mark.parametrize("change", [bytes, gzip.compress])
def test_standard_input_is_read_alike(reader, change, tmp_path, monkeypatch):
    wanted = _read(reader, _write(reader, tmp_path, reader.content.encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(change(reader.content.encode()))))
    assert reader.read("-") == wanted


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_two_columns_of_one_name_are_refused_with_their_places(name, tmp_path):
    mark = "," if name == "a.csv" else "\t"
    (tmp_path / name).write_text(mark.join(("text", "label", "text")) + "\n")
    with pytest.raises(ValueError, match="line 1: the columns 1 and 3 are called 'text'; give each its own name"):
        open_table(tmp_path / name)


def test_cells_of_csv_may_hold_separators_and_line_ends_and_keep_their_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"one, ""two""\nthree",x\n\nlast,y\n')
    assert _rows(path) == [
        (2, {"text": 'one, "two"\nthree', "label": "x"}),
        (5, {"text": "last", "label": "y"}),
    ]
    path.write_text('text,label\nfine,x\n"open,y\nz,z\n')
    with pytest.raises(ValueError, match="line 3: the row is no CSV"):
        _rows(path)
    path.write_text("text;label\none, two;x\n")
    assert _rows(path) == [(2, {"text": "one, two", "label": "x"})]


def test_quotation_marks_between_tabs_belong_to_the_text(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Hello," he said\tx\n')
    assert _rows(path) == [(2, {"text": '"Hello," he said', "label": "x"})]
    path.write_text('id\tname\n1\t"a ""b"""\n')
    assert read_entity_table(path)[0].names == {"": 'a "b"'}


def test_lists_and_nulls_of_json_lines_are_cells(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "name": "x", "aliases": ["y", "z"]}\n{"id": 2, "name": "w", "aliases": null}\n')
    assert [each.aliases for each in read_entity_table(path)] == [("y", "z"), ()]


def test_passages_of_tables_are_called_by_their_line_unless_they_have_an_id(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text,page\nx,one,3\n,two,4\n")
    first, second = read_passage_file(path, language="en")
    assert (first.id, first.metadata, second.id) == ("x", {"page": "3"}, "3")
    with pytest.raises(ValueError, match='line 3: texts that are added need an "id"'):
        read_passage_file(path, with_ids=True)


def test_parquet_is_a_table_too(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    table = arrow.table({"text": ["one", "two"], "page": [3, None]})
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    assert [(each.id, each.metadata) for each in read_passage_file(path)] == [("1", {"page": 3}), ("2", {})]
    (tmp_path / "b.parquet").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"b\.parquet is no parquet file"):
        read_columns(tmp_path / "b.parquet", ["text"])


def test_unique_lines_keep_their_numbers_whatever_the_file_is(tmp_path):
    content = b"b\n\na\nb \n c\n"
    for name, data in (("a.txt", content), ("a.txt.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(data)
        lines = UniqueLines(tmp_path / name)
        assert list(lines) == ["b", "a", "c"]
        assert np.array(lines.numbers).tolist() == [1, 3, 5]
        assert lines.n_lines == 5


@pytest.mark.parametrize("unit", [',"a\n"', ',"a\nb",c', ',"\n"'])
def test_a_row_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, unit):
    """No cell is large, and no line is long."""
    monkeypatch.setattr("interlingua.pipelines.texts.tables.MOST_BYTES", 500)
    path = tmp_path / "row.csv"
    path.write_text("id,name\nQ1,x\n1" + unit * 600)
    with pytest.raises(
        ValueError, match=r"row\.csv, line 3: a row may have at most 500 characters; close each quotation"
    ):
        read_entity_table(path)


def test_blocks_of_long_lines_are_short(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    path = tmp_path / "long.txt"
    path.write_text("".join(f"{number} {'x' * 60}\n" for number in range(7)) + "".join(f"{n}\n" for n in range(7, 17)))
    blocks = list(module.line_blocks(path, 4))
    assert [len(each) for each in blocks] == [2, 2, 2, 4, 4, 3]
    assert [number for block in blocks for number, _ in block] == list(range(1, 18))


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress])
def test_a_text_that_is_all_repetition_is_refused_by_name(tmp_path, monkeypatch, packed):
    monkeypatch.setattr("interlingua.align.formats.unpacking.EXPANDS_FREELY", 100_000)
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(packed(b"\n" * 3_000_000))
    with pytest.raises(ValueError, match=r"bomb\.txt\.gz: the compressed file expands to more than 200 times its size"):
        sum(1 for _ in numbered_lines(path))
