"""The command `interlingua graph align`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .command import Output, Subcommands, UsageError, add_command, check_output_file, count, open_lines, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.graphs.graph import GraphPair, KnowledgeGraph

_SHOWN = 10


def add_graph_commands(commands: Subcommands[ArgumentParser]) -> None:
    """Add `graph` with its verb."""
    summary = "align the entities of knowledge graphs"
    verbs = commands.add_parser("graph", help=summary, description=summary).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    align = add_command(verbs, "align", _align, "find the entities of two graphs that are the same")
    align.add_argument(
        "graphs",
        nargs="+",
        metavar="GRAPH",
        help="two files (.nt, .ttl, or triples between tabs), or one folder of DBP15K or OpenEA",
    )
    align.add_argument("-o", "--output", required=True, metavar="LINKS.tsv")
    align.add_argument("--seeds", metavar="LINKS", help="known links: two ids between tabs; or a file of the folder")
    align.add_argument(
        "--features",
        default="names,structure",
        metavar="LIST",
        help="of names, characters, structure, attributes (default names,structure)",
    )
    align.add_argument("--candidates", nargs=2, metavar="IDS", help="files with the ids to link, left and right")
    align.add_argument("-k", type=count, metavar="N", help="the N best of each left entity; default: one-to-one")
    align.add_argument("--least", type=float, default=0.0, metavar="X", help="no link of a lower confidence")
    align.add_argument(
        "--precision", type=float, metavar="P", help="only as many links, best first, as are right with share P"
    )
    align.add_argument("--names", nargs=2, metavar="NAMES", help="further names, left and right: an entity and a name "
                       "between tabs, such as a translation; - where there are none")  # fmt: skip
    align.add_argument("--attributes", nargs=2, metavar="VALUES", help="attributes, left and right: entity, attribute "
                       "and value between tabs; the feature attributes uses them")  # fmt: skip
    align.add_argument("--rounds", type=int, default=3, metavar="N", help="of labels from sure pairs (default 3)")
    align.add_argument("--same-as", metavar="FILE.nt", help="also write the links as owl:sameAs")
    align.add_argument("--encoder", metavar="NAME", help="default: the bundled one")


def _align(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.graphs.align import align_graphs

    for path in (options.output, options.same_as):
        if path:
            check_output_file(path)
    features = [name.strip() for name in options.features.split(",") if name.strip()]
    if options.precision is not None and options.k:
        raise UsageError(
            "--precision is of one-to-one links, and -k asks for several candidates; leave one of them out"
        )
    if options.precision is not None and not 0 < options.precision <= 1:
        raise UsageError(f"--precision is above 0 and at most 1, but is {options.precision:g}")
    if options.attributes and "attributes" not in features:
        features.append("attributes")
    pair = _more(_read(options.graphs), options.names or (), options.attributes or ())
    seeds: Any = None
    if options.seeds in pair.links:
        seeds = pair.links[options.seeds]
    elif options.seeds:
        seeds = _links(options.seeds, pair)
    candidates = None
    if options.candidates:
        left, right = options.candidates
        candidates = (_ids(left, pair.left), _ids(right, pair.right))
    with output.working("aligning"):
        found = align_graphs(
            pair.left,
            pair.right,
            seeds,
            features=features,
            encoder=load_encoder(options.encoder) if "names" in features else None,
            candidates=candidates,
            k=options.k,
            rounds=options.rounds,
            seed=options.seed,
            progress=output.progress,
        ).least(options.least)
    every = len(found)
    if options.precision is not None:
        found = found.for_precision(options.precision)
    found.write(options.output)
    if options.same_as:
        found.write_same_as(options.same_as)
    left_out = f"; {every - len(found)} less sure ones left out" if every > len(found) else ""
    output.note(
        f"{options.output}: {len(found)} links between {len(pair.left)} and {len(pair.right)} entities{left_out}"
    )
    best = [
        (f"{each.confidence:.3f}", shorten(each.left, 60), shorten(each.right, 60)) for each in found.links[:_SHOWN]
    ]
    output.result(
        {"links": len(found), "rounds": list(found.history)},
        lambda: [table("confidence>", "left", "right", rows=best)],
    )


def _read(paths: list[str]) -> GraphPair:
    from interlingua.pipelines.graphs.graph import GraphPair, read_graph, read_graph_pair

    if len(paths) == 1 and Path(paths[0]).is_dir():
        return read_graph_pair(paths[0])
    if len(paths) != 2:
        raise UsageError(f"two graphs are aligned, or one folder that holds both, but there are {len(paths)} files")
    return GraphPair(read_graph(paths[0]), read_graph(paths[1]))


def _more(pair: GraphPair, names: Sequence[str], attributes: Sequence[str]) -> GraphPair:
    """Return the pair with further names and with attributes."""
    graphs = [pair.left, pair.right]
    for side, path in enumerate(names):
        graphs[side] = graphs[side] if path == "-" else graphs[side].with_names(path)
    for side, path in enumerate(attributes):
        graphs[side] = graphs[side].with_attributes(path)
    return replace(pair, left=graphs[0], right=graphs[1])


def _links(path: str, pair: GraphPair) -> list[tuple[int, int]]:
    left, right = ({entity: row for row, entity in enumerate(graph.entities)} for graph in (pair.left, pair.right))
    rows = []
    with open_lines(path) as lines:
        for number, line in enumerate(lines, 1):
            cells = line.split("\t")
            if len(cells) < 2 or cells[0] not in left or cells[1] not in right:
                raise ValueError(
                    f"{path}, line {number}: expected an entity of either graph between tabs: {line[:80]!r}"
                )
            rows.append((left[cells[0]], right[cells[1]]))
    return rows


def _ids(path: str, graph: KnowledgeGraph) -> list[int]:
    places = {entity: row for row, entity in enumerate(graph.entities)}
    with open_lines(path) as lines:
        wanted = [line.strip() for line in lines if line.strip()]
    missing = [entity for entity in wanted if entity not in places]
    if missing or not wanted:
        raise ValueError(
            f"{path}: expected ids of entities, one a line; {len(missing)} are not in the graph: {missing[:3]}"
        )
    return [places[entity] for entity in dict.fromkeys(wanted)]
