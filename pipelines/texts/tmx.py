"""TMX 1.1 to 1.4, translation memories in XML: read without entities or outside files, and written."""

import re
from collections.abc import Iterator
from typing import IO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from .lines import MOST_BYTES

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4"><header creationtool="interlingua" creationtoolversion="1" datatype="plaintext" segtype="sentence"
 adminlang="en" srclang="*all*" o-tmf="none"/><body>
"""
TAIL = "</body></tmx>\n"

_CHUNK = 1 << 16
_CODES = frozenset({"bpt", "ept", "it", "ph", "ut"})  # hold mark-up of the original document, not text
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_units(file: IO[bytes], name: str, error: type[ValueError]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the texts by language of each unit, in the order of the file.

    The first text of a language counts. The memory held does not grow with the file.

    Parameters
    ----------
    file : binary file
    name : str
        What to call it in errors.
    error : type of ValueError
        What to raise.

    Raises
    ------
    ValueError
        Of the type `error`, if the file is no well-formed XML, declares an entity, or is no TMX; with the line.
    """
    units = _Units(name, error)
    while True:
        chunk = file.read(_CHUNK)
        units.feed(chunk)
        yield from units.ready
        units.ready.clear()
        if not chunk:
            return


def unit_of(*sides: tuple[str, str]) -> str:
    """Return the unit of texts, each with its language before it.

    Raises
    ------
    ValueError
        If a language has no name or that of another, or a text holds a character that XML cannot.
    """
    languages = [language for language, _ in sides]
    if not all(languages) or len(set(languages)) < len(languages):
        raise ValueError(f"the sides of a TMX unit need two different language names, got {sides!r}")
    if any(_NOT_XML.search(part) for side in sides for part in side):
        raise ValueError(f"XML 1.0 holds no control characters, got {sides!r}; remove them, or write .jsonl")
    units = (f"<tuv xml:lang={quoteattr(language)}><seg>{escape(text)}</seg></tuv>" for language, text in sides)
    return f"<tu>{''.join(units)}</tu>\n"


class _Units:
    """Collects units from expat's events. expat fetches nothing by itself; a DOCTYPE that names a DTD is no harm."""

    def __init__(self, name: str, error: type[ValueError]) -> None:
        self._name, self._error_type = name, error
        self.ready: list[tuple[int, dict[str, str]]] = []
        self._parser = parser = expat.ParserCreate(namespace_separator=None)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._entity
        self._root = ""
        self._line = 0
        self._sides: dict[str, str] | None = None
        self._language = ""
        self._segment: list[str] | None = None
        self._depth_of_codes = self._size = 0

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            text = expat.errors.messages.get(error.code, str(error))
            raise self._error(f"the file is no well-formed XML ({text})", error.lineno) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._root:
            self._root = name
            if name != "tmx":
                raise self._error(f"the root must be <tmx>, but is <{name}>")
        elif name == "tu":
            self._line = self._parser.CurrentLineNumber
            self._sides = {}
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang") or ""
            if not self._language:
                raise self._error("each <tuv> needs the attribute xml:lang; add it")
        elif name == "seg":
            self._segment, self._size = [], 0
        elif name in _CODES:
            self._depth_of_codes += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._segment is not None:
            if self._sides is not None:
                self._sides.setdefault(self._language, "".join(self._segment))
            self._segment = None
        elif name == "tu" and self._sides is not None:
            self.ready.append((self._line, self._sides))
            self._sides = None
        elif name in _CODES:
            self._depth_of_codes -= 1

    def _text(self, text: str) -> None:
        if self._segment is not None and not self._depth_of_codes:
            self._segment.append(text)
            self._size += len(text)
            if self._size > MOST_BYTES:
                raise self._error(
                    f"a segment may have at most {MOST_BYTES:,} characters; is this a translation memory?"
                )

    def _entity(self, name: str, *_: object) -> None:
        raise self._error(f"the file uses the entity {name!r}, which is refused; write its text instead")

    def _error(self, what: str, line: int = 0) -> ValueError:
        return self._error_type(f"{self._name}, line {line or self._parser.CurrentLineNumber}: {what}")
