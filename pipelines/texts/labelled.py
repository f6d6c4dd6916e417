"""Labelled texts, and sentences whose words are labelled: readers, nested samples, splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


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
    path: str | Path, language: str, *, text: int | str = "text", label: int | str = "category"
) -> Labelled:
    """Return the texts of a UTF-8 file of tab-separated columns.

    Parameters
    ----------
    path : str or Path
        The first line names the columns, unless `text` and `label` are numbers (from 0).
    language : str
        What to call its language.
    text, label : int or str
        Columns of the texts and of their labels.

    Raises
    ------
    ValueError
        If the file is empty, or a column is missing, naming the line.
    """
    content = Path(path).read_text(encoding="utf-8-sig")
    if not content.strip():
        raise ValueError(f"{path}: the file is empty; expected a text and its label in each line")
    lines = content.removesuffix("\n").split("\n")
    head = [] if isinstance(text, int) and isinstance(label, int) else lines[0].rstrip("\r").split("\t")
    columns = []
    for wanted in (text, label):
        if isinstance(wanted, str) and wanted not in head:
            raise ValueError(f"{path} has no column {wanted!r}; its first line names: {', '.join(head)}")
        columns.append(head.index(wanted) if isinstance(wanted, str) else wanted)
    rows = []
    for number, line in enumerate(lines[bool(head) :], start=1 + bool(head)):
        fields = line.rstrip("\r").split("\t")
        if len(fields) <= max(columns):
            raise ValueError(f"{path}, line {number}: expected at least {max(columns) + 1} columns, got {len(fields)}")
        rows.append((fields[columns[0]], fields[columns[1]].strip()))
    return Labelled(tuple(row[0] for row in rows), tuple(row[1] for row in rows), language)


def read_conll(path: str | Path, language: str, *, column: int | None = None) -> LabelledWords:
    r"""Return the sentences of a CoNLL file: a word a line with its tags, a blank line between sentences.

    Parameters
    ----------
    path : str or Path
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
    universal = Path(path).suffix == ".conllu"
    sentences = [list(each) for each in _sentences(Path(path), universal=universal)]
    word, tag = (1, 3 if column is None else column) if universal else (0, -1 if column is None else column)
    for sentence in sentences:
        for number, fields in sentence:
            if len(fields) < 2 or len(fields) <= tag:
                raise ValueError(f"{path}, line {number}: expected a word and its tag, got {len(fields)} columns")
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


def split_words(sentences: LabelledWords, share: float, *, seed: int = 0) -> tuple[LabelledWords, LabelledWords]:
    """Return two parts of the sentences, drawn at random: about `share` of them, and the rest.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    first = round(share * len(sentences))
    if not 0 < first < len(sentences):
        raise ValueError(f"a share of {share} leaves a part of {len(sentences)} sentences empty; choose another")
    order = np.random.default_rng(seed).permutation(len(sentences))
    return sentences.select(sorted(order[:first])), sentences.select(sorted(order[first:]))


def _sentences(path: Path, *, universal: bool) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield each sentence as numbered lines of fields."""
    sentence: list[tuple[int, list[str]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            if sentence:
                yield sentence
            sentence = []
        elif universal:
            fields = line.rstrip("\r").split("\t")
            if not line.startswith("#") and fields[0].isdigit():
                sentence.append((number, fields))
        elif not line.startswith("-DOCSTART-"):
            sentence.append((number, line.split("\t") if "\t" in line else line.split()))
    if sentence:
        yield sentence
