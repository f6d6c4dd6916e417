"""Filters on metadata: all of the fields, any of the values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metadata import MetadataTable

__all__ = ["Where", "matching_rows"]

Where = Mapping[str, Any]
"""Field -> one wanted value, or a list, tuple or set of them."""


def matching_rows(table: MetadataTable, where: Where | None) -> NDArray[np.int64] | None:
    """Return the numbers of the rows that pass `where`; None if there is nothing to pass.

    A row passes if, for every field, its value is one of those wanted. A row without the field does not pass; nor
    does any for an empty list. Values of lists or dictionaries cannot be filtered on. Costs O(n) a field.

    Raises
    ------
    ValueError
        If no row has, or had, such a field: most likely it is misspelt. An empty collection has no rows to miss.
    TypeError
        If a wanted value is no str, int, float, bool or None.

    Examples
    --------
    >>> table = MetadataTable()
    >>> rows = [{"language": "sw", "n": 1}, {"language": "zh", "n": 1}, {"language": "fi", "n": 2}]
    >>> _ = table.append(["a", "b", "c"], rows)
    >>> matching_rows(table, {"language": ["zh", "fi"], "n": 1})
    array([1])
    >>> matching_rows(table, {"lang": "zh"})
    Traceback (most recent call last):
    ...
    ValueError: no row has the field 'lang'; the fields are 'language', 'n'
    """
    if not where:
        return None
    mask = np.ones(len(table), dtype=bool)
    for field, wanted in where.items():
        values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        for value in values:
            if value is not None and type(value) not in (str, int, float, bool):
                raise TypeError(f"where[{field!r}] wants a {type(value).__name__}; give str, int, float, bool, None")
        if field not in table.fields:
            if len(table) == 0:
                continue
            known = ", ".join(map(repr, table.fields)) or "none"
            raise ValueError(f"no row has the field {field!r}; the fields are {known}")
        mask &= table.matches(field, values)
    return table.numbers_where(mask)
