"""Numbers of the command line, between the bounds that a docstring says."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Between which values a number lies."""

    whole: bool
    least: float = float("-inf")
    above: float = float("-inf")
    most: float = float("inf")

    @classmethod
    def of(cls, said: str, *, whole: bool) -> "Bounds":
        """Return the bounds that a docstring says, such as "int, at least 0" or "float, above 0 and at most 1"."""
        pattern = r"(at least|above|at most|from|to) (-?[\d.]*\d)"
        found = {word: float(number) for word, number in re.findall(pattern, said)}
        least = found.get("at least", found.get("from", 1.0 if whole and "above" not in found else float("-inf")))
        return cls(whole, least, found.get("above", float("-inf")), found.get("at most", found.get("to", float("inf"))))

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.least > float("-inf") and self.most < float("inf"):
            return f"{kind} from {self.least:.10g} to {self.most:.10g}"
        low = f"at least {self.least:.10g}" if self.least > float("-inf") else f"above {self.above:.10g}"
        parts = [low] if max(self.least, self.above) > float("-inf") else []
        parts += [f"at most {self.most:.10g}"] if self.most < float("inf") else []
        joined = " and ".join(parts)
        return f"{kind} {'of ' if joined.startswith('at') else ''}{joined}".strip()

    def read(self, text: str) -> float:
        """Return the number of a text, or raise ValueError with what is expected."""
        try:
            # subtle: int() and float() take blanks, underscores and digits of other scripts
            number = float(int(text) if self.whole else text) if text.isascii() and not {*" _"} & {*text} else None
        except ValueError:
            number = None
        if number is None or not (self.least <= number <= self.most and number > self.above):
            raise ValueError(f"expected {self}, but got {text!r}")
        return int(text) if self.whole else number
