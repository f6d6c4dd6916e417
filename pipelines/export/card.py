"""The README of an exported model, written from the provenance of its space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from interlingua.align import ANY_LANGUAGE, SharedSpace
from interlingua.pipelines.commands.output import shorten
from interlingua.pipelines.encoders.transformer import TransformerEncoder

_LONGEST = 400  # characters of a fact; the space itself holds all of it
_UNKNOWN = "not stated; that of the encoder holds"


def model_card(
    space: SharedSpace,
    encoder: TransformerEncoder,
    *,
    languages: Sequence[str],
    folder: str,
    default: str | None = None,
    license: str | None = None,
) -> str:
    """Return a model card in Markdown with the front matter of the Hugging Face Hub.

    Parameters
    ----------
    space : SharedSpace
        What was exported.
    encoder : TransformerEncoder
        With what encoder.
    languages : sequence of str
        The languages that the exported model maps.
    folder : str
        What the model is called in the examples.
    default : str, optional
        The language of texts without `task`.
    license : str, optional
        The licence, as the Hub calls it.
    """
    routed = len(languages) > 1
    front = ["---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity"]
    front += ["tags:", "- sentence-transformers", "- sentence-similarity", "- feature-extraction", "- interlingua"]
    if named := [each for each in languages if each != ANY_LANGUAGE]:
        front += ["language:", *(f"- {json.dumps(each)}" for each in named)]  # quoted: YAML reads `no` as false
    if encoder.folder is None:
        front.append(f"base_model: {encoder.name}")
    if license:
        front.append(f"license: {license}")
    front.append("---")
    call = f'vectors = model.encode(["..."], task="{languages[0]}")' if routed else 'vectors = model.encode(["..."])'
    body = [
        f"# {folder}",
        f"Sentence vectors of {space.dimension} dimensions in one space for: {_names(languages)}. "
        f"The encoder is `{encoder.identity}`; its vectors are mapped by the method *{space.method}*"
        + (", each language by a map of its own." if routed else "."),
        "## Usage",
        f'```python\nfrom sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("{folder}")\n'
        f"{call}\n```",
        *_usage(encoder, languages, default),
        "## How it was learned",
        _table(("", ""), [("method", space.method), ("encoder", space.encoder or "not recorded"), *_facts(space)]),
        "## Measured",
        _table(("on pairs held out from the fit", ""), [(name, f"{value:.4g}") for name, value in space.scores.items()])
        if space.scores
        else "Nothing was measured when the space was learned.",
        "## Limits",
        *_limits(languages),
        "## Licence",
        f"Licence: {license or _UNKNOWN}. The weights are the encoder's own, unchanged, with the maps behind them.",
        f"Written by interlingua {metadata.version('interlingua')}.",
    ]
    return "\n".join(front) + "\n\n" + "\n\n".join(body) + "\n"


def _usage(encoder: TransformerEncoder, languages: Sequence[str], default: str | None) -> list[str]:
    lines = []
    if len(languages) > 1:
        lines.append(
            f"Name the language of the texts as `task`: {_names(languages)}. One call takes texts of one language; "
            "vectors of all languages may be compared with each other. This needs sentence-transformers 5 or later."
        )
        otherwise = "`encode_query` and `encode_document` name a task themselves and take no other: "
        by_hand = "call `encode` with `task` and `prompt_name`."
        if default is not None:
            lines.append(f"Without `task`, texts are taken for `{default}`. {otherwise}for other languages, {by_hand}")
        elif ANY_LANGUAGE in languages:
            lines.append(
                "Texts of a language without a map of its own are mapped without `task`. "
                f"{otherwise}for a language with a map of its own, {by_hand}"
            )
        else:
            lines.append(f"Without `task`, or with another one, the model raises an error. {otherwise}{by_hand}")
    else:
        lines.append("There is one map: naming a `task` changes nothing.")
    if any(encoder.prompts.values()):
        rows = [(f"`{role}`", f"`{json.dumps(prompt)}`") for role, prompt in encoder.prompts.items()]
        lines.append("Prompts, chosen with `prompt_name`; `symmetric` is the default:")
        lines.append(_table(("prompt_name", "prefix"), rows))
    return lines


def _limits(languages: Sequence[str]) -> list[str]:
    known = "" if ANY_LANGUAGE in languages else "The maps were learned for the languages above only. "
    return [
        f"- {known}Texts mapped as another language than theirs land beside their place.\n"
        "- Vectors of this model and of the encoder without the maps cannot be compared.\n"
        "- Means and maps come from the texts named above; texts of another domain may lie elsewhere.\n"
        "- Equal to interlingua's vectors to 1e-5 where both compute in float32. Half precision moves components by up "
        "to about 3e-3 (a cosine of about 0.9999); interlingua computes in bfloat16 where the processor has it.\n"
        "- What the encoder cannot tell apart, no map can; its own biases remain."
    ]


def _facts(space: SharedSpace) -> list[tuple[str, str]]:
    rows = [(key, _value_text(value)) for key, value in space.provenance.items()]
    return [*rows, ("fingerprint of the space", space.fingerprint)]


def _value_text(value: Any) -> str:
    if isinstance(value, Mapping) and all(isinstance(each, (str, int, float)) for each in value.values()):
        return ", ".join(f"{name} {_value_text(each)}" for name, each in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _LONGEST)


def _names(languages: Sequence[str]) -> str:
    return ", ".join("all other languages" if each == ANY_LANGUAGE else f"`{each}`" for each in languages)


def _table(header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    lines = [header, ("---", "---"), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in lines
    )
