"""An entity as a small page of HTML, and its name in the reader's language."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

from interlingua.pipelines.texts.languages import find_label, find_language

from .linked import LinkedEntity
from .properties import property_values

_SHOWN = 12
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 10px; color: #222; background: #fff; overflow-wrap: anywhere }}
h1 {{ font-size: 17px; margin: 0 }} p {{ margin: 4px 0 }} .soft {{ color: #666 }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 1px 10px; margin: 6px 0 0 }}
dt {{ color: #666 }} dd {{ margin: 0; text-align: left }}
</style></head><body>{body}</body></html>"""


def display_name(entity: LinkedEntity, languages: Sequence[str] = ()) -> str:
    """Return the name in the first of the languages that there is one in, else the first name."""
    there = {tag: name for tag, name in entity.names.items() if name}
    for find in (find_language, find_label):
        for language in languages:
            if tag := find(language, there):
                return there[tag]
    return next((name for name in entity.names.values() if name), entity.id)


def accepted_languages(header: str) -> list[str]:
    """Return the languages of an ``Accept-Language`` header, the preferred first, each also without its region.

    Examples
    --------
    >>> accepted_languages("de-AT,de;q=0.9,en;q=0.8,*;q=0.5")
    ['de-AT', 'de', 'en']
    """
    weighted = []
    for number, part in enumerate(header[:1000].split(",")):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weight = 0.0
        if tag.strip() and tag.strip() != "*" and weight > 0:
            weighted.append((-weight, number, tag.strip()))
    ordered = [tag for _, _, tag in sorted(weighted)]
    return list(dict.fromkeys(each for tag in ordered for each in (tag, tag.partition("-")[0])))


def direction(text: str) -> str:
    """Return "rtl" where the first letter of a text is written from right to left, else "ltr"."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def preview_page(entity: LinkedEntity, languages: Sequence[str] = (), *, whole: bool = True) -> str:
    """Return a page about an entity, or with ``whole=False`` only what stands in its body; all texts are escaped."""
    name = display_name(entity, languages)
    parts = [f"<h1 {_direction(name)}>{escape(name)}</h1>"]
    about = ", ".join([entity.id, *entity.types])
    parts.append(f'<p class="soft" dir="auto">{escape(about)}</p>')
    if entity.description:
        parts.append(f"<p {_direction(entity.description)}>{escape(entity.description)}</p>")
    names = [(language, each) for language, each in entity.names.items() if each and each != name]
    rows = [(key, ", ".join(values)) for key, values in property_values(entity).items() if values]
    if entity.aliases:
        rows.append(("also", ", ".join(list(entity.aliases)[:_SHOWN])))
    rows += names
    if rows:
        cells = "".join(
            f'<dt dir="auto">{escape(str(key))}</dt><dd {_direction(value)}>{escape(value)}</dd>'
            for key, value in rows[: 2 * _SHOWN]
        )
        parts.append(f"<dl>{cells}</dl>")
    body = "".join(parts)
    return _PAGE.format(title=escape(name), body=body) if whole else body


def _direction(text: str) -> str:
    return f'dir="{direction(text)}"'
