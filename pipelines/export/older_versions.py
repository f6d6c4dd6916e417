"""A model's settings in words that older versions of sentence-transformers and transformers know as well."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from interlingua.pipelines.encoders.identity import read_json

_POOLINGS = {  # what version 6 calls a way of pooling, and the setting that older versions have for it
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_SEQUENCE_SETTINGS = ("max_seq_length", "do_lower_case")
_PLAIN_TASK = "feature-extraction"


def write_for_older_versions(folder: Path, source: Path | None, model: Any) -> None:
    """Write names and settings of a saved model's modules so that older versions read them too.

    Settings that the encoder's own folder has in the old words come back as they were there; all others are put into
    them.

    Parameters
    ----------
    folder : Path
        What the installed version has saved.
    source : Path or None
        The encoder's own folder.
    model : SentenceTransformer
        What was saved.
    """
    for path in [*folder.glob("modules.json"), *folder.glob("*/router_config.json")]:
        text = path.read_text(encoding="utf-8")
        # subtle: the present names are of version 6; these old ones are resolved by 6 too
        text = re.sub(r'"sentence_transformers\.[\w.]+\.(\w+)"', r'"sentence_transformers.models.\1"', text)
        content = json.loads(text)
        if isinstance(content, dict) and not content["parameters"].get("route_mappings"):
            content["parameters"].pop("route_mappings", None)
        write_json(path, content)
    for path in folder.rglob("*_Dense/config.json"):
        content = read_json(path)
        names = {content.pop(key, "sentence_embedding") for key in ("module_input_name", "module_output_name")}
        if names == {"sentence_embedding"}:  # the default, for which older versions have no setting
            write_json(path, content)
    for path in [folder / "sentence_bert_config.json", *folder.glob("*_Pooling/config.json")]:
        if not path.is_file():
            continue
        own = None if source is None else source / path.relative_to(folder)
        kept = own is not None and own.is_file() and _is_old(read_json(own))
        if kept and own is not None:
            shutil.copyfile(own, path)
        elif path.name == "sentence_bert_config.json":
            _write_sequence_settings(path, {} if own is None else read_json(own), model)
        else:
            _write_pooling(path)
    _write_tokenizer_settings(folder / "tokenizer_config.json", source)


def _is_old(content: dict[str, Any]) -> bool:
    """Return whether settings are all in the old words."""
    return bool(content) and all(
        key in (*_SEQUENCE_SETTINGS, "word_embedding_dimension", "include_prompt", *_POOLINGS.values())
        for key in content
    )


def _write_sequence_settings(path: Path, own: dict[str, Any], model: Any) -> None:
    if own.get("transformer_task", _PLAIN_TASK) != _PLAIN_TASK:
        return  # older versions have no such models
    lower = own.get("do_lower_case", getattr(model[0], "do_lower_case", False))
    write_json(path, {"max_seq_length": model.max_seq_length, "do_lower_case": bool(lower)})


def _write_pooling(path: Path) -> None:
    content = read_json(path)
    modes = content.get("pooling_mode")
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list | tuple) or not {*modes} <= {*_POOLINGS}:
        return
    write_json(
        path,
        {
            "word_embedding_dimension": content.get("embedding_dimension", content.get("word_embedding_dimension")),
            **{flag: mode in modes for mode, flag in _POOLINGS.items()},
            "include_prompt": content.get("include_prompt", True),
        },
    )


def _write_tokenizer_settings(path: Path, source: Path | None) -> None:
    own = None if source is None else source / path.name
    if own is not None and own.is_file() and path.is_file():
        shutil.copyfile(own, path)
    content = read_json(path)
    if content.get("tokenizer_class") == "TokenizersBackend":  # transformers 5's name of what reads tokenizer.json
        for key in ("backend", "is_local", "local_files_only"):
            content.pop(key, None)
        write_json(path, {**content, "tokenizer_class": "PreTrainedTokenizerFast"})


def write_json(path: Path, content: Any) -> None:
    """Write an object, the same bytes on every system."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")
