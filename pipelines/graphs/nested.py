"""Files of RDF whose depth and entities are within bounds: others are refused before a parser sees them."""

import re
from typing import IO
from xml.parsers import expat

_MOST_OPEN = 1_000_000
_MOST_QUOTED = 5000
_DEEPEST = {"RDF_XML": 1000, "JSON_LD": 100}
_LONGEST_ENTITY = 1000  # characters; they stand for namespaces
_CHUNK = 1 << 16
_WAY_OUT = "mend the file, or convert it to N-Triples, of which lines can be skipped"


class Nested:
    """A file that is read through a guard of its format.

    Parameters
    ----------
    file : binary file
    name : str
        What to call it in errors.
    kind : str
        Of RDF: "TURTLE", "RDF_XML" or "JSON_LD".
    error : type of ValueError
        What to raise.

    Attributes
    ----------
    line : int
        The line that was read last, from 1.
    """

    def __init__(self, file: IO[bytes], name: str, kind: str, error: type[ValueError]) -> None:
        self._file, self._name, self._error = file, name, error
        guards: dict[str, type[_Brackets | _Elements | _Objects]] = {
            "TURTLE": _Brackets,
            "RDF_XML": _Elements,
            "JSON_LD": _Objects,
        }
        self._guard = guards[kind]()
        self.line = 1

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none at the end.

        Raises
        ------
        ValueError
            Of the type `error`, if the guard refuses them.
        """
        data = self._file.read(size)
        if refused := self._guard.refuses(data):
            line = getattr(self._guard, "line", self.line)
            raise self._error(f"{self._name}, line {line}: {refused}; {_WAY_OUT}")
        self.line += data.count(b"\n")
        return data


def too_many_quoted(text: str) -> str:
    """Say what is wrong with a line of N-Triples whose triples lie too deep in each other, or nothing."""
    deep = text.count("<<") > _MOST_QUOTED
    return f"triples may lie in each other at most {_MOST_QUOTED:,} deep" if deep else ""


class _Brackets:
    """How many brackets of Turtle are open: the parser keeps 500 bytes for each; and triples in each other."""

    def __init__(self) -> None:
        self._open = self._quoted = 0

    def refuses(self, data: bytes) -> str:
        self._open += data.count(b"(") + data.count(b"[") - data.count(b")") - data.count(b"]")
        self._quoted += data.count(b"<<") - data.count(b">>")
        if self._quoted > _MOST_QUOTED:
            return f"triples may lie in each other at most {_MOST_QUOTED:,} deep"
        return f"{_MOST_OPEN:,} brackets are opened and not closed" if self._open > _MOST_OPEN else ""


class _Objects:
    """How deep objects and lists of JSON-LD lie in each other."""

    _TOKEN = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)

    def __init__(self) -> None:
        self._depth, self._in_text, self._kept = 0, False, b""

    def refuses(self, data: bytes) -> str:
        text = self._kept + data
        # subtle: a backslash at the end escapes what comes next
        ends = len(text) - len(text.rstrip(b"\\"))
        self._kept = b"\\" if ends % 2 else b""
        for token in self._TOKEN.findall(text[: len(text) - len(self._kept)]):
            if token == b'"':
                self._in_text = not self._in_text
            elif not self._in_text and token in b"{}[]":
                self._depth += 1 if token in b"{[" else -1
                if self._depth > _DEEPEST["JSON_LD"]:
                    return f"objects and lists may lie in each other at most {_DEEPEST['JSON_LD']} deep"
        return ""


class _RefusedError(Exception):
    """What leaves expat's handlers."""


class _Elements:
    """How deep elements of RDF/XML lie in each other, what entities hold, and whether the file is whole."""

    def __init__(self) -> None:
        self._depth = 0
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity
        self.line = 1

    def refuses(self, data: bytes) -> str:
        try:
            self._parser.Parse(data, not data)
        except _RefusedError as error:
            self.line = self._parser.CurrentLineNumber
            return str(error)
        except expat.ExpatError as error:
            self.line = error.lineno
            return f"the XML is not well formed ({expat.errors.messages.get(error.code, error)})"
        return ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST["RDF_XML"]:
            raise _RefusedError(f"elements may lie in each other at most {_DEEPEST['RDF_XML']} deep")

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _entity(
        self, name: str, parameter: bool, value: str | None, base: str | None, system: str | None, *_: object
    ) -> None:
        if value is None:
            raise _RefusedError(f"the entity {name!r} is outside of the file, and is not read")
        if "&" in value or "%" in value or len(value) > _LONGEST_ENTITY:
            raise _RefusedError(f"the entity {name!r} is no plain text of up to {_LONGEST_ENTITY} characters")
