"""What a command is given: named files, places for results, collections, languages."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from interlingua.align import SharedSpace
    from interlingua.index import Collection, MilvusCollection
    from interlingua.index.collection.filters import Filter
    from interlingua.pipelines.texts.pairs import Pair


class UsageError(ValueError):
    """The arguments do not fit together."""


def named_file(argument: str, *, named: bool = False) -> tuple[str, str]:
    """Split ``NAME=FILE``; a bare file is named by its stem up to the first dot, in lower case.

    Raises
    ------
    UsageError
        If `named` and there is no name.

    Examples
    --------
    >>> named_file("fr=vectors/cc.fr.300.vec"), named_file("data/EN.vec"), named_file("en.glove.txt.gz")
    (('fr', 'vectors/cc.fr.300.vec'), ('en', 'data/EN.vec'), ('en', 'en.glove.txt.gz'))
    """
    name, equals, path = argument.partition("=")
    # subtle: a folder may be called run=3, and a language holds no slash
    if equals and name and path and "/" not in name and not Path(argument).exists():
        return name, path
    if named or argument == "-":
        raise UsageError(f"expected LANGUAGE=FILE, such as en=vectors.npy, but got {argument!r}")
    return Path(argument).name.split(".")[0].lower() or argument, argument


def named_pairs(argument: str) -> tuple[str, tuple[str, str] | None]:
    """Split ``SOURCE-TARGET=FILE``; languages that hold a hyphen themselves are parted by a colon.

    Raises
    ------
    UsageError
        If what stands before the equals sign are no two languages.

    Examples
    --------
    >>> named_pairs("en-sw=bible.tsv"), named_pairs("zh-Hans:en=a.tmx"), named_pairs("b.jsonl")
    (('bible.tsv', ('en', 'sw')), ('a.tmx', ('zh-Hans', 'en')), ('b.jsonl', None))
    """
    named, equals, path = argument.partition("=")
    # subtle: a folder may be called run=3, and a language holds no slash
    if not equals or "/" in named or Path(argument).exists():
        return argument, None
    languages = tuple(named.split(":" if ":" in named else "-"))
    if len(languages) != 2 or not all(languages) or not path:
        raise UsageError(f"expected SOURCE-TARGET=FILE, such as en-sw=corpus.tsv, but got {argument!r}")
    return path, (languages[0], languages[1])


def read_bitext(
    paths: Sequence[str], languages: Sequence[str] | None, console: Output, *, skip_malformed: bool
) -> "list[Pair]":
    """Return the sentence pairs of some files, and say what was kept of each.

    Raises
    ------
    UsageError
        If `languages` are not two names.
    """
    from interlingua.pipelines.texts.pairs import read_pairs

    if languages is not None and len(languages) != 2:
        raise UsageError(f"--languages takes two names, such as en,fr, but is {','.join(languages)!r}")
    both = None if languages is None else (languages[0], languages[1])
    found: list[Pair] = []
    for path in paths:
        pairs = read_pairs(path, languages=both, on_malformed="skip" if skip_malformed else "raise")
        found += pairs
        console.note(pairs.report.summary())
    return found


def check_output_file(path: str) -> None:
    """Refuse a place where no file can be written, before the work that leads up to it.

    Raises
    ------
    OSError
        If it is a folder, or its folder is not there or cannot be written.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if Path(path).exists() and not Path(path).is_file():
        return  # a pipe or a device, such as /dev/stdout, is written to directly
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {Path(path).parent} does not exist; create it first")
    _check_writable(Path(os.path.realpath(path)).parent, path)


def check_output_folder(path: str) -> None:
    """Refuse a place where no folder can be made or written, before the work that leads up to it.

    Raises
    ------
    OSError
        If it is a file, lies in one, or cannot be written.
    """
    for place in (Path(path), *Path(path).absolute().parents):
        if place.is_dir():
            _check_writable(place, path)
            return
        if place.exists():
            raise NotADirectoryError(f"cannot write the folder {path}: {place} is a file; name another folder")


def check_collection_folder(path: str) -> None:
    """Refuse a place where no collection can be written, before the work that leads up to it.

    Raises
    ------
    OSError
        As `check_output_folder`, or if a folder holds files of somebody else.
    """
    from interlingua.index.folder import refuse_foreign

    refuse_foreign(Path(path))
    check_output_folder(path)


def words_or_lines(words: Sequence[str]) -> list[str]:
    """Return words of the command line, or with ``-`` among them those and the lines of standard input as well."""
    from interlingua.pipelines.texts.lines import open_lines

    given = [word for word in words if word != "-"]
    if "-" in words:
        with open_lines("-") as lines:
            given += [line for line in lines if line.strip()]
    return given


def require_collection(path: str) -> None:
    """Raise FileNotFoundError, with the command that makes one, where no collection was saved."""
    from interlingua.index.folder import MANIFEST_NAME

    if not (Path(path) / MANIFEST_NAME).is_file():
        raise FileNotFoundError(f"no collection at {path}; `interlingua index build` makes one")


def require_searchable(path: str) -> None:
    """Raise FileNotFoundError where neither a collection was saved nor another program keeps vectors."""
    from interlingua.index.folder import MANIFEST_NAME
    from interlingua.pipelines.stores import is_store

    if not (Path(path) / MANIFEST_NAME).is_file() and not is_store(path):
        require_collection(path)


def written_filter(conditions: "Sequence[str] | None") -> "Filter | None":
    """Return the filter that options ``--where`` say together: all of them hold.

    Of several that ask for values of one field, one must hold: ``--where language=sw --where language=zh``.

    Raises
    ------
    UsageError
        If one is not understood; with the place.
    """
    from interlingua.index import And, Eq, In, parse_filter

    wanted: dict[str, list[object]] = {}
    others = []
    for each in conditions or ():
        try:
            condition = parse_filter(each)
        except ValueError as error:
            raise UsageError(f"--where takes FIELD=VALUE and filters of such: {error}") from error
        if isinstance(condition, Eq | In):
            values = [condition.value] if isinstance(condition, Eq) else list(condition.values)
            wanted.setdefault(condition.field, []).extend(values)
        else:
            others.append(condition)
    parts: list[Filter] = [*(In(field, values) for field, values in wanted.items()), *others]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(*parts)


def check_bounds(condition: "Filter | None", collection: "Collection | MilvusCollection") -> None:
    """Refuse bounds of another type than a field's values, between which nothing can lie.

    Raises
    ------
    ValueError
        If all values of a field are texts and a bound is a number, or the other way round; with what to write.
    """
    from interlingua.index import And, Collection, Not, Or, Range

    if isinstance(condition, And | Or):
        for part in condition.conditions:
            check_bounds(part, collection)
    elif isinstance(condition, Not):
        check_bounds(condition.condition, collection)
    elif isinstance(condition, Range) and isinstance(collection, Collection):
        field, bound = condition.field, condition.most if condition.least is None else condition.least
        values = [value for value, _ in collection.counts(field)]
        if values and isinstance(bound, str) and all(type(value) in (int, float) for value in values):
            raise ValueError(f"the field {field!r} holds numbers, but the bound {bound!r} is a text; give a number")
        if values and not isinstance(bound, str) and all(isinstance(value, str) for value in values):
            raise ValueError(
                f"the field {field!r} holds texts, but the bound {bound!r} is a number; compare it as a text, in "
                f"quotes: {field} >= '{bound}'"
            )


def require_language(space: "SharedSpace", language: str, path: str) -> None:
    """Raise SpaceError, with the languages that there are, if a space of that file lacks a language."""
    if not space.covers(language):
        from interlingua.align import SpaceError

        raise SpaceError(f"{path} has no language {language!r}; it has: {', '.join(space.languages)}")


def _check_writable(folder: Path, path: str) -> None:
    try:
        # subtle: permissions do not tell of a read-only disk, nor of what the owner of the machine may do
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PermissionError(
            f"cannot write {path}: {folder} cannot be written ({reason}); name another place"
        ) from error
