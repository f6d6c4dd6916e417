"""The texts that a bridge is fitted on, each with a short one that asks for it."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from interlingua.pipelines.demo.demo import load_declaration
from interlingua.pipelines.texts.lines import PathLike
from interlingua.pipelines.texts.passages import UNDETERMINED
from interlingua.pipelines.texts.tables import open_table

_OPENING = re.compile(r".{15,}?(?:[.!?](?=\s|$)|[。！？।])")
_LONGEST_OPENING = 200
_GUESSED = 200


@dataclass(frozen=True)
class BridgeTexts:
    """Texts of one language, with short texts that belong to them.

    Attributes
    ----------
    short, long : tuple of str
        Row by row.
    language : str
        "und" where none is named.
    repeated : int
        Texts left out, since an equal one came before.
    """

    short: tuple[str, ...]
    long: tuple[str, ...]
    language: str = UNDETERMINED
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.long)


def read_bridge_texts(path: PathLike, *, titles: str | None = None, language: str | None = None) -> BridgeTexts:
    """Read texts of one language from JSON lines, CSV, TSV or parquet.

    Parameters
    ----------
    path : str or path
        Each row has a `text`, and perhaps a `language`.
    titles : str, optional
        The field of short texts, such as titles or questions; a row without one, and every row by default, gives the
        first sentence of its text.
    language : str, optional
        The language of texts that name none.

    Raises
    ------
    ValueError
        If a row has no text, no row has a title, or two rows name different languages; named by line.
    """
    table = open_table(path)
    short: list[str] = []
    long: list[str] = []
    seen: set[str] = set()
    named, first, titled, rows = language, f"the language {language!r} that was asked for", 0, 0
    for number, row in table.rows:
        rows += 1
        where = table.where(number)
        text, own = row.get("text"), row.get("language")
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f'{where}: each row needs a "text" that is not empty; it has: {", ".join(map(str, row))}')
        if own and named and str(own) != named:
            raise ValueError(
                f"{where}: a bridge is fitted on texts of one language, but this one is in {own!r} and {first} not; "
                "give the texts of one language"
            )
        if own and not named:
            named, first = str(own), f"{where.rpartition(', ')[2]} in {str(own)!r}"
        title = _title(row, titles, where)
        titled += title is not None
        if text in seen:
            continue
        seen.add(text)
        short.append(opening(text) if title is None else title)
        long.append(text)
    if titles is not None and rows and not titled:
        raise ValueError(f"{table.name}: no row has the field {titles!r}; name another with --titles, or none")
    return BridgeTexts(tuple(short), tuple(long), named or UNDETERMINED, rows - len(long))


def opening(text: str) -> str:
    r"""Return the first sentence of a text, at most 200 characters.

    Examples
    --------
    >>> opening("Dig a hole as deep as the pot. Then water it.\nNext.")
    'Dig a hole as deep as the pot.'
    """
    line = text.strip().split("\n")[0].strip()
    found = _OPENING.match(line)
    return (found[0] if found else line)[:_LONGEST_OPENING].strip()


def guess_language(texts: Sequence[str]) -> str:
    """Return the language of some texts, one of the 41 of the Universal Declaration of Human Rights.

    By the letters: of the three that stand together, those of which language are they most likely?
    log P = sum over the texts' trigrams of log((n_l(trigram) + 1) / (n_l + V)), n_l counted in the declaration.

    Examples
    --------
    >>> guess_language(["Der Hund schläft auf dem Sofa.", "Wer hat die Tür geöffnet?"])
    'de'
    """
    counted = _declared_trigrams()
    kinds = len({each for counts in counted.values() for each in counts})
    asked = _trigrams(texts[:_GUESSED])
    scores = {
        name: sum(n * math.log((counts[each] + 1) / (counts.total() + kinds)) for each, n in asked.items())
        for name, counts in counted.items()
    }
    return max(scores, key=lambda name: scores[name])


@cache
def _declared_trigrams() -> dict[str, Counter[str]]:
    return {name: _trigrams(each.articles) for name, each in load_declaration().items()}


def _trigrams(texts: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        padded = f" {' '.join(text.lower().split())} "
        found.update(padded[at : at + 3] for at in range(len(padded) - 2))
    return found


def _title(row: dict[str, Any], field: str | None, where: str) -> str | None:
    title = row.get(field) if field is not None else None
    if title is None or title == "":
        return None
    if not isinstance(title, str) or not title.strip():
        raise ValueError(f"{where}: the field {field!r} must be a text, but is {title!r:.60}")
    return title.strip()


def of_texts(long: Sequence[str], short: Sequence[str] | None = None, language: str = UNDETERMINED) -> BridgeTexts:
    """Return texts that are there already; without short ones, with their first sentences."""
    short = [opening(each) for each in long] if short is None else short
    if len(short) != len(long):
        raise ValueError(f"each text needs its short one, but there are {len(long)} and {len(short)}")
    return BridgeTexts(tuple(short), tuple(long), language)
