"""What a pre-training is known by: the record that a resumed run is compared with, and the card of its model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from interlingua.align.files import replacing

from .bitext import Pair
from .corpus import Corpus
from .pretraining_model import NewModel
from .pretraining_settings import PretrainingResult, PretrainingSettings
from .pretraining_trainer import last_checkpoint

__all__ = ["RECORD", "check_record", "model_card", "run_record"]

RECORD = "pretraining.json"


def run_record(
    texts: Corpus[str],
    pairs: Corpus[Pair] | None,
    held_out: Mapping[str, Sequence[str]],
    start: NewModel | str | Path,
    settings: PretrainingSettings,
) -> dict[str, Any]:
    """Return what makes a run this one and no other, as JSON gives it back."""
    record = {
        "settings": asdict(settings),
        "start": asdict(start) if isinstance(start, NewModel) else str(start),
        "sentences": dict(texts.counts),
        "pairs": dict(pairs.counts) if pairs else {},
        "held_out": {name: len(some) for name, some in held_out.items()},
        "corpus": [texts.fingerprint, pairs.fingerprint if pairs else ""],
    }
    return dict(json.loads(json.dumps(record)))


def check_record(work: Path, record: dict[str, Any]) -> None:
    """Keep the record of a run that begins in `work`, or compare it with the one that is kept there.

    Raises
    ------
    ValueError
        If the run that was begun is another one.
    """
    path = work / RECORD
    if not path.exists():
        if last_checkpoint(work / "checkpoints") is not None:
            raise ValueError(f"{work} has checkpoints but no {RECORD}; remove that folder and begin anew")
        work.mkdir(exist_ok=True)
        with replacing(path, "w") as file:
            json.dump(record, file, indent=1)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for key, value in record.items():
        if found.get(key) == value:
            continue
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            names = [name for name in value if found[key].get(name) != value[name]]
            changed = ", ".join(f"{name} was {found[key].get(name)}, now {value[name]}" for name in names)
        else:
            changed = f"was {found.get(key)}, now {value}"
        raise ValueError(f"{work} was begun with another {key} ({changed}); give what it was, or remove that folder")


def model_card(record: dict[str, Any], result: PretrainingResult) -> str:
    """Return the README of the model: what it was trained on, how long, and how well it guesses."""
    last = result.history[-1] if result.history else {}
    losses = ", ".join(f"{name.partition(' ')[2]} {value:.3f}" for name, value in last.items() if " " in name)
    objective = "masked and translation" if record["pairs"] else "masked"
    told = record["settings"]["language_embeddings"]
    facts = {
        "Parameters": f"{result.n_parameters:,}",
        "Steps": f"{record['settings']['steps']:,}, {result.tokens:,} tokens",
        "Sentences": _counts(record["sentences"]),
        "Pairs": _counts(record["pairs"]) or "none",
        "Held-out loss, nats a masked token": losses or "not measured",
        "Languages as token_type_ids": "`interlingua_languages` in config.json; 0 is not told" if told else "no",
        "Settings and the whole curve": RECORD,
    }
    lines = "".join(f"- {name}: {value}\n" for name, value in facts.items())
    return (
        "# A multilingual encoder\n\n"
        f"Pre-trained by {objective} language modelling. The vector of a text is the mean of those of its tokens.\n\n"
        f"{lines}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
