"""Values that two graphs share, further names, and links of a wanted precision."""

import itertools

import numpy as np
import pytest

from interlingua.pipelines.commands import main as cli
from interlingua.pipelines.graphs import GraphAlignment, KnowledgeGraph, align_graphs, read_graph, read_graph_pair
from interlingua.pipelines.graphs.align import EntityLink, folded_value, shared_values
from interlingua.pipelines.graphs.graph import GraphError
from interlingua.pipelines.graphs.names import name_features

SEEN = ("Rome", "Oslo", "Bern", "Lima", "Kiev", "Doha")


def graph(prefix, names):
    """Return entities in the order of `names`, with three numbers each; only what they are tells which is which."""
    values = [
        (f"{prefix}/{name}", f"{prefix}:{attribute}", f"{10 * SEEN.index(name) + attribute}.0")
        for name, attribute in itertools.product(names, range(3))
    ]
    return KnowledgeGraph.from_triples([], {f"{prefix}/{name}": prefix for name in names}, values)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ('"12.50"^^<http://www.w3.org/2001/XMLSchema#double>', "12.5"),
        ("1.2E+1", "12"),
        ('"Straße"@de', "strasse"),
        ("2001-02-03T00:00:00Z", "2001-02-03"),
        ("2001-02-03+01:00", "2001-02-03"),
        ("2001-02-03T12:00:00Z", "2001-02-03t12:00:00z"),
        ("007", "7"),
        ("9" * 40, str(float("9" * 40))),
        ("  ", ""),
    ],
)
def test_equal_values_are_written_alike(written, folded):
    assert folded_value(written) == folded


@pytest.mark.parametrize("features", [("attributes",), ("characters", "attributes")])
def test_entities_are_told_by_their_values_alone(features):
    found = align_graphs(graph("a", SEEN), graph("b", SEEN[::-1]), features=features, rounds=2)
    assert {(each.left[2:], each.right[2:]) for each in found.links} == {(name, name) for name in SEEN}


def test_shared_values_are_nodes_with_known_counterparts():
    left, right = graph("a", SEEN), graph("b", SEEN[2:])
    found = shared_values(left, right)
    assert len(found.pairs) == 3 * len(SEEN[2:])
    assert found.n_attributes == 6
    assert found.triples[:, 2].min() == len(left) + len(right)
    assert sorted(found.triples[:, 2]) == sorted(found.pairs.ravel())
    with pytest.raises(ValueError, match="no value is shared by the 18 attributes of the left graph"):
        shared_values(left, KnowledgeGraph.from_triples([], {"c": "c"}))
    with pytest.raises(ValueError, match="leave the feature 'attributes' out"):
        shared_values(left, right, most=0)


def test_further_names_count_with_the_own_one(tmp_path, fake_encoder):
    left = KnowledgeGraph.from_triples([], {"a/1": "eins", "a/2": "zwei"})
    right = KnowledgeGraph.from_triples([], {"b/1": "one", "b/2": "two"})
    (tmp_path / "more.tsv").write_text("a/1\tone\na/2\ttwo\na/2\tdeux\na/9\tnine\n")
    more = left.with_names(tmp_path / "more.tsv")
    assert more.other_names == ((0, "one", ""), (1, "two", ""), (1, "deux", ""))
    (own, of_two, *others) = name_features(more, right, ("names",), fake_encoder)
    means = [fake_encoder.encode(names).sum(axis=0) for names in (["eins", "one"], ["zwei", "two", "deux"])]
    means = [mean / np.linalg.norm(mean) for mean in means]
    moved = np.array(means) - np.mean(means, axis=0)
    np.testing.assert_allclose([own, of_two], moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-5)
    assert len(others) == 2
    (tmp_path / "none.tsv").write_text("b/1\tone\n")
    with pytest.raises(GraphError, match="expected an entity of the graph and a name"):
        left.with_names(tmp_path / "none.tsv")


def test_links_of_a_wanted_precision_are_the_best_ones():
    links = tuple(EntityLink(f"a{n}", f"b{n}", sure, {}) for n, sure in enumerate((1.0, 0.9, 0.8, 0.3)))
    found = GraphAlignment(links, ())
    assert [len(found.for_precision(wanted)) for wanted in (1, 0.95, 0.9, 0.8, 0.75)] == [1, 2, 3, 3, 4]
    with pytest.raises(ValueError, match=r"the best is 0\.300; ask for less"):
        GraphAlignment(links[3:], ()).for_precision(0.5)
    with pytest.raises(ValueError, match="above 0 and at most 1, but is 0"):
        found.for_precision(0)
    with pytest.raises(ValueError, match="where each entity has one"):
        GraphAlignment((links[0], links[0]), ()).for_precision(0.5)


def test_literals_of_turtle_and_openea_are_attributes(tmp_path):
    pytest.importorskip("pyoxigraph")
    (tmp_path / "g.ttl").write_text('<x:a> <x:area> 12.5 ; <x:near> <x:b> . <x:b> <x:founded> "1901"@en .')
    assert read_graph(tmp_path / "g.ttl").attributes == ((0, "x:area", "12.5"), (1, "x:founded", "1901"))
    for side in "12":
        (tmp_path / f"rel_triples_{side}").write_text(f"{side}/a\tr\t{side}/b\n")
        (tmp_path / f"attr_triples_{side}").write_text(f'{side}/b\tborn\t"19\t01"\n{side}/z\tborn\t1\n')
    (tmp_path / "ent_links").write_text("1/a\t2/a\n")
    pair = read_graph_pair(tmp_path)
    assert pair.right.attributes == ((1, "born", '"19\t01"'),)
    (tmp_path / "attr_triples_1").write_text("1/a\tborn\n")
    with pytest.raises(GraphError, match=r"attr_triples_1, line 1: expected entity, attribute and value"):
        read_graph_pair(tmp_path)
    (tmp_path / "attr_triples_1").write_text("1/q\tborn\t1\n")
    with pytest.raises(GraphError, match="says nothing about an entity of the graph, such as '1/a'"):
        read_graph_pair(tmp_path)


def test_the_command_takes_names_attributes_and_a_precision(tmp_path, capsys):
    for prefix in "ab":
        rows = [f"{prefix}/{one}\tnear\t{prefix}/{two}\n" for one, two in itertools.pairwise(SEEN)]
        (tmp_path / f"{prefix}.tsv").write_text("".join(rows))
        rows = [f"{prefix}/{name}\tarea\t{number}\n" for number, name in enumerate(SEEN, 100)]
        (tmp_path / f"{prefix}.values").write_text("".join(rows))
    (tmp_path / "more").write_text("a/Rome\tRoma\n")
    files, out = [str(tmp_path / f"{prefix}.tsv") for prefix in "ab"], str(tmp_path / "links.tsv")
    values = [str(tmp_path / f"{prefix}.values") for prefix in "ab"]
    command = ["graph", "align", *files, "--features", "characters,structure", "-o", out, "--rounds", "1"]
    more = ["--attributes", *values, "--names", str(tmp_path / "more"), "-", "--precision", "0.5"]
    assert cli.main([*command, *more]) == 0
    lines = [line.split("\t") for line in (tmp_path / "links.tsv").read_text().splitlines()[1:]]
    assert {left[2:] for left, *_ in lines} == set(SEEN)
    assert all(left[2:] == right[2:] for left, right, *_ in lines)
    assert cli.main([*command, "-k", "2", "--precision", "0.5"]) == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert cli.main([*command, "--precision", "2"]) == 2
    assert "above 0 and at most 1" in capsys.readouterr().err
