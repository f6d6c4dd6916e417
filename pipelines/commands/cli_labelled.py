"""What the commands on labelled texts share: the files, and the settings of fine-tuning."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlingua.pipelines.texts.lines import open_lines

from .arguments import UsageError, named_file
from .legacy import count

if TYPE_CHECKING:
    from interlingua.pipelines.texts.labelled import Labelled, LabelledWords
    from interlingua.pipelines.train.settings import FineTuning

#: Option: setting of `FineTuning`; those that a study searches.
TUNED = {
    "--batch-size": "batch_size",
    "--learning-rate": "learning_rate",
    "--warmup": "warmup",
    "--layer": "layer",
    "--adversarial-weight": "adversarial_weight",
}


def add_labelled_options(parser: ArgumentParser) -> None:
    """Add the options that name files of labelled texts and what is fixed in fine-tuning."""
    data = parser.add_argument_group("labelled texts")
    data.add_argument(
        "--train",
        required=True,
        metavar="LANGUAGE=FILE",
        help="texts and labels as columns of a TSV file; words and tags with --words or from .conllu and .conll files",
    )
    data.add_argument("--text-column", default="text", metavar="NAME", help="or a number from 0 (default text)")
    data.add_argument("--label-column", default="category", metavar="NAME", help="or a number (default category)")
    data.add_argument("--words", action="store_true", help="label words: a word and its tag a line (CoNLL)")
    data.add_argument(
        "--others",
        nargs="+",
        default=[],
        metavar="LANGUAGE=FILE",
        help="texts of other languages, one a line and without labels, for --adversarial",
    )
    model = parser.add_argument_group("model")
    model.add_argument("--encoder", metavar="NAME", help="a transformer, by folder or name; default: the bundled one")
    model.add_argument("--revision", metavar="NAME", help="branch, tag or commit of an encoder on the Hugging Face Hub")
    model.add_argument("--pooling", default="mean", choices=["mean", "cls"], help="default: mean")
    model.add_argument("--prompt", help="before each text; default: what the encoder wants")
    model.add_argument("--max-length", type=count, default=128, metavar="N", help="tokens of a text (default 128)")
    model.add_argument("--train-embeddings", action="store_true", help="train the word embeddings too")
    model.add_argument("--frozen-layers", type=int, default=0, metavar="N", help="keep the N lowest layers")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--adversarial",
        default="none",
        choices=["none", "reversal", "alternating"],
        help="hide the language from a discriminator; plain runs are printed beside (default none)",
    )
    training.add_argument("--epochs", type=float, default=3.0, metavar="X", help="default 3")
    training.add_argument("--head-rate", type=float, default=1e-3, metavar="X", help="of the new layer (default 1e-3)")
    training.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    training.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16"])


def add_tuned_options(parser: ArgumentParser) -> None:
    """Add the options that `tune` searches."""
    group = parser.add_argument_group("settings that `interlingua tune` searches")
    group.add_argument("--batch-size", type=count, default=16, metavar="N", help="default 16")
    group.add_argument("--learning-rate", type=float, default=1e-4, metavar="X", help="default 1e-4")
    group.add_argument("--warmup", type=float, default=0.1, metavar="P", help="share of the steps (default 0.1)")
    group.add_argument("--layer", type=count, metavar="N", help="read hidden layer N; default: the last")
    group.add_argument("--adversarial-weight", type=float, default=0.1, metavar="X", help="default 0.1")


def fine_tuning(options: Namespace) -> FineTuning:
    """Return the settings that the options say.

    Raises
    ------
    UsageError
        If they do not fit together.
    """
    from interlingua.pipelines.train.settings import FineTuning

    if options.adversarial != "none" and not options.others:
        raise UsageError("--adversarial needs texts of other languages, without labels: --others LANGUAGE=FILE ...")
    if options.revision is not None and (options.encoder is None or Path(options.encoder).is_dir()):
        raise UsageError("--revision is one of a model on the Hugging Face Hub; name that model with --encoder")
    tuned = {name: getattr(options, name) for name in TUNED.values() if hasattr(options, name)}
    return FineTuning(
        encoder=options.encoder,
        revision=options.revision,
        pooling=options.pooling,
        prompt=options.prompt,
        max_length=options.max_length,
        freeze_embeddings=not options.train_embeddings,
        frozen_layers=options.frozen_layers,
        adversarial=options.adversarial,
        epochs=options.epochs,
        head_rate=options.head_rate,
        device=options.device,
        dtype=options.dtype,
        seed=options.seed,
        **tuned,
    )


def read_labelled_file(argument: str, options: Namespace) -> Labelled | LabelledWords:
    """Return the labelled texts, or words, of ``LANGUAGE=FILE``."""
    from interlingua.pipelines.texts.labelled import read_conll, read_labelled

    language, path = named_file(argument, named=True)
    if options.words or Path(path).suffix in (".conllu", ".conll"):
        return read_conll(path, language)
    text, label = (int(each) if each.isdigit() else each for each in (options.text_column, options.label_column))
    return read_labelled(path, language, text=text, label=label)


def read_others(options: Namespace) -> dict[str, Sequence[Any]]:
    """Return the texts of `--others` by language, as words where words are labelled."""
    found: dict[str, Sequence[Any]] = {}
    words = options.words or Path(named_file(options.train, named=True)[1]).suffix in (".conllu", ".conll")
    for argument in options.others:
        language, path = named_file(argument, named=True)
        with open_lines(path) as lines:
            texts = [line for line in lines if line.strip()]
        found[language] = [text.split() for text in texts] if words else texts
    return found


def command_line(options: Namespace, chosen: Mapping[str, Any]) -> str:
    """Return the `train finetune` that trains with what was chosen."""
    parts = ["interlingua train finetune", f"--train {options.train}"]
    for name in ("encoder", "revision", "prompt"):
        if getattr(options, name) is not None:
            parts.append(f"--{name} {getattr(options, name)!r}")
    for name, default in (("text_column", "text"), ("label_column", "category"), ("pooling", "mean")):
        if getattr(options, name) != default:
            parts.append(f"--{name.replace('_', '-')} {getattr(options, name)}")
    for name, usual in (("max_length", 128), ("frozen_layers", 0), ("epochs", 3.0), ("head_rate", 1e-3)):
        if getattr(options, name) != usual:
            parts.append(f"--{name.replace('_', '-')} {getattr(options, name):g}")
    for name in ("words", "train_embeddings"):
        if getattr(options, name):
            parts.append(f"--{name.replace('_', '-')}")
    if options.adversarial != "none":
        parts.append(f"--adversarial {options.adversarial} --others {' '.join(options.others)}")
    for option, name in TUNED.items():
        if name in chosen:
            parts.append(f"{option} {chosen[name]:.4g}")
    return " ".join([*parts, f"--seed {options.seed}", "-o MODEL"])
