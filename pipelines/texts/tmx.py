"""TMX 1.1 to 1.4, translation memories in XML: read without entities or outside files, and written."""

import codecs
import re
from collections.abc import Iterator
from html.entities import html5
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
_DEEPEST = 1000
_LONGEST_MARKUP = 1 << 20
_IS_IT_TMX = "is this a translation memory?"
_CODES = frozenset({"bpt", "ept", "it", "ph", "ut"})  # hold mark-up of the original document, not text
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile("&(#[0-9]{1,9}|#[xX][0-9A-Fa-f]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
_LONGEST_REFERENCE = 34
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "apos", "quot"})
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


def read_units(file: IO[bytes], name: str, error: type[ValueError]) -> Iterator[tuple[int, dict[str, str], str]]:
    """Yield of each unit the line, the texts by language, and what is wrong with it, or "", in the order of the file.

    The first text of a language counts. Characters that XML cannot hold are read as blanks, HTML's names of characters
    (``&nbsp;``) as these. A byte order mark says more about the encoding than the file's declaration. The memory held
    does not grow with the file.

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
    text = _Decoded(file, name, error)
    while True:
        chunk = text.read()
        units.feed(chunk)
        yield from units.ready
        units.ready.clear()
        if not chunk:
            return


def unit_of(*sides: tuple[str, str]) -> str:
    """Return the unit of texts, each with its language before it; a blank for each character that XML cannot hold.

    Raises
    ------
    ValueError
        If a language has no name or that of another.
    """
    languages = [language for language, _ in sides]
    if not all(languages) or len(set(languages)) < len(languages):
        raise ValueError(f"the sides of a TMX unit need two different language names, got {sides!r}")
    units = (f"<tuv xml:lang={quoteattr(language)}><seg>{escape(text)}</seg></tuv>" for language, text in sides)
    return _NOT_XML.sub(" ", f"<tu>{''.join(units)}</tu>\n")


class _Decoded:
    """The text of a file in pieces, as bytes of UTF-8, without what expat refuses though it harms nobody."""

    def __init__(self, file: IO[bytes], name: str, error: type[ValueError]) -> None:
        self._file, self._name, self._error_type = file, name, error
        self._head = file.read(_CHUNK)
        marked = next((encoding for mark, encoding in _MARKS if self._head.startswith(mark)), None)
        declared = _DECLARED.search(self._head[:1000])
        self._encoding = marked or (declared[1].decode() if declared else "utf-8")
        try:
            self._decoder = codecs.getincrementaldecoder(self._encoding)()
            self._decoder.decode(b"")
        except (LookupError, AttributeError) as cause:
            raise error(f"{name}, line 1: the encoding {self._encoding!r} is unknown; convert it to UTF-8") from cause
        self._kept = ""  # what may be the beginning of a reference
        self._line = 1

    def read(self) -> bytes:
        """Return the next piece; none at the end."""
        while True:
            raw, self._head = self._head or self._file.read(_CHUNK), b""
            try:
                text = self._kept + self._decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as cause:
                line = self._line + cause.object[: cause.start].count(b"\n")
                encoding = self._encoding.removesuffix("-sig").upper()
                raise self._error_type(
                    f"{self._name}, line {line}: the text must be {encoding} ({cause.reason}); convert it to UTF-8"
                ) from cause
            self._kept = ""
            start = text.rfind("&", max(len(text) - _LONGEST_REFERENCE, 0))
            if raw and start >= 0 and ";" not in text[start:]:
                text, self._kept = text[:start], text[start:]
            self._line += text.count("\n")
            if text or not raw:
                return _NOT_XML.sub(" ", _REFERENCE.sub(_resolved, text)).encode()


def _resolved(reference: re.Match[str]) -> str:
    """Return a reference as XML takes it."""
    name = reference[1]
    if name.startswith("#"):
        code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        return reference[0] if code <= 0x10FFFF and not _NOT_XML.match(chr(code)) else " "
    return reference[0] if name in _XML_ENTITIES else html5.get(f"{name};", reference[0])


class _Units:
    """Collects units from expat's events. expat fetches nothing by itself; a DOCTYPE that names a DTD is no harm."""

    def __init__(self, name: str, error: type[ValueError]) -> None:
        self._name, self._error_type = name, error
        self.ready: list[tuple[int, dict[str, str], str]] = []
        self._parser = parser = expat.ParserCreate("utf-8", namespace_separator=None)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._entity
        self._root = ""
        self._line = 0
        self._sides: dict[str, str] | None = None
        self._language = self._problem = ""
        self._segment: list[str] | None = None
        self._depth_of_codes = self._size = self._depth = self._fed = 0

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            text = expat.errors.messages.get(error.code, str(error))
            raise self._error(f"the file is no well-formed XML ({text})", error.lineno) from error
        self._fed += len(chunk)
        # subtle: what has no end yet is kept by the parser, and read again with the next piece
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_MARKUP:
            raise self._error(f"a tag or comment may have at most {_LONGEST_MARKUP:,} bytes; {_IS_IT_TMX}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"elements may lie in each other at most {_DEEPEST} deep; {_IS_IT_TMX}")
        if not self._root:
            self._root = name
            if name != "tmx":
                raise self._error(f"the root must be <tmx>, but is <{name}>")
        elif name == "tu":
            self._line = self._parser.CurrentLineNumber
            self._sides, self._problem, self._size = {}, "", 0
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang") or ""
            self._grow(1 + len(self._language))
            if not self._language:
                self._problem = "each <tuv> needs the attribute xml:lang"
        elif name == "seg":
            self._segment = []
        elif name in _CODES:
            self._depth_of_codes += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "seg" and self._segment is not None:
            if self._sides is not None:
                self._sides.setdefault(self._language, "".join(self._segment))
            self._segment = None
        elif name == "tu" and self._sides is not None:
            self.ready.append((self._line, self._sides, self._problem))
            self._sides = None
        elif name in _CODES:
            self._depth_of_codes -= 1

    def _text(self, text: str) -> None:
        if self._segment is not None and not self._depth_of_codes:
            self._segment.append(text)
            self._grow(len(text))

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MOST_BYTES:
            raise self._error(f"a unit may have at most {MOST_BYTES:,} characters; {_IS_IT_TMX}")

    def _entity(self, name: str, *_: object) -> None:
        raise self._error(f"the file uses the entity {name!r}, which is refused; write its text instead")

    def _error(self, what: str, line: int = 0) -> ValueError:
        return self._error_type(f"{self._name}, line {line or self._parser.CurrentLineNumber}: {what}")
