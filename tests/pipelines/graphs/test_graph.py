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
    monkeypatch.setattr("interlingua.pipelines.graphs.nested._MOST_OPEN", 1000)
    path = tmp_path / "bomb.ttl"
    path.write_text("<http://a> <http://b> " + endless)
    with pytest.raises(GraphError, match=rf"bomb\.ttl, {told}; mend the file"):
        read_graph(path)


_XML = (
    '<?xml version="1.0"?>\n{}<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">\n'
)
_ABOUT = '<rdf:Description rdf:about="http://e/x"><e:n>{}</e:n><e:is rdf:resource="{}"/></rdf:Description>\n'
_QUOTED = "<http://e/a> <http://e/b> "
_DEEP = _QUOTED + ("<<( " + _QUOTED) * 12
_TWICE, _LONG = '<!ENTITY a "ha"><!ENTITY b "&a;&a;">', f'<!ENTITY a "{"h" * 1001}">'
_OUTSIDE = "<!ENTITY a SYSTEM 'file:///etc/hostname'>"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.rdf", _XML.format("") + "<rdf:Description><e:p>" * 12, "line 3: elements may lie in each other"),
        ("a.jsonld", '{"http://e/p":' * 12 + "1" + "}" * 12, "line 1: objects and lists may lie in each other"),
        ("a.jsonld", "[" * 12, "line 1: objects and lists may lie in each other at most 10 deep"),
        ("a.nt", _DEEP, "line 1: triples may"),
        ("a.ttl", _DEEP, "line 1: triples may"),
        ("a.rdf", _XML.format(f"<!DOCTYPE r [{_TWICE}]>") + _ABOUT.format("&b;", "http://e/y"),
         "line 2: the entity 'b' is no plain text"),
        ("a.rdf", _XML.format(f"<!DOCTYPE r [{_LONG}]>") + _ABOUT.format("&a;", "http://e/y"),
         "line 2: the entity 'a' is no plain text of up to 1000"),
        ("a.rdf", _XML.format(f"<!DOCTYPE r [{_OUTSIDE}]>") + _ABOUT.format("&a;", "http://e/y"),
         "line 2: the entity 'a' is outside of the file"),
        ("a.rdf", _XML.format("") + _ABOUT.format("v", "http://e/y"), "line 5: the XML is not well formed"),  # cut
        ("a.jsonld", '{"@context": "http://127.0.0.1:9/c", "@id": "http://e/x", "n": "v"}', "remote contexts"),
    ],
)  # fmt: skip
def test_what_is_beyond_the_bounds_of_rdf_is_refused_by_name_and_line(tmp_path, monkeypatch, name, text, told):
    monkeypatch.setattr("interlingua.pipelines.graphs.nested._MOST_QUOTED", 10)
    monkeypatch.setattr("interlingua.pipelines.graphs.nested._DEEPEST", {"RDF_XML": 10, "JSON_LD": 10})
    with pytest.raises(GraphError, match=rf"{name}.*{told}"):
        read_graph(write(tmp_path / name, text))


def test_entities_for_namespaces_and_brackets_in_texts_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.graphs.nested._MOST_QUOTED", 305)
    doctype = '<!DOCTYPE rdf:RDF [<!ENTITY e "http://e/">]>'
    xml = write(tmp_path / "a.rdf", _XML.format(doctype) + _ABOUT.format("v", "&e;y") + "</rdf:RDF>")
    assert read_graph(xml).entities == ("http://e/x", "http://e/y")
    text = '{[(<< "' * 300 + "\\"
    linked = {"@id": "http://e/x", "http://e/is": {"@id": "http://e/y"}, "http://e/n": text}
    found = read_graph(write(tmp_path / "a.jsonld", json.dumps([linked])))
    assert found.attributes == ((0, "http://e/n", text),)
    lines = f"<http://e/x> <http://e/n> {json.dumps(text)} .", "<http://e/x> <http://e/is> <http://e/y> ."
    assert read_graph(write(tmp_path / "a.nt", *lines)).attributes == found.attributes
    deep = _QUOTED + ("<<( " + _QUOTED) * 310 + "<http://e/c>" + " )>>" * 310 + " ."
    assert read_graph(write(tmp_path / "b.nt", deep, *lines), on_malformed="skip").malformed == 1
