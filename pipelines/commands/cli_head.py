"""The command `interlingua train head`: a shared space from sentence pairs, on an encoder that stays as it is."""

from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Mapping
from typing import Any, get_args

from interlingua.align import SharedSpace
from interlingua.align.sentence import Capacity, ParallelVectors, align_sentences
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.texts.pairs import Pairs

from .arguments import UsageError, check_output_file
from .cli_sentences import add_encoder_options
from .cli_train_options import add_pair_options, named_pairs, note_pairs, open_pairs
from .legacy import Subcommands, add_command, count
from .output import Output, table


def add_head_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `head`."""
    head = add_command(commands, "head", _head, "learn a shared space from sentence pairs; the encoder stays as it is")
    add_pair_options(head, required=True)
    head.add_argument(
        "--validation",
        nargs="+",
        default=[],
        metavar="SOURCE-TARGET=FILE",
        help="pairs of other domains to choose by; nothing is fitted to them",
    )
    head.add_argument(
        "--capacity",
        default="auto",
        choices=get_args(Capacity),
        help="the largest head that is tried; default: auto, by the number of pairs",
    )
    head.add_argument("--pivot", default="", metavar="NAME", help="score and train mostly against this language")
    head.add_argument("--held-out", type=float, default=0.1, metavar="SHARE", help="share to choose by (default 0.1)")
    head.add_argument(
        "--seeds", type=count, default=1, metavar="N", help="repetitions of a contrastive head (default 1)"
    )
    add_encoder_options(head)
    head.add_argument("--role", default="symmetric", choices=["symmetric", "query", "passage"])
    head.add_argument("-o", "--output", required=True, metavar="SPACE", help="where to write the space")


def encode_pairs(
    encoder: Encoder, files: Mapping[str, Pairs], *, role: Role = "symmetric", progress: bool = False
) -> ParallelVectors:
    """Encode sentence pairs; each file, and in it each pair of languages, is a domain.

    Parameters
    ----------
    encoder : Encoder
    files : mapping of str to Pairs
        What `read_pairs` returns, by name.
    role : {"symmetric", "query", "passage"}
        The prompt of both sides.
    progress : bool
        Show a bar.

    Raises
    ------
    ValueError
        If a file holds no pair, or does not say its languages.
    """
    domains: dict[str, dict[str, Any]] = {}
    for name, pairs in files.items():
        texts: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
        for pair in pairs:
            both = texts.setdefault((pair.source_language, pair.target_language), ([], []))
            both[0].append(pair.source)
            both[1].append(pair.target)
        if not texts:
            raise ValueError(f"{name} holds no sentence pair to learn from: {pairs.report.summary()}")
        for languages, sides in texts.items():
            if languages == ("source", "target"):
                raise ValueError(f"{name} does not name its languages; write SOURCE-TARGET=FILE, such as en-sw={name}")
            if languages[0] == languages[1]:
                raise ValueError(f"{name} pairs {languages[0]!r} with itself; a head needs two languages")
            domain = name if len(texts) == 1 else f"{name}: {'-'.join(languages)}"
            domains[domain] = {
                language: encoder.encode(side, role=role, progress=progress)
                for language, side in zip(languages, sides, strict=True)
            }
    return ParallelVectors.of(domains)


def _check_pivot(pivot: str, languages: Collection[str]) -> None:
    if pivot and pivot not in languages:
        raise UsageError(
            f"the pivot must be a language of the pairs, but {pivot!r} is none of {', '.join(sorted(languages))}"
        )


def _head(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.encoders.load import load_encoder

    check_output_file(options.output)
    files = open_pairs(options)
    validation = open_pairs(Namespace(**{**vars(options), "pairs": options.validation}))
    if set(files) & set(validation):
        raise UsageError(f"{', '.join(sorted(set(files) & set(validation)))} is given to learn from and to choose by")
    named = [named_pairs(each)[1] for each in options.pairs]
    if all(named):  # else only the files tell
        _check_pivot(options.pivot, {name for languages in named for name in languages or ()})
    with output.working("loading the encoder"):
        encoder = load_encoder(options.encoder, device=options.device, cache=not options.no_cache)
    parallel = encode_pairs(encoder, files, role=options.role, progress=output.progress)
    _check_pivot(options.pivot, parallel.languages)
    other = encode_pairs(encoder, validation, role=options.role, progress=output.progress) if validation else None
    note_pairs({**files, **validation}, output)

    def tell(entry: Mapping[str, Any]) -> None:
        if "iteration" not in entry:
            output.note(f"{entry['candidate']}: {100 * entry['accuracy']:.2f} % found, {entry['surprisal']:.4f} nats")

    with output.working(f"learning from {parallel.n_pairs} pairs"):
        found = align_sentences(
            parallel,
            validation=other,
            capacity=options.capacity,
            pivot=options.pivot,
            held_out=options.held_out,
            n_seeds=options.seeds,
            seed=options.seed,
            encoder=encoder.identity,
            device=options.device,
            callback=tell,
        )
    provenance = {**found.provenance, "role": options.role}
    space = SharedSpace(found.maps, found.method, found.encoder, found.scores, provenance)
    space.save(options.output)
    candidates = space.provenance["candidates"]
    chosen = space.provenance["chosen"]["candidate"]
    result = {
        "space": options.output,
        "method": space.method,
        "chosen": space.provenance["chosen"],
        "candidates": candidates,
        "languages": list(space.languages),
        "pairs": parallel.n_pairs,
        "encoder": encoder.identity,
        "scores": dict(space.scores),
    }
    rows = [
        (
            ("* " if each["candidate"] == chosen else "  ") + each["candidate"],
            f"{100 * each['accuracy']:.2f}",
            f"{each['surprisal']:.4f}",
        )
        for each in candidates
    ]
    output.result(
        result,
        lambda: [
            table("candidate", "held-out top-1 %>", "surprisal (nats)>", rows=rows),
            f"chosen: {chosen}, {space.provenance['chosen']['because']}",
            *([space.provenance["not_tried"]] if space.provenance["not_tried"] else []),
            f"written: {options.output}",
        ],
    )
