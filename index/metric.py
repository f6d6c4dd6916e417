"""How two vectors are compared."""

from enum import StrEnum

__all__ = ["Metric"]


class Metric(StrEnum):
    """How a query and a stored vector are compared; a score is higher for a better match.

    ===========  ==========================  ==================================================
    value        score of query x, vector y  remark
    ===========  ==========================  ==================================================
    ``ip``       ``x . y``                   stored as given; folded CSLS needs this one
    ``cosine``   ``x . y / (|x| |y|)``       the index scales both to unit length; no zero vectors
    ``l2``       ``-|x - y|^2``              minus the SQUARED Euclidean distance
    ===========  ==========================  ==================================================

    Examples
    --------
    >>> Metric.parse("cosine")
    <Metric.COSINE: 'cosine'>
    >>> Metric.parse("dot")
    Traceback (most recent call last):
    ...
    ValueError: unknown metric 'dot'; choose one of 'ip', 'cosine', 'l2'
    """

    IP = "ip"
    COSINE = "cosine"
    L2 = "l2"

    @classmethod
    def parse(cls, value: "Metric | str") -> "Metric":
        """Return the metric named `value`.

        Raises
        ------
        ValueError
            If there is no such metric; the text lists those there are.
        """
        try:
            return cls(value)
        except ValueError:
            choices = ", ".join(repr(str(metric)) for metric in cls)
            raise ValueError(f"unknown metric {value!r}; choose one of {choices}") from None
