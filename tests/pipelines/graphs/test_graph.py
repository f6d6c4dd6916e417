"""Graphs from files: which labels are names, what is read past, and known links."""

import gzip
import itertools
import json

import pytest

from interlingua.pipelines.graphs.graph import GraphError, GraphPair, read_graph, read_links

pytest.importorskip("pyoxigraph")

LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
PREFERRED, FURTHER = (f"<http://www.w3.org/2004/02/skos/core#{each}Label>" for each in ("pref", "alt"))
SAME = "<http://www.w3.org/2002/07/owl#sameAs>"


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_all_labels_are_kept_and_their_order_in_the_file_says_nothing(tmp_path):
    labels = [f'<x:r> {LABEL} "Rome"@en .', f'<x:r> {PREFERRED} "Рим"@ru .', f'<x:r> {LABEL} "罗马"@zh-Hans .',
              f'<x:r> {FURTHER} "Eternal City"@en .', f'<x:r> {FURTHER} "Roma" .']  # fmt: skip
    for order in itertools.permutations(labels):
        graph = read_graph(write(tmp_path / "g.nt", *order))
        assert graph.names == ("Rome",)
        assert set(graph.other_names) == {(0, "Рим", "ru"), (0, "罗马", "zh-hans"), (0, "Eternal City", "en"),
                                          (0, "Roma", "")}  # fmt: skip
    assert read_graph(tmp_path / "g.nt", language="zh").names == ("罗马",)
    assert read_graph(tmp_path / "g.nt", language="ru").names == ("Рим",)
    assert len(read_graph(tmp_path / "g.nt", language="ru").other_names) == 4


def test_a_further_label_is_the_name_where_there_is_no_other(tmp_path):
    graph = read_graph(write(tmp_path / "g.ttl", f'<x:r> {FURTHER} "Roma"@it ; <x:in> <x:i> .'))
    assert (graph.names, graph.other_names) == (("Roma", "x:i"), ())


@pytest.mark.parametrize("bad", ["<x:a> <x:p> .", "no triple", '<x:a> <x:p> "cut', "<x:a> <x:p> <x:b> <x:c> <x:d> ."])
def test_one_bad_line_of_triples_is_named_or_skipped_and_counted(tmp_path, bad):
    good = [f"<x:{row}> <x:next> <x:{row + 1}> ." for row in range(3000)]
    path = write(tmp_path / "g.nt", *good[:2500], bad, "# a comment", *good[2500:])
    with pytest.raises(GraphError, match=r"g\.nt, line 2501: .*on_malformed='skip'"):
        read_graph(path)
    graph = read_graph(path, on_malformed="skip")
    assert (len(graph), len(graph.triples), graph.malformed) == (3001, 3000, 1)
    table = write(tmp_path / "g.tsv", "a\tp\tb", "a\tb", "b\tp\tc")
    assert read_graph(table, on_malformed="skip").malformed == 1


@pytest.mark.parametrize("kind", ["nt", "ttl"])
def test_irregular_iris_and_a_byte_order_mark_do_not_end_the_reading(tmp_path, kind):
    path = write(tmp_path / f"g.{kind}", "\ufeff<http://x/a|b> <http://x/p> <http://x/c d> .")
    assert read_graph(path).entities == ("http://x/a|b", "http://x/c d")


def test_rdf_xml_and_json_ld_hold_what_turtle_does(tmp_path):
    turtle = write(tmp_path / "g.ttl", f'<x:r> {LABEL} "Rome"@en ; {LABEL} "Рим"@ru ; <x:in> <x:i> ; <x:n> "3" .')
    xml = write(tmp_path / "g.rdf",
        '<?xml version="1.0"?>', '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"',
        ' xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:x="x:">', '<rdf:Description rdf:about="x:r">',
        '<rdfs:label xml:lang="en">Rome</rdfs:label><rdfs:label xml:lang="ru">Рим</rdfs:label>',
        '<x:in rdf:resource="x:i"/><x:n>3</x:n>', "</rdf:Description></rdf:RDF>")  # fmt: skip
    linked = write(tmp_path / "g.jsonld", json.dumps({
        "@id": "x:r", "http://www.w3.org/2000/01/rdf-schema#label": [
            {"@value": "Rome", "@language": "en"}, {"@value": "Рим", "@language": "ru"}],
        "x:in": {"@id": "x:i"}, "x:n": "3"}))  # fmt: skip
    (tmp_path / "g.owl").write_bytes(xml.read_bytes())
    with gzip.open(tmp_path / "g.jsonld.gz", "wb") as file:
        file.write(linked.read_bytes())
    wanted = read_graph(turtle)
    assert (wanted.names, wanted.other_names, wanted.attributes) == (
        ("Rome", "x:i"), ((0, "Рим", "ru"),), ((0, "x:n", "3"),))  # fmt: skip
    for path in (xml, linked, tmp_path / "g.owl", tmp_path / "g.jsonld.gz"):
        found = read_graph(path)
        for name in ("entities", "names", "other_names", "attributes", "relations"):
            assert getattr(found, name) == getattr(wanted, name), path
    for name, text in (("bad.rdf", "<rdf:RDF"), ("bad.jsonld", '{"@id": ')):
        with pytest.raises(GraphError, match=rf"{name}.*convert it to N-Triples"):
            read_graph(write(tmp_path / name, text))


def test_found_links_are_known_links(tmp_path):
    left, right = (read_graph(write(tmp_path / "g.nt", f"<{s}:1> <x:p> <{s}:2> .")) for s in ("x", "y"))
    pair = GraphPair(left, right)
    table = write(tmp_path / "l.tsv", "left\tright\tconfidence\twhy", "x:2\ty:2\t0.9\tnames=0.9")
    assert read_links(table, pair) == [(1, 1)]
    same = write(tmp_path / "l.nt", f"<x:2> {SAME} <y:2> .", f"<y:1> {SAME} <x:1> .", f"<x:2> {SAME} <z:9> .")
    assert read_links(same, pair) == [(1, 1), (0, 0)]
    with pytest.raises(GraphError, match="expected owl:sameAs"):
        read_links(write(tmp_path / "none.nt", f"<z:1> {SAME} <z:2> ."), pair)
    with pytest.raises(GraphError, match="line 2"):
        read_links(write(tmp_path / "l.tsv", "left\tright", "left\tright"), pair)


@pytest.mark.parametrize(
    ("endless", "told"),
    [
        ("( " * 2000, "line 1: 1,000 brackets are opened and not closed"),
        ("[ <http://p> " * 2000, "line 1: 1,000 brackets are opened and not closed"),
        ('"""' + "x\n" * 9_000_000, r"after line \d+: a name, text or comment may have at most 16 MiB"),
    ],
)
def test_turtle_without_end_is_refused_by_name(tmp_path, monkeypatch, endless, told):
    monkeypatch.setattr("interlingua.pipelines.graphs.graph._MOST_OPEN", 1000)
    path = tmp_path / "bomb.ttl"
    path.write_text("<http://a> <http://b> " + endless)
    with pytest.raises(GraphError, match=rf"bomb\.ttl, {told}; mend the file"):
        read_graph(path)
