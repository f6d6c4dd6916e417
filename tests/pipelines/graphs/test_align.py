"""Readers of graphs, and the alignment of small ones by function and by command."""

import hashlib
import json

import numpy as np
import pytest

from interlingua.pipelines.commands import main as cli
from interlingua.pipelines.graphs import KnowledgeGraph, align_graphs, read_graph, read_graph_pair

CITIES = ["Paris", "Lyon", "Roma", "Milano", "Berlin", "Bonn", "Wien", "Graz"]
COUNTRIES = ["France", "Italia", "Deutschland", "Austria"]
PLACES = CITIES + COUNTRIES


class ByName:
    """Encodes a name without its language prefix, with a little noise of the whole name."""

    identity, dimension = "by-name", 24

    def __init__(self):
        self.prompts = {"symmetric": ""}

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = []
        for text in texts:
            own, all_of_it = (
                np.random.default_rng(int(hashlib.sha256(part.encode()).hexdigest()[:8], 16)).normal(size=24)
                for part in (text.split(":")[-1], text)
            )
            rows.append(own + 0.1 * all_of_it)
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def triples(prefix):
    found = []
    for number, city in enumerate(CITIES):
        country = COUNTRIES[number // 2]
        relation = "capital" if number % 2 == 0 else "town"
        found.append((f"http://{prefix}/{city}", f"http://{prefix}/{relation}", f"http://{prefix}/{country}"))
    return found


def graph(prefix):
    return KnowledgeGraph.from_triples(triples(prefix), {f"http://{prefix}/{p}": f"{prefix}:{p}" for p in PLACES})


def right(links):
    return [each.left.rsplit("/", 1)[1] == each.right.rsplit("/", 1)[1] for each in links]


def test_two_graphs_are_aligned_by_names_and_structure():
    found = align_graphs(graph("a"), graph("b"), encoder=ByName(), rounds=1)
    assert len(found) == len(PLACES)
    assert all(right(found.links))
    assert set(found.links[0].why) == {"names", "counterparts", "structure", "neighbours"}
    assert all(0 <= each.confidence <= 1 for each in found.links)


def test_characters_need_no_encoder():
    found = align_graphs(graph("a"), graph("b"), features=("characters",))
    assert np.mean(right(found.links)) > 0.9
    assert set(found.links[0].why) == {"names"}


def test_seeds_are_no_results_and_candidates_are_kept_to():
    seeds = [(0, 0), (1, 1)]
    found = align_graphs(graph("a"), graph("b"), seeds, encoder=ByName(), rounds=1)
    assert not {each.left for each in found.links} & set(graph("a").entities[:2])
    some = align_graphs(graph("a"), graph("b"), encoder=ByName(), rounds=1, candidates=([0, 3], [3, 4, 0]))
    assert {each.left for each in some.links} <= {graph("a").entities[0], graph("a").entities[3]}
    assert all(right(some.links))


def test_k_candidates_a_row():
    found = align_graphs(graph("a"), graph("b"), encoder=ByName(), rounds=0, k=3)
    assert len(found) == 3 * len(PLACES)
    assert all(right(found.links[::3]))


def test_links_are_written_as_table_and_as_same_as(tmp_path):
    found = align_graphs(graph("a"), graph("b"), encoder=ByName(), rounds=1)
    found.write(tmp_path / "links.tsv")
    lines = (tmp_path / "links.tsv").read_text().splitlines()
    assert lines[0] == "left\tright\tconfidence\twhy\tleft_name\tright_name"
    assert len(lines) == len(found) + 1
    one, other = (dict(zip(each.entities, each.names)) for each in (graph("a"), graph("b")))
    for cells in (line.split("\t") for line in lines[1:]):
        assert cells[4:] == [one[cells[0]], other[cells[1]]]
    found.write_same_as(tmp_path / "links.nt")
    pytest.importorskip("pyoxigraph")
    again = read_graph(tmp_path / "links.nt")
    assert again.relations == ("http://www.w3.org/2002/07/owl#sameAs",)
    assert len(again.triples) == len(found)
    plain = KnowledgeGraph.from_triples([("x y", "r", "z")], {})
    with pytest.raises(ValueError, match="absolute IRIs"):
        align_graphs(plain, plain, features=("characters",)).write_same_as(tmp_path / "bad.nt")
    assert not (tmp_path / "bad.nt").exists()


def write_dbp15k(folder):
    folder.mkdir()
    for side, prefix in ((1, "fr"), (2, "en")):
        made, shift = graph(prefix), 100 * side
        (folder / f"ent_ids_{side}").write_text(
            "".join(f"{shift + row}\thttp://{prefix}/resource/{uri.rsplit('/')[-1]}\n" for row, uri in
                    enumerate(made.entities)))  # fmt: skip
        (folder / f"triples_{side}").write_text(
            "".join(f"{shift + h}\t{r}\t{shift + t}\n" for h, r, t in made.triples.tolist())
        )
    (folder / "sup_pairs").write_text("100\t200\n101\t201\n")
    return folder


def test_a_folder_of_dbp15k_is_read(tmp_path):
    pair = read_graph_pair(write_dbp15k(tmp_path / "fr_en"))
    assert sorted(pair.left.names) == sorted(PLACES)
    assert pair.left.triples.tolist() == graph("fr").triples.tolist()
    assert pair.links["sup_pairs"].tolist() == [[0, 0], [1, 1]]
    (tmp_path / "fr_en" / "triples_1").write_text("100\t0\t999\n")
    with pytest.raises(ValueError, match="line 1: 999 is not in ent_ids_1"):
        read_graph_pair(tmp_path / "fr_en")


def test_a_folder_of_openea_is_read(tmp_path):
    for side, prefix in ((1, "a"), (2, "b")):
        (tmp_path / f"rel_triples_{side}").write_text("".join("\t".join(row) + "\n" for row in triples(prefix)))
    (tmp_path / "ent_links").write_text("http://a/Roma\thttp://b/Roma\nhttp://a/nobody\thttp://b/Roma\n")
    pair = read_graph_pair(tmp_path)
    (link,) = pair.links["ent_links"].tolist()
    assert (pair.left.names[link[0]], pair.right.names[link[1]]) == ("Roma", "Roma")
    with pytest.raises(FileNotFoundError, match="no pair of graphs"):
        read_graph_pair(tmp_path.parent / "nothing")


def test_turtle_labels_are_names_in_the_language_that_is_asked_for(tmp_path):
    pytest.importorskip("pyoxigraph")
    (tmp_path / "g.ttl").write_text(
        "@prefix e: <http://e/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        'e:Rome e:in e:Italy ; rdfs:label "Rome"@en , "Рим"@ru ; e:population 5 .\n',
        encoding="utf-8",
    )
    assert read_graph(tmp_path / "g.ttl", language="ru").names[0] == "Рим"
    assert read_graph(tmp_path / "g.ttl").names == ("Rome", "Italy")
    content = (tmp_path / "g.ttl").read_text(encoding="utf-8")
    (tmp_path / "r.ttl").write_text(
        content.replace('"Rome"@en , "Рим"@ru', '"Rome"@en , "Roma"@mul , "Рим"@ru-RU'), encoding="utf-8"
    )
    wanted = {"ru": "Рим", "RU_ru": "Рим", "de": "Roma", "en": "Rome"}
    assert {each: read_graph(tmp_path / "r.ttl", language=each).names[0] for each in wanted} == wanted
    assert len(read_graph(tmp_path / "g.ttl").triples) == 1
    (tmp_path / "bad.ttl").write_text("e:Rome is nice")
    with pytest.raises(ValueError, match="mend the file"):
        read_graph(tmp_path / "bad.ttl")


def test_malformed_tables_are_refused_with_the_line(tmp_path):
    (tmp_path / "g.tsv").write_text("a\tr\tb\n\na\tr\n")
    with pytest.raises(ValueError, match="line 3: expected 3 columns"):
        read_graph(tmp_path / "g.tsv")
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(ValueError, match="no triple"):
        read_graph(tmp_path / "empty.tsv")
    with pytest.raises(ValueError, match="features are of"):
        align_graphs(graph("a"), graph("b"), features=("name",))


def test_the_command_aligns_files_and_folders(tmp_path, capsys):
    for prefix in "ab":
        (tmp_path / f"{prefix}.tsv").write_text("".join("\t".join(row) + "\n" for row in triples(prefix)))
    files = [str(tmp_path / f"{prefix}.tsv") for prefix in "ab"]
    out = str(tmp_path / "links.tsv")
    command = ["graph", "align", *files, "--features", "characters,structure", "--rounds", "1", "-o", out]
    assert cli.main([*command, "--json", "--same-as", str(tmp_path / "l.nt")]) == 0
    assert json.loads(capsys.readouterr().out)["links"] >= 10
    assert (tmp_path / "l.nt").read_text().count("sameAs") >= 10
    (tmp_path / "seeds").write_text("http://a/Roma\thttp://b/Roma\n")
    assert cli.main([*command, "--seeds", str(tmp_path / "seeds")]) == 0
    assert "Roma" not in (tmp_path / "links.tsv").read_text()
    (tmp_path / "seeds").write_text("http://a/Roma\thttp://b/Nowhere\n")
    assert cli.main([*command, "--seeds", str(tmp_path / "seeds")]) == 1
    assert "line 1" in capsys.readouterr().err
    folder = write_dbp15k(tmp_path / "fr_en")
    assert cli.main(["graph", "align", str(folder), "--seeds", "sup_pairs", "--features", "characters", "-o", out]) == 0
    assert cli.main(["graph", "align", files[0], "-o", out]) == 2
