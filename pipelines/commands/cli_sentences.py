"""The options of an encoder, for the commands that still parse with argparse."""

from argparse import ArgumentParser


def add_encoder_options(parser: ArgumentParser) -> None:
    """Add the options that choose and drive an encoder."""
    group = parser.add_argument_group("encoder")
    group.add_argument(
        "--encoder",
        metavar="NAME",
        help="a sentence-transformers model, a folder, or a file of word vectors; "
        "default: the bundled multilingual-e5-small",
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    group.add_argument("--no-cache", action="store_true", help="do not keep vectors on disk")
