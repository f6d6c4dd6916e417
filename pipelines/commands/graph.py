"""The command `graph align`: the entities of two knowledge graphs that are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file
from .command import EncoderName, OutputFile, command, options_of
from .output import Output, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.graphs.graph import GraphPair

_SHOWN = 10


@command(
    aligning=options_of(
        "interlingua.pipelines.graphs.align:align_graphs",
        omit=("left", "right"),
        commas=("features",),
    ),
    reading=options_of("interlingua.pipelines.graphs.graph:read_graph", only=("language",)),
)
def align(
    console: Output,
    aligning: dict[str, Any],
    reading: dict[str, Any],
    *graphs: Annotated[str, Parameter("GRAPH")],
    output: OutputFile,
    seeds: Annotated[str | None, Parameter(metavar="LINKS")] = None,
    candidates: Annotated[tuple[str, str] | None, Parameter(metavar="IDS IDS")] = None,
    least: float = 0.0,
    precision: float | None = None,
    names: Annotated[tuple[str, str] | None, Parameter(metavar="NAMES NAMES")] = None,
    attributes: Annotated[tuple[str, str] | None, Parameter(metavar="VALUES VALUES")] = None,
    same_as: Annotated[str | None, Parameter(metavar="FILE.nt")] = None,
    skip_malformed: bool = False,
    encoder: EncoderName = None,
) -> None:
    """Find the entities of two graphs that are the same.

    Parameters
    ----------
    graphs : str
        Two files (.nt .ttl .rdf .owl .jsonld, or triples between tabs), or one folder of DBP15K or OpenEA.
    output : str
        The links with the names of both sides, LINKS.tsv.
    seeds : str, optional
        Known links: two ids between tabs, LINKS.tsv itself, or owl:sameAs in RDF; or a file of the folder.
    candidates : (str, str), optional
        Files with the ids to link, left and right.
    least : float
        No link of a lower confidence.
    precision : float, optional
        Only as many links, best first, as are right with this share.
    names : (str, str), optional
        Further names, left and right: an entity and a name between tabs, such as a translation; - where there are none.
    attributes : (str, str), optional
        Attributes, left and right: entity, attribute and value between tabs; the feature attributes uses them.
    same_as : str, optional
        Also write the links as owl:sameAs.
    skip_malformed : bool
        Leave out, and count, lines of .nt files and of tables that are no triple.
    encoder : str
        A model; by default the bundled one.

    Examples
    --------
    ::

        interlingua graph align LEFT.ttl RIGHT.ttl --seeds LINKS.tsv --precision 0.95 -o LINKS.tsv
    """
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.graphs.align import align_graphs
    from interlingua.pipelines.graphs.graph import read_links, read_positions

    for path in (output, same_as):
        if path:
            check_output_file(path)
    if precision is not None and aligning["k"]:
        raise UsageError(
            "--precision is of one-to-one links, and -k asks for several candidates; leave one of them out"
        )
    if precision is not None and not 0 < precision <= 1:
        raise UsageError(f"--precision is above 0 and at most 1, but is {precision:g}")
    if attributes and "attributes" not in aligning["features"]:
        aligning["features"] = [*aligning["features"], "attributes"]
    reading["on_malformed"] = "skip" if skip_malformed else "raise"
    pair = _more(_read(graphs, reading), names or (), attributes or ())
    for path, graph in zip(graphs, (pair.left, pair.right)):
        if graph.malformed:
            console.note(f"{path}: {graph.malformed} malformed lines left out")
    known: Any = None
    if seeds in pair.links:
        known = pair.links[seeds]
    elif seeds:
        known = read_links(seeds, pair)
    if candidates:
        left, right = candidates
        aligning["candidates"] = (read_positions(left, pair.left), read_positions(right, pair.right))
    if "names" in aligning["features"]:
        aligning["encoder"] = load_encoder(encoder)
    with console.working("aligning"):
        found = align_graphs(pair.left, pair.right, known, **aligning).least(least)
    every = len(found)
    if precision is not None:
        found = found.for_precision(precision)
    found.write(output)
    if same_as:
        found.write_same_as(same_as)
    left_out = f"; {every - len(found)} less sure ones left out" if every > len(found) else ""
    console.note(f"{output}: {len(found)} links between {len(pair.left)} and {len(pair.right)} entities{left_out}")
    best = [
        (
            f"{each.confidence:.3f}",
            *(shorten(text, 40) for text in (each.left_name, each.right_name, each.left, each.right)),
        )
        for each in found.links[:_SHOWN]
    ]
    console.result(
        {"links": len(found), "rounds": list(found.history)},
        lambda: [table("confidence>", "name", "name", "left", "right", rows=best)],
    )


def _read(paths: Sequence[str], reading: dict[str, Any]) -> GraphPair:
    from interlingua.pipelines.graphs.graph import GraphPair, read_graph, read_graph_pair

    if len(paths) == 1 and Path(paths[0]).is_dir():
        if reading["language"]:
            raise UsageError("--language is of the labels in RDF, not of a folder")
        return read_graph_pair(paths[0])
    if len(paths) != 2:
        raise UsageError(f"two graphs are aligned, or one folder that holds both, but there are {len(paths)} files")
    return GraphPair(read_graph(paths[0], **reading), read_graph(paths[1], **reading))


def _more(pair: GraphPair, names: Sequence[str], attributes: Sequence[str]) -> GraphPair:
    """Return the pair with further names and with attributes."""
    graphs = [pair.left, pair.right]
    for side, path in enumerate(names):
        graphs[side] = graphs[side] if path == "-" else graphs[side].with_names(path)
    for side, path in enumerate(attributes):
        graphs[side] = graphs[side].with_attributes(path)
    return replace(pair, left=graphs[0], right=graphs[1])
