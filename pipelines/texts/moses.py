"""Moses' files: two texts of one language each, row by row."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from interlingua.align.files import replacing

from .languages import NO_LANGUAGES, TAG
from .lines import PathLike, numbered_lines, plain_name


def find_files(prefix: Path, languages: tuple[str, str] | None) -> tuple[Path, ...]:
    """Return the two files ``PREFIX.LANGUAGE``, each maybe with .gz."""
    if languages is not None:
        tried = [[Path(f"{prefix}.{name}{gz}") for gz in ("", ".gz")] for name in languages]
        found = [next((path for path in both if path.exists()), both[0]) for both in tried]
        for path in found:
            if not path.exists():
                raise FileNotFoundError(f"no file of sentence pairs at {prefix}, nor Moses' file {path}")
        return tuple(found)
    siblings = sorted(prefix.parent.glob(f"{prefix.name}.*")) if prefix.parent.is_dir() else []
    suffixes = {path: plain_name(path).name.removeprefix(f"{prefix.name}.") for path in siblings if path.is_file()}
    named = [path for path, tag in suffixes.items() if TAG.fullmatch(tag) and tag not in NO_LANGUAGES]
    if len(named) != 2:
        held = ", ".join(path.name for path in named) or "none"
        raise FileNotFoundError(
            f"no file of sentence pairs at {prefix}, nor two of Moses' files {prefix}.LANGUAGE (found: {held}); "
            "name both files, or the languages"
        )
    # subtle: OPUS names its files corpus.en-fr.en and corpus.en-fr.fr: that pair says which is the source
    first = prefix.suffix.removeprefix(".").partition("-")[0]
    return tuple(sorted(named, key=lambda path: plain_name(path).suffix != f".{first}"))


def languages_of(paths: Sequence[Path]) -> tuple[str, str] | None:
    """Return the languages that the endings of two files name, or None."""
    left, right = (plain_name(path).suffix.removeprefix(".") for path in paths)
    return (left, right) if left != right and TAG.fullmatch(left) and TAG.fullmatch(right) else None


def read_rows(paths: Sequence[Path], error: type[ValueError]) -> Iterator[tuple[str, str]]:
    """Yield the lines of both files, row by row.

    Raises
    ------
    ValueError
        Of the type `error`, if one ends before the other, or as in `numbered_lines`.
    """
    sides = (numbered_lines(path, error=error) for path in paths)
    for number, (left, right) in enumerate(itertools.zip_longest(*sides), 1):
        if left is None or right is None:
            short, long = paths if left is None else paths[::-1]
            raise error(
                f"{short} ends after line {number - 1}, but {long} goes on: rows must correspond; get both files anew"
            )
        yield left[1], right[1]


def write_rows(
    prefix: PathLike,
    languages: tuple[str, str],
    rows: Iterable[tuple[str, str]],
    measures: Iterable[tuple[str, ...]] | None = None,
) -> int:
    """Write ``PREFIX.LANGUAGE`` twice, and measures of each row as ``PREFIX.scores``; return how many rows there are.

    Raises
    ------
    ValueError
        If a text holds a line break.
    """
    count = 0
    with (
        replacing(f"{prefix}.{languages[0]}", "w") as left,
        replacing(f"{prefix}.{languages[1]}", "w") as right,
        replacing(f"{prefix}.scores", "w") if measures is not None else nullcontext() as scores,
    ):
        for texts, row in zip(rows, itertools.repeat(()) if measures is None else measures):
            if any(mark in text for text in texts for mark in "\n\r"):
                raise ValueError(f"a line of Moses' files holds no line break, got {texts!r}; write .jsonl instead")
            left.write(texts[0] + "\n")
            right.write(texts[1] + "\n")
            if scores is not None:
                scores.write("\t".join(row) + "\n")
            count += 1
    return count
