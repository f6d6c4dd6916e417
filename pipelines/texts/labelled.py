"""Labelled texts, and sentences whose words are labelled: readers, nested samples, splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .lines import PathLike, input_name, plain_name, read_lines
from .tables import open_table, read_cells


@dataclass(frozen=True)
class Labelled:
    """Texts of one language, one label each.

    Attributes
    ----------
    texts : tuple of str, or of tuple of (str, str)
        Texts, or pairs of them.
    labels : tuple of str
        Row by row.
    language : str
        Any name; it stands in the tables.
    """

    texts: tuple[Any, ...]
    labels: tuple[str, ...]
    language: str

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise ValueError(
                f"{self.language}: {len(self.texts)} texts and {len(self.labels)} labels do not correspond"
            )

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: Iterable[int]) -> Labelled:
        """Return these rows."""
        chosen = list(rows)
        return Labelled(tuple(self.texts[i] for i in chosen), tuple(self.labels[i] for i in chosen), self.language)


@dataclass(frozen=True)
class LabelledWords:
    """Sentences of one language as words, one label for each word.

    Attributes
    ----------
    texts, labels : tuple of tuple of str
        Words and their labels, sentence by sentence.
    language : str
        Any name; it stands in the tables.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    language: str

    def __post_init__(self) -> None:
        if [len(words) for words in self.texts] != [len(tags) for tags in self.labels]:
            raise ValueError(f"{self.language}: each word needs one label; words and labels differ in number")

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: Iterable[int]) -> LabelledWords:
        """Return these rows."""
        chosen = list(rows)
        return LabelledWords(tuple(self.texts[i] for i in chosen), tuple(self.labels[i] for i in chosen), self.language)


def read_labelled(
    path: PathLike, language: str, *, text: int | str = "text", label: int | str = "category"
) -> Labelled:
    """Return the texts of a table with their labels.

    Parameters
    ----------
    path : str or path
        See `open_table`. Where `text` and `label` are both numbers (from 0), the first line is a text as well, and
        cells stand between tabs, or as CSV has them where the name ends in ``.csv``.
    language : str
        What to call its language.
    text : int or str
        Column of the texts: its name, or its number from 0.
    label : int or str
        Column of their labels, likewise.

    Raises
    ------
    ValueError
        If the file is empty, or a column is missing, naming the line.
    """
    if isinstance(text, int) and isinstance(label, int):
        rows = []
        for number, cells in read_cells(path):
            if len(cells) <= max(text, label):
                least = max(text, label) + 1
                raise ValueError(
                    f"{input_name(path)}, line {number}: expected at least {least} columns, got {len(cells)}"
                )
            rows.append((cells[text], cells[label]))
        empty = not rows
    else:
        table = open_table(path)
        empty = not table.columns
        names = [table.columns[each] if isinstance(each, int) else each for each in (text, label)] if not empty else []
        rows = [(own, sort) for own, sort in table.texts(names)]
    if empty:
        raise ValueError(f"{input_name(path)}: the file is empty; expected a text and its label in each line")
    return Labelled(tuple(own for own, _ in rows), tuple(sort.strip() for _, sort in rows), language)


def read_conll(path: PathLike, language: str, *, column: int | None = None) -> LabelledWords:
    r"""Return the sentences of a CoNLL file: a word a line with its tags, a blank line between sentences.

    Parameters
    ----------
    path : str or path
        CoNLL-U (``.conllu``: ten columns, comments, word ranges and empty nodes are passed over), or the word first and
        its tag last, between tabs or blanks.
    language : str
        What to call its language.
    column : int, optional
        Column of the tag, from 0; by default UPOS (3) in CoNLL-U and the last one elsewhere.

    Raises
    ------
    ValueError
        If a line has no tag, naming it.
    """
    universal = plain_name(path).suffix == ".conllu"
    sentences = [list(each) for each in _sentences(path, universal=universal)]
    word, tag = (1, 3 if column is None else column) if universal else (0, -1 if column is None else column)
    for sentence in sentences:
        for number, fields in sentence:
            if len(fields) < 2 or len(fields) <= tag:
                raise ValueError(
                    f"{input_name(path)}, line {number}: expected a word and its tag, got {len(fields)} columns"
                )
    return LabelledWords(
        tuple(tuple(fields[word] for _, fields in each) for each in sentences),
        tuple(tuple(fields[tag] for _, fields in each) for each in sentences),
        language,
    )


def nested_order(labels: Sequence[str], *, seed: int = 0) -> list[int]:
    """Return an order of the rows of which every beginning is a stratified random sample.

    Each next row is of the label that lags furthest behind its share, so the first k rows hold each label k times its
    share to within about one; samples of different size are nested.

    Examples
    --------
    >>> labels = ["a"] * 6 + ["b"] * 3
    >>> [labels[row] for row in nested_order(labels)[:6]]
    ['a', 'b', 'a', 'a', 'b', 'a']
    """
    rng = np.random.default_rng(seed)
    rows: dict[str, list[int]] = {label: [] for label in sorted(set(labels))}
    for row in rng.permutation(len(labels)):
        rows[labels[row]].append(int(row))
    shares = {label: len(each) / len(labels) for label, each in rows.items()}
    taken: Counter[str] = Counter()
    order = []
    for size in range(1, len(labels) + 1):
        left = [label for label in rows if taken[label] < len(rows[label])]
        chosen = max(left, key=lambda label: shares[label] * size - taken[label])
        order.append(rows[chosen][taken[chosen]])
        taken[chosen] += 1
    return order


def _sentences(path: PathLike, *, universal: bool) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield each sentence as numbered lines of fields."""
    sentence: list[tuple[int, list[str]]] = []
    for number, line in read_lines(path):
        if not line.strip():
            if sentence:
                yield sentence
            sentence = []
        elif universal:
            fields = line.split("\t")
            if not line.startswith("#") and fields[0].isdigit():
                sentence.append((number, fields))
        elif not line.startswith("-DOCSTART-"):
            sentence.append((number, line.split("\t") if "\t" in line else line.split()))
    if sentence:
        yield sentence
