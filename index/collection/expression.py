"""Filters as people write them: ``year >= 2020 and topic in (health, 'human rights')``.

::

    filter     = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | "(" filter ")" | condition
    condition  = field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | field ["not"] "in" "(" value { "," value } ")"

A field or a text with blanks or signs stands in quotes, single or double; a backslash keeps the quote behind it. What
stands without is read as it may be meant: ``2020`` finds the number and the text, ``true`` the truth value and the
text, ``null`` None and the text. Between bounds ``2020`` is a number, and what is no number a text, such as
``2026-01-31``. In quotes everything is a text. ``and``, ``or``, ``not`` and ``in`` are words of the language, in lower
or upper case. As with the trees, a row without a field passes no condition on it, and so every negation of one.
"""

import re
from dataclasses import dataclass
from typing import Any

from .filters import And, Eq, Filter, In, Not, Or, Range

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)
      | (?P<bare>[^\s"'<>=!(),]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = ("and", "or", "not", "in")
_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")
_NAMED: dict[str, Any] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DEEPEST = 100


class FilterSyntaxError(ValueError):
    """A written filter is not understood; the text shows where."""


@dataclass(frozen=True)
class _Token:
    kind: str  # "quoted", "sign", "bare", "word" or "end"
    text: str
    start: int


def parse_filter(text: str) -> Filter:
    """Return the filter that a text says.

    Parameters
    ----------
    text : str
        See the head of this module.

    Raises
    ------
    FilterSyntaxError
        If it is not understood; a ValueError.

    Examples
    --------
    >>> parse_filter("year >= 2020 and 'my topic' in (a, 'b c')")
    And(conditions=(Range(field='year', least=2020, most=None), In(field='my topic', values=('a', 'b c'))))
    >>> parse_filter("not page = 7")
    Not(condition=In(field='page', values=(7, '7')))
    >>> parse_filter("year => 2020")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    interlingua.index.collection.expression.FilterSyntaxError: the filter needs a value behind '=', but has '>' ...
    """
    return _Parser(text).whole()


class _Parser:
    """Reads one filter from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Filter:
        if self._next.kind == "end":
            raise FilterSyntaxError("the filter is empty; write one such as year>=2020 and topic in (a, b)")
        found = self._filter()
        if self._next.kind != "end":
            raise self._error("'and', 'or' or the end")
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        token = self._next
        return token.kind in ("sign", "word") and token.text in texts

    def _filter(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterSyntaxError(f"the filter is nested more than {_DEEPEST} deep; write it flatter")
        parts = [self._conjunction()]
        while self._is("or"):
            self._take()
            parts.append(self._conjunction())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Or(*parts)

    def _conjunction(self) -> Filter:
        parts = [self._negation()]
        while self._is("and"):
            self._take()
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else And(*parts)

    def _negation(self) -> Filter:
        negated = False
        while self._is("not"):
            self._take()
            negated = not negated
        if self._is("("):
            self._take()
            found = self._filter()
            if not self._is(")"):
                raise self._error("'and', 'or' or ')'")
            self._take()
        else:
            found = self._condition()
        return Not(found) if negated else found

    def _condition(self) -> Filter:
        token = self._next
        if token.kind not in ("bare", "quoted"):
            raise self._error("the name of a field")
        self._take()
        field = _unquoted(token)
        negated = self._is("not")
        if negated:
            self._take()
        if self._is("in"):
            self._take()
            found: Filter = In(field, self._values())
            return Not(found) if negated else found
        if negated:
            raise self._error("'in'")
        if not self._is(*_COMPARISONS):
            raise self._error("one of = != < <= > >= in (...)")
        sign = self._take().text
        return _compared(field, sign, self._value(f"behind {sign!r}"))

    def _values(self) -> list[Any]:
        if not self._is("("):
            raise self._error("a list in parentheses, such as (a, b)")
        self._take()
        values = _readings(self._value("in the list"))
        while self._is(","):
            self._take()
            values += _readings(self._value("behind ','"))
        if not self._is(")"):
            raise self._error("',' or ')'")
        self._take()
        return values

    def _value(self, where: str) -> _Token:
        token = self._next
        if token.kind == "word":
            raise self._error(f"a value {where} ({token.text!r} is a word of the language; put it in quotes)")
        if token.kind not in ("bare", "quoted"):
            raise self._error(f"a value {where}")
        return self._take()

    def _error(self, wanted: str) -> FilterSyntaxError:
        token = self._next
        if token.kind == "end":
            return FilterSyntaxError(f"the filter needs {wanted}, but ends there: {self.text} <<<")
        shown = f"{self.text[: token.start]}>>> {self.text[token.start :]}"
        return FilterSyntaxError(
            f"the filter needs {wanted}, but has {token.text!r} at character {token.start + 1}: {shown}"
        )


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            shown = f"{text[:start]}>>> {text[start:]}"
            reason = "a quote is not closed" if text[start] in "\"'" else f"{text[start]!r} means nothing alone"
            raise FilterSyntaxError(f"{reason} in the filter at character {start + 1}: {shown}")
        kind = str(match.lastgroup)
        word = match[kind]
        if kind == "bare" and word.lower() in _WORDS:
            kind, word = "word", word.lower()
        found.append(_Token(kind, word, match.start(match.lastgroup or 0)))
        place = match.end()
    return [*found, _Token("end", "", len(text))]


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL) if token.kind == "quoted" else token.text


def _number(token: _Token) -> int | float | None:
    if token.kind == "quoted" or not _NUMBER.fullmatch(token.text):
        return None
    try:
        return int(token.text)
    except ValueError:
        number = float(token.text)
        return number if abs(number) < float("inf") else None


def _readings(token: _Token) -> list[Any]:
    """Return what a value may mean: the text, and what it is besides if it is not in quotes."""
    text = _unquoted(token)
    number = _number(token)
    if number is not None:
        return [number, text]
    if token.kind == "bare" and text.lower() in _NAMED:
        return [_NAMED[text.lower()], text]
    return [text]


def _compared(field: str, sign: str, token: _Token) -> Filter:
    readings = _readings(token)
    equal = Eq(field, readings[0]) if len(readings) == 1 else In(field, readings)
    if sign in ("=", "=="):
        return equal
    if sign in ("!=", "<>"):
        return Not(equal)
    number = _number(token)
    bound = _unquoted(token) if number is None else number
    bounds = Range(field, least=bound) if sign[0] == ">" else Range(field, most=bound)
    return bounds if sign in ("<=", ">=") else And(bounds, Not(In(field, [bound])))
