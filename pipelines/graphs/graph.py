"""Knowledge graphs and their files: DBP15K and OpenEA folders, N-Triples, Turtle, tab-separated triples."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.pipelines.texts.languages import label_rank
from interlingua.pipelines.texts.lines import PathLike, input_name, open_binary, plain_name, read_lines

_LABELS = ("http://www.w3.org/2000/01/rdf-schema#label", "http://www.w3.org/2004/02/skos/core#prefLabel")
_LINKS = ("ref_ent_ids", "sup_ent_ids", "sup_pairs", "ref_pairs", "ent_links")


class GraphError(ValueError):
    """A file of a knowledge graph is malformed."""


@dataclass(frozen=True)
class KnowledgeGraph:
    """Entities, their names, and the triples between them.

    Attributes
    ----------
    entities : tuple of str
        Distinct ids, such as URIs.
    names : tuple of str
        One an entity.
    relations : tuple of str
    triples : (m, 3) array of int64
        Positions of head, relation and tail.
    attributes : tuple of (int, str, str)
        Position of an entity, an attribute, and its value in words or numbers.
    other_names : tuple of (int, str)
        Position of an entity, and a further name, such as a translation.
    """

    entities: tuple[str, ...]
    names: tuple[str, ...]
    relations: tuple[str, ...]
    triples: NDArray[np.int64]
    attributes: tuple[tuple[int, str, str], ...] = ()
    other_names: tuple[tuple[int, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) != len(self.entities) or len(set(self.entities)) != len(self.entities):
            raise GraphError(
                f"a graph has distinct entities and a name for each, got {len(self.entities)} ids, "
                f"{len(set(self.entities))} of them distinct, and {len(self.names)} names"
            )

    def __len__(self) -> int:
        return len(self.entities)

    @classmethod
    def from_triples(
        cls,
        triples: Iterable[tuple[str, str, str]],
        names: Mapping[str, str] | None = None,
        attributes: Iterable[tuple[str, str, str]] = (),
    ) -> "KnowledgeGraph":
        """Return a graph of numbered entities and relations; a name that is not given comes from the id.

        Entities that only `names` or `attributes` have are isolated.

        Examples
        --------
        >>> graph = KnowledgeGraph.from_triples([("ex/Paris", "capital_of", "ex/France")])
        >>> graph.names, graph.triples.tolist()
        (('Paris', 'France'), [[0, 0, 1]])
        """
        names = names or {}
        entities: dict[str, int] = {}
        relations: dict[str, int] = {}
        rows = [
            (
                entities.setdefault(head, len(entities)),
                relations.setdefault(relation, len(relations)),
                entities.setdefault(tail, len(entities)),
            )
            for head, relation, tail in triples
        ]
        for entity in names:
            entities.setdefault(entity, len(entities))
        values = tuple((entities.setdefault(entity, len(entities)), name, value) for entity, name, value in attributes)
        shown = tuple(names.get(entity) or name_from_uri(entity) for entity in entities)
        return cls(tuple(entities), shown, tuple(relations), np.array(rows, np.int64).reshape(-1, 3), values)

    def with_names(self, path: PathLike) -> "KnowledgeGraph":
        """Return the graph with further names, such as machine translations, beside its own.

        Parameters
        ----------
        path : str or path
            Entity and name between tabs, one a line; an entity may have several lines.

        Raises
        ------
        GraphError
            If a line is malformed, or no entity of the graph is named.
        """
        places = {entity: row for row, entity in enumerate(self.entities)}
        rows = [cells for _, cells in _cells(path, 2)]
        named = tuple((places[entity], name) for entity, name in rows if entity in places and name.strip())
        if not named:
            raise GraphError(f"{path}: expected an entity of the graph and a name between tabs, as in {rows[:1]}")
        return replace(self, other_names=(*self.other_names, *named))

    def with_attributes(self, path: PathLike) -> "KnowledgeGraph":
        """Return the graph with attributes from a file: entity, attribute and value between tabs, one a line.

        Those of entities that the graph does not have are left out.

        Raises
        ------
        GraphError
            If a line has fewer columns, or no line is about an entity of the graph.
        """
        places = {entity: row for row, entity in enumerate(self.entities)}
        found = []
        for number, line in read_lines(path, blank="skip", error=GraphError):
            cells = line.split("\t", 2)  # a value may hold tabs
            if len(cells) < 3:
                raise GraphError(
                    f"{input_name(path)}, line {number}: expected entity, attribute and value between tabs"
                )
            if cells[0] in places:
                found.append((places[cells[0]], cells[1], cells[2]))
        if not found:
            raise GraphError(f"{path} says nothing about an entity of the graph, such as {self.entities[0]!r}")
        return replace(self, attributes=(*self.attributes, *found))


@dataclass(frozen=True)
class GraphPair:
    """Two graphs to align, and the known links between them.

    Attributes
    ----------
    left, right : KnowledgeGraph
    links : dict of str to (p, 2) array of int64
        Positions in left and right, by the name of the file that they are from.
    """

    left: KnowledgeGraph
    right: KnowledgeGraph
    links: dict[str, NDArray[np.int64]] = field(default_factory=dict)


def name_from_uri(uri: str) -> str:
    """Return the readable end of a URI.

    Examples
    --------
    >>> name_from_uri("http://zh.dbpedia.org/resource/%E5%B7%B4%E9%BB%8E_(x)"), name_from_uri("ex#New_York")
    ('巴黎 (x)', 'New York')
    """
    tail = uri.split("/resource/", 1)[-1] if "/resource/" in uri else uri.rstrip("/#").rsplit("#")[-1].rsplit("/")[-1]
    return unquote(tail).replace("_", " ").strip() or uri


def read_graph(path: PathLike, *, names: PathLike | None = None, language: str | None = None) -> KnowledgeGraph:
    """Read one graph from a file.

    ``.nt`` and ``.ttl`` need pyoxigraph: triples between resources are kept, rdfs:label and skos:prefLabel are names,
    other literals attributes.
    Anything else is head, relation and tail between tabs, one triple a line. Files may be compressed.

    Parameters
    ----------
    path : str or path
        ``-`` is standard input, of triples between tabs.
    names : str or path, optional
        Entity and name between tabs, one a line.
    language : str, optional
        Prefer labels in this language.

    Raises
    ------
    GraphError
        If a line is malformed or the file holds no triple, with the line and the way out.
    FileNotFoundError
        If there is no such file.
    """
    found: dict[str, str] = {}
    values: list[tuple[str, str, str]] = []
    kind = plain_name(path).suffix.lower()
    if kind in (".nt", ".ttl"):
        triples = _read_rdf(path, kind, found, values, language)
    else:
        triples = [(head, relation, tail) for _, (head, relation, tail) in _cells(path, 3)]
    if names is not None:
        found.update((entity, name) for _, (entity, name) in _cells(names, 2))
    if not triples and not found and not values:
        raise GraphError(f"{path} holds no triple between entities; expected head, relation and tail")
    return KnowledgeGraph.from_triples(triples, found, values)


def read_graph_pair(folder: PathLike) -> GraphPair:
    """Read a folder of DBP15K (``ent_ids_1``, ``triples_1``, ...) or of OpenEA (``rel_triples_1``, ``ent_links``).

    The attributes of OpenEA's folders (``attr_triples_1``) are read where they are there.

    Raises
    ------
    GraphError
        If a line is malformed or names an entity that is not there.
    FileNotFoundError
        If the folder has neither layout.
    """
    folder = Path(folder)
    if _in_folder(folder, "ent_ids_1").is_file():
        return _read_numbered(folder)
    if _in_folder(folder, "rel_triples_1").is_file():
        graphs = [read_graph(_in_folder(folder, f"rel_triples_{side}")) for side in (1, 2)]
        files = [_in_folder(folder, f"attr_triples_{side}") for side in (1, 2)]
        if all(file.is_file() for file in files):
            graphs = [graph.with_attributes(file) for graph, file in zip(graphs, files, strict=True)]
        ids = [{entity: row for row, entity in enumerate(graph.entities)} for graph in graphs]
        return GraphPair(graphs[0], graphs[1], dict(_links(folder, ids, skip_unknown=True)))
    raise FileNotFoundError(
        f"{folder} is no pair of graphs: expected ent_ids_1, ent_ids_2, triples_1, triples_2 (DBP15K), or "
        "rel_triples_1, rel_triples_2, ent_links (OpenEA)"
    )


def read_links(path: PathLike, pair: GraphPair) -> list[tuple[int, int]]:
    """Return the positions of known pairs: a left and a right entity between tabs, a pair a line; more is ignored.

    Raises
    ------
    GraphError
        If a line names no entity of either graph.
    """
    left, right = ({entity: row for row, entity in enumerate(graph.entities)} for graph in (pair.left, pair.right))
    rows = []
    for number, line in read_lines(path, blank="skip", error=GraphError):
        cells = line.split("\t")
        if len(cells) < 2 or cells[0] not in left or cells[1] not in right:
            raise GraphError(
                f"{input_name(path)}, line {number}: expected an entity of either graph between tabs: {line[:80]!r}"
            )
        rows.append((left[cells[0]], right[cells[1]]))
    return rows


def read_positions(path: PathLike, graph: KnowledgeGraph) -> list[int]:
    """Return the positions of the entities that a file names, one id a line, each once.

    Raises
    ------
    GraphError
        If there is none, or one is not in the graph.
    """
    places = {entity: row for row, entity in enumerate(graph.entities)}
    wanted = [line.strip() for _, line in read_lines(path, blank="skip", error=GraphError)]
    missing = [entity for entity in wanted if entity not in places]
    if missing or not wanted:
        raise GraphError(
            f"{input_name(path)}: expected ids of entities, one a line; {len(missing)} are not in the graph: "
            f"{missing[:3]}"
        )
    return [places[entity] for entity in dict.fromkeys(wanted)]


def _read_numbered(folder: Path) -> GraphPair:
    graphs, ids = [], []
    for side in (1, 2):
        uris = {entity: uri for _, (entity, uri) in _cells(_in_folder(folder, f"ent_ids_{side}"), 2)}
        places = {entity: row for row, entity in enumerate(uris)}
        relations: dict[str, int] = {}
        triples = []
        file = _in_folder(folder, f"triples_{side}")
        for line, (head, relation, tail) in _cells(file, 3):
            if head not in places or tail not in places:
                missing = tail if head in places else head
                raise GraphError(f"{file}, line {line}: {missing} is not in ent_ids_{side}")
            triples.append((places[head], relations.setdefault(relation, len(relations)), places[tail]))
        entities = tuple(uris.values())
        shown = tuple(name_from_uri(uri) for uri in entities)
        graphs.append(KnowledgeGraph(entities, shown, tuple(relations), np.array(triples, np.int64).reshape(-1, 3)))
        ids.append(places)
    return GraphPair(graphs[0], graphs[1], dict(_links(folder, ids, skip_unknown=False)))


def _links(folder: Path, ids: list[dict[str, int]], *, skip_unknown: bool) -> Iterator[tuple[str, NDArray[np.int64]]]:
    for name in _LINKS:
        file = _in_folder(folder, name)
        if not file.is_file():
            continue
        rows = []
        for line, (left, right) in _cells(file, 2):
            if left in ids[0] and right in ids[1]:
                rows.append((ids[0][left], ids[1][right]))
            elif not skip_unknown:
                raise GraphError(f"{file}, line {line}: {left} or {right} is no entity of its graph")
        yield name, np.array(rows, np.int64).reshape(-1, 2)


def _in_folder(folder: Path, name: str) -> Path:
    """Return the file of that name, or the compressed one where only that is there."""
    zipped = folder / f"{name}.gz"
    return zipped if zipped.is_file() and not (folder / name).is_file() else folder / name


def _cells(path: PathLike, width: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number and the cells of each line that is not blank."""
    for number, line in read_lines(path, error=GraphError):
        cells = tuple(line.split("\t"))
        if len(cells) == width:
            yield number, cells
        elif line.strip():
            raise GraphError(
                f"{input_name(path)}, line {number}: expected {width} columns between tabs, found {len(cells)}"
            )


def _read_rdf(
    path: PathLike, kind: str, names: dict[str, str], values: list[tuple[str, str, str]], language: str | None
) -> list[tuple[str, str, str]]:
    oxigraph: Any = require("pyoxigraph", extra="graph")
    format = oxigraph.RdfFormat.N_TRIPLES if kind == ".nt" else oxigraph.RdfFormat.TURTLE
    ranks: dict[str, int] = {}  # of the name that an entity has so far
    triples = []
    with open_binary(path, error=GraphError) as file:
        if file.peek(3).startswith(BOM_UTF8):
            file.read(3)
        try:
            for quad in oxigraph.parse(file, format=format):
                head, relation, tail = quad.subject, quad.predicate, quad.object
                if isinstance(tail, oxigraph.Literal):
                    if not isinstance(head, oxigraph.NamedNode):
                        continue
                    if relation.value not in _LABELS:
                        values.append((head.value, relation.value, tail.value))
                    else:
                        rank = 0 if language is None else label_rank(language, tail.language or "")
                        if head.value not in names or rank > ranks.get(head.value, 0):
                            names[head.value] = tail.value
                            ranks[head.value] = rank
                elif isinstance(head, oxigraph.NamedNode) and isinstance(tail, oxigraph.NamedNode):
                    triples.append((head.value, relation.value, tail.value))
        except SyntaxError as error:
            raise GraphError(f"{input_name(path)}, line {error.lineno}: {error.msg}; mend the file") from error
    return triples
