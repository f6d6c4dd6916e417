"""Texts that say the same in several languages, from a table with a column for each language."""

from .languages import NO_LANGUAGES, is_code
from .lines import PathLike
from .tables import open_table


def read_parallel_texts(path: PathLike) -> list[dict[str, str]]:
    r"""Return the rows of a table, each as language -> text; cells that are blank are left out.

    Parameters
    ----------
    path : str or path
        See `open_table`. Columns that are called like no language are passed over.

    Raises
    ------
    ValueError
        From `open_table`, or if fewer than two columns are called like languages.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "titles.tsv"
    ...     written = path.write_text("id\ten\tde\n1\tred wine\troter Wein\n2\twater\t\n")
    ...     read_parallel_texts(path)
    [{'en': 'red wine', 'de': 'roter Wein'}, {'en': 'water'}]
    """
    table = open_table(path, short=True)
    spoken = [each for each in table.columns if is_code(each) and each not in NO_LANGUAGES]
    if len(spoken) < 2:
        raise ValueError(
            f"{table.name} needs a column for each language, called like it (en, de, zh_CN), and two at least; its "
            f"columns are: {', '.join(table.columns) or 'none'}"
        )
    rows = [{each: str(row[each]) for each in spoken if row.get(each) is not None} for _, row in table.rows]
    return [{language: text for language, text in row.items() if text.strip()} for row in rows]
