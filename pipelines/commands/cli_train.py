"""The commands `interlingua train ...`."""

from argparse import ArgumentParser

from .cli_head import add_head_command
from .cli_train_contrastive import add_contrastive_command, add_distill_command
from .cli_train_finetune import add_finetune_command
from .cli_train_pretrain import add_pretrain_command
from .legacy import Subcommands


def add_train_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `train` with a command for each way to train an encoder."""
    train = commands.add_parser("train", help="train an encoder, or a head on one")
    inner = train.add_subparsers(dest="train_command", required=True, metavar="COMMAND")
    add_head_command(inner)
    add_contrastive_command(inner)
    add_distill_command(inner)
    add_pretrain_command(inner)
    add_finetune_command(inner)
