"""Tables of LanceDB, read and written by LanceDB."""

from pathlib import Path
from typing import Any

from interlingua.index import Collection

from .base import MetricName, Place, StoreRows, new_folder, program
from .columns import rows_of_arrow

KIND = "lancedb"
_END = ".lance"


def recognises(path: Path) -> bool:
    """Tell whether a folder is a table of Lance, or has one in it."""
    return path.is_dir() and (path.suffix == _END or any(path.glob(f"*{_END}")))


def read(place: Place) -> StoreRows:
    """Return the rows of a table; ids are its column ``id``, where that has different values, else row numbers.

    Raises
    ------
    StoreError
        If there are several tables, or several columns of vectors, and none is named.
    ImportError
        If lancedb is not installed.
    """
    folder = Path(place.store)
    table, _, column = place.table.partition(".")
    if folder.suffix == _END and not any(folder.glob(f"*{_END}")):  # a table, not a folder of tables of such a name
        folder, table, column = folder.parent, folder.stem, place.table
    names = [each.stem for each in folder.glob(f"*{_END}")]
    name = Place(str(folder), table).choose(names, "table")
    base = program("lancedb", "lancedb").connect(str(folder))
    opened = base.open_table(name)
    return rows_of_arrow(opened.to_arrow(), column, _metric(opened), KIND, name, f"{folder}#{name}")


def write(rows: StoreRows, place: Place) -> None:
    """Write a new folder with one table, by LanceDB itself.

    Raises
    ------
    ImportError
        If lancedb is not installed.
    """
    lancedb = program("lancedb", "lancedb")
    made = Collection.create(rows.vectors.shape[1], rows.metric)
    made.add(list(rows.ids), rows.vectors, list(rows.metadata))
    table = made.to_arrow()
    with new_folder(place.store, "LanceDB") as folder:
        lancedb.connect(str(folder)).create_table(rows.table, table.replace_schema_metadata(None))


def _metric(table: Any) -> MetricName:
    """Return what an index of the table compares by; without one LanceDB itself takes L2."""
    names: dict[str, MetricName] = {"cosine": "cosine", "dot": "ip", "l2": "l2"}
    for each in table.list_indices():
        told = table.index_stats(each.name)
        kind = str(getattr(told, "distance_type", "") or "").lower()
        if kind in names:
            return names[kind]
    return "l2"
