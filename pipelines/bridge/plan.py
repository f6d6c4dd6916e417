"""What a bridge would keep, told by a pilot, and what it costs beside re-embedding."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlingua.align.bridge import BridgeError, CurvePoint, TextVectors, learning_curve
from interlingua.pipelines.encoders.base import Encoder

from .models import encode_both
from .texts import BridgeTexts

_SIZES = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000)
_MOST = 100_000


@dataclass(frozen=True)
class BridgePlan:
    """A pilot and what follows from it.

    Attributes
    ----------
    points : tuple of CurvePoint
        Measured: what bridges on so many texts keep, by the map alone, in the language of the texts.
    ceiling, slope : float
        Of the curve kept = ceiling - slope / sqrt(texts) through them.
    goal : float
        What shall be kept.
    seconds_a_text : float
        For the model of the questions to encode one text here.
    """

    points: tuple[CurvePoint, ...]
    ceiling: float
    slope: float
    goal: float
    seconds_a_text: float

    def expected(self, texts: int) -> float:
        """Return what a bridge on so many texts is expected to keep."""
        return float(self.ceiling - self.slope / np.sqrt(texts))

    @property
    def texts_needed(self) -> int | None:
        """Texts that the goal asks for; None where the curve does not reach it."""
        if self.expected(self.points[0].texts) >= self.goal:
            return self.points[0].texts
        if self.ceiling <= self.goal:
            return None
        needed = int(np.ceil((self.slope / (self.ceiling - self.goal)) ** 2))
        return needed if needed <= _MOST else None

    def questions_needed(self, width: float = 0.05) -> int:
        """Return how many questions `verify` needs for an interval of 95 % of this half width."""
        last = self.points[-1].kept
        return int(np.ceil(last.n * ((last.high - last.low) / 2 / width) ** 2))

    def about(self, index_size: int | None = None) -> dict[str, Any]:
        """Return it as JSON can hold it, with the cost of re-embedding an index of that size."""
        found: dict[str, Any] = {
            "measured": {
                str(each.texts): {
                    "kept": round(each.kept.value, 4),
                    "from": round(each.kept.low, 4),
                    "to": round(each.kept.high, 4),
                }
                for each in self.points
            },
            "expected": {str(size): round(self.expected(size), 3) for size in (500, 1000, 2000, 4000)},
            "goal": self.goal,
            "texts needed": self.texts_needed,
            "questions to verify with": self.questions_needed(),
            "seconds a text": round(self.seconds_a_text, 5),
        }
        if index_size is not None:
            found["seconds to re-embed"] = round(self.seconds_a_text * index_size)
        return found


def plan_bridge(
    texts: BridgeTexts,
    source: Encoder,
    target: Encoder,
    *,
    goal: float = 0.8,
    seed: int = 0,
    progress: bool = False,
) -> BridgePlan:
    """Fit bridges on growing parts of a pilot, and tell from them how many texts a bridge needs.

    What is measured is the map alone in the language of the texts, the hardest case: other languages have the index's
    own reading of names beside it, and are measured by `verify_bridge`.

    Parameters
    ----------
    texts : BridgeTexts
        A pilot of the index's texts: 250 or more.
    source, target : Encoder
        The model of the questions, and that of the index.
    goal : float, from 0 to 2
        What shall be kept of re-embedding's recall at 10.
    seed : int
        Of the choice of texts.
    progress : bool
        Show bars on standard error.

    Raises
    ------
    BridgeError
        If there are too few texts to see a curve.
    """
    short, long = encode_both(texts, (source, target), progress=progress)
    rest = len(texts) - max(10, len(texts) // 5)
    sizes = (*(size for size in _SIZES if size < 0.9 * rest), rest)
    points = learning_curve(TextVectors(short[0], long[0]), TextVectors(short[1], long[1]), sizes, seed=seed)
    if len(points) < 2:
        raise BridgeError(f"a pilot needs at least 100 texts to see a curve, but has {len(texts)}; give more")
    shown = np.array([1 / np.sqrt(each.texts) for each in points])
    kept = np.array([each.kept.value for each in points])
    weights = 1 / np.maximum([each.kept.high - each.kept.low for each in points], 0.02)
    slope, ceiling = np.polyfit(shown, kept, 1, w=weights)
    if slope > 0:  # fewer texts keep no more, but for chance
        slope, ceiling = 0.0, np.average(kept, weights=weights)
    return BridgePlan(tuple(points), float(ceiling), float(-slope), goal, _seconds_a_text(texts, source))


def _seconds_a_text(texts: BridgeTexts, encoder: Encoder) -> float:
    """Time the encoder itself on a few texts: what a cache holds costs nothing."""
    plain = getattr(encoder, "encoder", encoder)
    some = texts.long[:: max(1, len(texts) // 16)][:16]
    plain.encode(some[:1], role="passage")
    start = time.perf_counter()
    plain.encode(some, role="passage")
    return (time.perf_counter() - start) / len(some)
