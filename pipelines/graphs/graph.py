"""Knowledge graphs and their files: DBP15K and OpenEA folders, RDF, tab-separated triples."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.pipelines.texts.languages import label_rank
from interlingua.pipelines.texts.lines import PathLike, input_name, line_blocks, open_binary, plain_name, read_lines

from .nested import Nested, too_many_quoted

_LABELS = ("http://www.w3.org/2000/01/rdf-schema#label", "http://www.w3.org/2004/02/skos/core#prefLabel")
_FURTHER_LABEL = "http://www.w3.org/2004/02/skos/core#altLabel"
_RDF = {".nt": "N_TRIPLES", ".ttl": "TURTLE", ".rdf": "RDF_XML", ".owl": "RDF_XML", ".jsonld": "JSON_LD"}
_WAY_OUT = "mend the file, or convert it to N-Triples, of which lines can be skipped"
_BLOCK = 2000  # lines of N-Triples that are parsed at once
SAME_AS = "http://www.w3.org/2002/07/owl#sameAs"
_HEADER = ["left", "right"]
OnMalformed = Literal["raise", "skip"]
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
    other_names : tuple of (int, str, str)
        Position of an entity, a further name, such as a translation, and its language, "" where that is not known.
    malformed : int
        Lines that were left out in reading.
    """

    entities: tuple[str, ...]
    names: tuple[str, ...]
    relations: tuple[str, ...]
    triples: NDArray[np.int64]
    attributes: tuple[tuple[int, str, str], ...] = ()
    other_names: tuple[tuple[int, str, str], ...] = ()
    malformed: int = 0

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
        named = tuple((places[entity], name, "") for entity, name in rows if entity in places and name.strip())
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


def read_graph(
    path: PathLike,
    *,
    names: PathLike | None = None,
    language: str | None = None,
    on_malformed: OnMalformed = "raise",
) -> KnowledgeGraph:
    """Read one graph from a file.

    ``.nt``, ``.ttl``, ``.rdf`` or ``.owl`` (RDF/XML) and ``.jsonld`` need pyoxigraph: triples between resources are
    kept, rdfs:label, skos:prefLabel and skos:altLabel are names, other literals attributes. Of several labels one is
    the name, the others are further names. Anything else is head, relation and tail between tabs, one triple a line.
    Files may be compressed.

    Parameters
    ----------
    path : str or path
        ``-`` is standard input, of triples between tabs.
    names : str or path, optional
        Entity and name between tabs, one a line.
    language : str, optional
        Of the labels that are names, ``en`` is also that of ``en-GB``; by default those without a language, then
        English ones, then those of the language that comes first by its tag.
    on_malformed : {"raise", "skip"}
        A line that is no triple: raise, or drop and count it. Only N-Triples and tables have lines of their own, so
        that errors elsewhere are raised.

    Raises
    ------
    GraphError
        If a line is malformed or the file holds no triple, with the line and the way out.
    FileNotFoundError
        If there is no such file.
    """
    labels = _Labels(language)
    values: list[tuple[str, str, str]] = []
    skipped: list[int] | None = [] if on_malformed == "skip" else None
    kind = _RDF.get(plain_name(path).suffix.lower())
    if kind is not None:
        triples = _read_rdf(path, kind, labels, values, skipped)
    else:
        triples = [(head, relation, tail) for _, (head, relation, tail) in _cells(path, 3, skipped)]
    found = labels.names()
    if names is not None:
        found.update((entity, name) for _, (entity, name) in _cells(names, 2, skipped))
    if not triples and not found and not values:
        raise GraphError(f"{path} holds no triple between entities; expected head, relation and tail")
    graph = KnowledgeGraph.from_triples(triples, found, values)
    return replace(graph, other_names=labels.further(graph), malformed=len(skipped or ()))


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
    """Return the positions of known pairs, from a table or from triples of owl:sameAs.

    Parameters
    ----------
    path : str or path
        A left and a right entity between tabs, a pair a line; more is ignored, as is a first line "left", "right", so
        that links which were found can be given back. ``.nt`` and ``.ttl``: owl:sameAs in either direction; those of
        other entities are passed over.
    pair : GraphPair

    Raises
    ------
    GraphError
        If a line of a table names no entity of either graph, or no triple is of entities of both.
    """
    left, right = ({entity: row for row, entity in enumerate(graph.entities)} for graph in (pair.left, pair.right))
    rows = []
    if kind := _RDF.get(plain_name(path).suffix.lower()):
        for head, relation, tail, _ in _rdf_triples(path, kind, None):
            for one, other in ((head, tail), (tail, head)) if relation == SAME_AS else ():
                rows += [(left[one], right[other])] if one in left and other in right else []
        if not rows:
            raise GraphError(f"{input_name(path)}: expected owl:sameAs between an entity of either graph; found none")
        return list(dict.fromkeys(rows))
    for number, line in read_lines(path, blank="skip", error=GraphError):
        cells = line.split("\t")
        if number == 1 and cells[:2] == _HEADER:
            continue
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


def _cells(path: PathLike, width: int, skipped: list[int] | None = None) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number and the cells of each line that is not blank; others are refused, or noted in `skipped`."""
    for number, line in read_lines(path, error=GraphError):
        cells = tuple(line.split("\t"))
        if len(cells) == width:
            yield number, cells
        elif line.strip():
            what = f"expected {width} columns between tabs, found {len(cells)}"
            _skip_or_raise(path, number, what, "read with on_malformed='skip'", skipped)


def _skip_or_raise(path: PathLike, number: int, what: str, way_out: str, skipped: list[int] | None) -> None:
    if skipped is None:
        raise GraphError(f"{input_name(path)}, line {number}: {what}; mend it, or {way_out}")
    skipped.append(number)


class _Labels:
    """The labels of entities, of which one is the name."""

    def __init__(self, language: str | None) -> None:
        self._language = language
        self._of: dict[str, dict[tuple[str, str], bool]] = {}  # (text, language) -> whether it may be the name

    def add(self, entity: str, text: str, language: str, *, preferred: bool) -> None:
        if text.strip():
            own = self._of.setdefault(entity, {})
            own[text, language] = own.get((text, language), False) or preferred

    def names(self) -> dict[str, str]:
        return {entity: next(iter(each))[0] for entity, each in self._ordered()}

    def further(self, graph: KnowledgeGraph) -> tuple[tuple[int, str, str], ...]:
        places = {entity: row for row, entity in enumerate(graph.entities)}
        return tuple(
            (places[entity], text, language)
            for entity, each in self._ordered()
            for text, language in each
            if text != graph.names[places[entity]]
        )

    def _ordered(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        # whatever the order of the file is, the same label is the name
        for entity, own in self._of.items():
            ranked = [
                (not preferred, *_label_order(self._language, language), text)
                for (text, language), preferred in own.items()
            ]
            yield entity, [(text, language) for *_, language, text in sorted(ranked)]


@cache
def _label_order(wanted: str | None, language: str) -> tuple[int, bool, bool, str]:
    rank = 0 if wanted is None else label_rank(wanted, language)
    return -rank, language != "", label_rank("en", language) < 2, language


def _read_rdf(
    path: PathLike, kind: str, labels: _Labels, values: list[tuple[str, str, str]], skipped: list[int] | None
) -> list[tuple[str, str, str]]:
    triples = []
    for head, relation, tail, language in _rdf_triples(path, kind, skipped):
        if language is None:
            triples.append((head, relation, tail))
        elif relation in _LABELS or relation == _FURTHER_LABEL:
            labels.add(head, tail, language, preferred=relation in _LABELS)
        else:
            values.append((head, relation, tail))
    return triples


def _rdf_triples(path: PathLike, kind: str, skipped: list[int] | None) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield subject, predicate and object, and the object's language: None for a resource, "" where it has none.

    Blank nodes are passed over; IRIs may have characters that the standard does not allow.
    """
    oxigraph: Any = require("pyoxigraph", extra="graph")
    format = getattr(oxigraph.RdfFormat, kind)

    def parsed(text: Any) -> Iterator[tuple[str, str, str, str | None]]:
        for quad in oxigraph.parse(text, format=format, lenient=True):
            head, tail = quad.subject, quad.object
            if isinstance(head, oxigraph.NamedNode):
                if isinstance(tail, oxigraph.NamedNode):
                    yield head.value, quad.predicate.value, tail.value, None
                elif isinstance(tail, oxigraph.Literal):
                    yield head.value, quad.predicate.value, tail.value, tail.language or ""

    if kind != "N_TRIPLES":
        with open_binary(path, error=GraphError) as file:
            if file.peek(3).startswith(BOM_UTF8):
                file.read(3)
            text = Nested(file, input_name(path), kind, GraphError)
            try:
                yield from parsed(text)
            except SyntaxError as error:
                place = f", line {error.lineno}" if error.lineno else ""
                raise GraphError(f"{input_name(path)}{place}: {error.msg}; {_WAY_OUT}") from error
            except MemoryError as error:  # the parser's own bound
                what = "a name, text or comment may have at most 16 MiB"
                raise GraphError(f"{input_name(path)}, after line {text.line}: {what}; {_WAY_OUT}") from error
        return
    for block in line_blocks(path, _BLOCK, blank="skip", error=GraphError):
        for number, line in block:
            if refused := too_many_quoted(line):
                _skip_or_raise(path, number, refused, "read with on_malformed='skip'", skipped)
        block = [(number, line) for number, line in block if not too_many_quoted(line)]
        try:
            found = list(parsed("\n".join(line for _, line in block)))
        except SyntaxError:  # rare: then line by line, to tell which
            found = []
            for number, line in block:
                try:
                    found += parsed(line)
                except SyntaxError as error:
                    _skip_or_raise(path, number, str(error.msg), "read with on_malformed='skip'", skipped)
        yield from found
