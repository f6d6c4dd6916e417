"""How the benchmark of probabilities counts."""

import numpy as np
import pytest

from interlingua.benchmarks.search.calibration import Said, figures_of


def said(values, right=False):
    values = np.array(values)
    return Said(values, values, np.full(len(values), right))


def test_figures_are_counted_over_equal_parts():
    kinds = {"known": [said([0.9] * 8, True), said([0.9, 0.4])], "nonsense": [said([0.1] * 5)], "absent": [said([0.9])]}
    found = figures_of(kinds)
    # of the half that is known, nine tenths say .9 where 8 of 9 are right, a tenth says .4 and is wrong
    assert found["calibration error"] == pytest.approx(0.45 * (0.9 - 8 / 9) + 0.05 * 0.4 + 0.5 * 0.1, abs=0.01)
    assert found["error with absent"] == pytest.approx(0.475 * 0.9 - 0.25 * 0.8 + 0.025 * 0.4 + 0.5 * 0.1, abs=0.01)
    assert found["right first %"] == 80
    assert found["right kept %"] == 100
    assert found["nonsense answered %"] == found["nonsense at 90 % kept %"] == 0
    assert found["absent answered %"] == 100


def test_nonsense_is_let_through_from_where_nine_tenths_are_kept():
    kinds = {"known": [said(np.linspace(0.3, 0.8, 11), True)], "nonsense": [said([0.34, 0.36, 0.55, 0.1])]}
    found = figures_of(kinds)
    assert found["nonsense at 90 % kept %"] == 50
    assert found["nonsense answered %"] == 25
    assert "absent answered %" not in found
