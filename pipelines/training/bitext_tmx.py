"""Read the units of TMX 1.1 to 1.4 translation memories, streamed, without entities or outside files."""

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

__all__ = ["TmxError", "read_units"]

_CHUNK = 1 << 16
_CODES = frozenset({"bpt", "ept", "it", "ph", "ut"})  # hold mark-up of the original document, not text


class TmxError(ValueError):
    """A file is no well-formed TMX."""


def read_units(file: IO[bytes]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the texts by language of each unit, in the order of the file.

    The first text of a language counts. The memory held does not grow with the file.

    Raises
    ------
    TmxError
        If the file is no well-formed XML, declares an entity, or is no TMX; with the line.
    """
    units = _Units()
    while True:
        chunk = file.read(_CHUNK)
        units.feed(chunk)
        yield from units.ready
        units.ready.clear()
        if not chunk:
            return


class _Units:
    """Collects units from expat's events. expat fetches nothing by itself; a DOCTYPE that names a DTD is no harm."""

    def __init__(self) -> None:
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
        self._depth_of_codes = 0

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            text = expat.errors.messages.get(error.code, str(error))
            raise TmxError(f"line {error.lineno}: the file is no well-formed XML ({text})") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._root:
            self._root = name
            if name != "tmx":
                raise TmxError(f"line {self._parser.CurrentLineNumber}: the root must be <tmx>, but is <{name}>")
        elif name == "tu":
            self._line = self._parser.CurrentLineNumber
            self._sides = {}
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang") or ""
            if not self._language:
                line = self._parser.CurrentLineNumber
                raise TmxError(f"line {line}: each <tuv> needs the attribute xml:lang; add it")
        elif name == "seg":
            self._segment = []
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

    def _entity(self, name: str, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise TmxError(f"line {line}: the file uses the entity {name!r}, which is refused; write its text instead")
