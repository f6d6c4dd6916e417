"""Where entities come from: tables, and dumps of Wikidata."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from interlingua.pipelines.texts.languages import find_label
from interlingua.pipelines.texts.lines import PathLike, input_name, json_lines, numbered_lines
from interlingua.pipelines.texts.tables import open_table

from .entity import Entity

_FIELDS = {"alias": "aliases", "type": "types"}
_MAIN_SNAK = ("mainsnak", "datavalue", "value")


def read_entity_table(
    path: PathLike, *, columns: Mapping[str, str] | None = None, separator: str = "|"
) -> list[Entity]:
    """Return the entities of a table, see `open_table`; cells may stand in quotation marks and be left out at the end.

    Parameters
    ----------
    path : str or path
        Columns: ``id``; ``name`` or ``name:LANGUAGE``, any number; ``aliases``, ``description``, ``types``;
        all others are properties.
        Several columns may mean ``aliases`` or ``types``. Rows of empty cells are passed over.
    columns : mapping, optional
        The table's names of columns -> those above, such as ``{"QID": "id", "label": "name:en"}``.
    separator : str
        Between several aliases, types or values of one property.

    Raises
    ------
    ValueError
        If there is no column for ids or names, two columns mean the same, or a row is longer than the first line or
        has no id; names the line.
    """
    table = open_table(path, quoted=True, short=True)
    absent = [name for name in columns or {} if name not in table.columns]
    if absent:
        raise ValueError(f"{table.name} has no column {absent[0]!r}; it has: {', '.join(table.columns) or 'none'}")
    meant = {name: (columns or {}).get(name, name).strip() for name in table.columns}
    meant = {name: _FIELDS.get(each, each) for name, each in meant.items()}
    if "id" not in meant.values() or not any(each.partition(":")[0] == "name" for each in meant.values()):
        seen = ", ".join(table.columns) or "none"
        raise ValueError(
            f"{table.name} needs a column 'id' and one 'name' or 'name:LANGUAGE', but its columns are: {seen}"
        )
    _check_meanings(meant, table.name)
    found = []
    for number, row in table.rows:
        if not any(_cell(each, separator) for each in row.values()):
            continue
        cells: dict[str, str] = {}
        for name in table.columns:
            cells[meant[name]] = separator.join(filter(None, (cells.get(meant[name]), _cell(row.get(name), separator))))
        found.append(_from_row(cells, separator))
        if not found[-1].id:
            raise ValueError(f"{table.where(number)}: the cell of the id is empty")
    return found


def read_wikidata(
    path: PathLike,
    *,
    languages: Collection[str] | None = None,
    types: Collection[str] | None = None,
    limit: int | None = None,
) -> Iterator[Entity]:
    """Yield the entities of a Wikidata JSON dump, one line at a time; properties are none.

    A warning says how many were left out since they have no name in the languages, nor one for several ("mul").

    Parameters
    ----------
    path : str or path
        ``.json``, ``.json.gz`` or ``.json.bz2``: an array with an entity a line, as Wikidata has it, or such lines.
    languages : collection of str, optional
        Languages of Wikidata's names, such as en,de, and of the description, of which the first counts; by default all,
        and English descriptions.
    types : collection of str, optional
        Only instances of these in Wikidata, such as Q6256,Q515.
    limit : int, optional
        The most entities of Wikidata.

    Raises
    ------
    ValueError
        If a line is no JSON object; names it.
    """
    count = nameless = 0
    lines = ((number, line.strip().rstrip(",")) for number, line in numbered_lines(path))
    for number, value in json_lines((each for each in lines if each[1] not in ("[", "]")), input_name(path)):
        if limit is not None and count >= limit:
            break
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise ValueError(f"{input_name(path)}, line {number}: expected an entity of Wikidata with an id")
        if value.get("type") == "property":
            continue
        try:
            made = _from_wikidata(value, languages)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{input_name(path)}, line {number}: {value['id']} is no entity as Wikidata has them "
                f"({type(error).__name__}: {error}); get the dump anew"
            ) from error
        if made is not None and (types is None or set(types) & set(made.types)):
            count += 1
            yield made
        nameless += made is None
    if nameless:
        wanted = f" in {', '.join(languages)}" if languages is not None else ""
        warnings.warn(f"{input_name(path)}: {nameless:,} entities left out, without a name{wanted}", stacklevel=2)


def _check_meanings(meant: Mapping[str, str], name: str) -> None:
    """Refuse two columns for what an entity has once; several of aliases or types are joined."""
    for each in sorted(set(meant.values()) - {"aliases", "types"}):
        columns = [column for column, own in meant.items() if own == each]
        if len(columns) > 1:
            raise ValueError(
                f"{name}: the columns {' and '.join(map(repr, columns))} both mean {each!r}; give them different "
                "meanings, or leave one out"
            )


def _from_row(row: Mapping[str, str], separator: str) -> Entity:
    names, properties = {}, {}
    for column, cell in row.items():
        kind, _, language = column.partition(":")
        if kind == "name":
            names.update({language: cell} if cell else {})
        elif column not in ("id", "aliases", "description", "types") and cell:
            properties[column] = _several(cell, separator)
    aliases, types = (_several(row.get(name, ""), separator) for name in ("aliases", "types"))
    return Entity(row["id"], names, aliases, row.get("description", ""), types, properties)


def _cell(value: object, separator: str) -> str:
    """Return a cell as text; in JSON lines and parquet, several values can be a list."""
    return separator.join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value).strip()


def _several(cell: str, separator: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in cell.split(separator) if each.strip())


def _from_wikidata(value: Mapping[str, Any], languages: Collection[str] | None) -> Entity | None:
    labels, aliases, descriptions = (value.get(name) or {} for name in ("labels", "aliases", "descriptions"))
    wanted = list(labels) if languages is None else list(languages)
    names = {tag: labels[tag]["value"] for code in wanted if (tag := find_label(code, labels))}
    spoken = aliases if languages is None else dict.fromkeys(find_label(code, aliases) for code in wanted)
    others = [each["value"] for tag in spoken if tag for each in aliases[tag]]
    said = ["en", *descriptions] if languages is None else wanted
    description = next((descriptions[tag]["value"] for code in said if (tag := find_label(code, descriptions))), "")
    if not names and not others:
        return None
    claims = value.get("claims") or {}
    properties = {name: tuple(filter(None, map(_claim, each))) for name, each in claims.items() if name != "P31"}
    types = tuple(filter(None, map(_claim, claims.get("P31", ()))))
    kept = {name: values for name, values in properties.items() if values}
    return Entity(value["id"], names, tuple(dict.fromkeys(others)), description, types, kept)


def _claim(claim: Mapping[str, Any]) -> str:
    """Return the value of a statement: an id, a text, a time or a number; "" for others."""
    if claim.get("rank") == "deprecated":
        return ""
    found: Any = claim
    for key in _MAIN_SNAK:
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        found = next((found[key] for key in ("id", "text", "time", "amount") if key in found), "")
    return found if isinstance(found, str) else ""
