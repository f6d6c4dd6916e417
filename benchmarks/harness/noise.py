"""How far a figure may move from one run to the next before it says something: the stated noise of each kind.

- times (seconds, ms, rates, speeds): the ratio to the first line of the same table may change by a factor of 2; a time
  that stands alone is not compared;
- memory (MB, KB): a quarter;
- counts (whole numbers, such as files, pairs, rows): none;
- scores (percent, and shares from 0 to 1): half a point, or one item where there are few;
- others (losses, cosines, nats): a fiftieth.

A time is compared as a ratio, since another machine is faster or slower in all lines of a table.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["time", "memory", "count", "score", "other"]

TIME_FACTOR = 2.0
MEMORY_SHARE = 0.25
POINTS = 0.5  # of a hundred
OTHER_SHARE = 0.02
_TIME = re.compile(
    r"(?<!')\b(seconds?|s|ms|minutes|hours|times before|times sentence-transformers)\b|CPU-s|a second|speed|GFLOP"
)
_MEMORY = re.compile(r"\b(MB|KB|GB)\b|float32")
_FEW = 200  # items up to which one of them is more than half a point


@dataclass(frozen=True)
class Noise:
    """How far a figure may move.

    Attributes
    ----------
    kind : str
        "time", "memory", "count", "score" or "other".
    within : float
        Largest absolute difference; of a time, the largest factor between two ratios.
    """

    kind: Kind
    within: float


def kind_of(metric: str, value: float) -> Kind:
    """Return the kind of a metric, by its name and a value of it.

    Examples
    --------
    >>> [kind_of(*each) for each in (("P@1 %", 62.4), ("MRR", 0.91), ("CPU s", 3.2), ("peak MB", 90), ("lost", 0))]
    ['score', 'score', 'time', 'memory', 'count']
    """
    if _TIME.search(metric):
        return "time"
    if _MEMORY.search(metric):
        return "memory"
    if "%" in metric:
        return "score"
    if float(value).is_integer() and abs(value) != 1:
        return "count"
    return "score" if 0 <= value <= 1 else "other"


def noise(metric: str, value: float, n: int) -> Noise:
    """Return the stated noise of a figure.

    Parameters
    ----------
    metric : str
        Its name, which says the unit.
    value : float
        The committed figure.
    n : int
        Items that it is a mean of.

    Examples
    --------
    >>> noise("top-1 %", 70.0, 30).within  # one of 30 articles
    3.3333333333333335
    >>> noise("top-1 %", 92.9, 15).within  # a mean of 15 languages is no share of 15 items
    0.5
    """
    kind = kind_of(metric, value)
    if kind == "time":
        return Noise(kind, TIME_FACTOR)
    if kind == "score":
        whole = 100.0 if "%" in metric else 1.0
        hits = value / whole * n
        a_share = n < _FEW and math.isclose(hits, round(hits), abs_tol=1e-3)
        return Noise(kind, whole * max(POINTS / 100, 1 / n if a_share and n else 0.0))
    shares = {"memory": MEMORY_SHARE, "count": 0.0, "other": OTHER_SHARE}
    return Noise(kind, abs(value) * shares[kind])
