"""What the library declares is read from its source, and is what its functions really have."""

import dataclasses
import inspect
import sys
from typing import Literal

import pytest

from interlingua.align.language import REMOVAL_METHODS
from interlingua.align.space import PRESETS
from interlingua.align.word.methods import UNSUPERVISED_METHODS, WORD_METHODS
from interlingua.pipelines.commands.declared import Declaration, Declared, described, keys_of, names_in

LIBRARY = '''
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

_LEAST = 2 * 10**3
Order = Literal["same", "any"]


def plain(
    text: str,
    path: str | os.PathLike[str] | None = None,
    *others: str,
    k: int = 4,
    least: int = -_LEAST,
    order: "Order" = "same",
    rate: float | Literal["auto"] = "auto",
    names: Sequence[str] = ("a", "b"),
    pair: tuple[str, str] | None = None,
    encoder: "Encoder | None" = None,
    made: str = str(1),
) -> None:
    """Say it.

    Parameters
    ----------
    text : str
        What to say,
        in full; see `other`.

        A second paragraph.
    k : int, at least 0
        How many.
    order : {"same", "any"}
        See `other`. Which way.

    Returns
    -------
    None
        Nothing.
    """


@dataclass
class Base:
    """Settings.

    Parameters
    ----------
    steps : int
        Steps of both.
    """

    kind: ClassVar[str] = "base"
    steps: int = 3


@dataclass
class More(Base):
    """More settings.

    Parameters
    ----------
    rate : float
        How fast.
    """

    rate: float = field(default=0.5, repr=False)

    def fit(self, rows: int, *, seed: int = 0) -> None:
        """Fit."""


class Old:
    def __init__(self, size: int = 7) -> None: ...
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "declared_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)
    yield "declared_library"
    assert "declared_library" not in sys.modules  # it was read, not imported


def test_types_defaults_and_descriptions_are_read(library):
    found = Declaration(f"{library}:plain")
    assert found.summary == "Say it"
    assert found["text"] == Declared("text", str, Declared.REQUIRED, "str", "What to say, in full.")
    assert found["k"] == Declared("k", int, 4, "int, at least 0", "How many.")
    assert found["order"] == Declared("order", Literal["same", "any"], "same", '{"same", "any"}', "Which way.")
    assert (found["path"].type, found["path"].default) == (str, None)
    assert found["least"].default == -2000
    assert found["rate"].type == float | Literal["auto"]
    assert (found["names"].type, found["names"].default) == (list[str], ("a", "b"))
    assert found["pair"].type == tuple[str, str]


def test_classes_give_their_fields_and_those_of_their_base(library):
    assert Declaration(f"{library}:More").names == ["steps", "rate"]
    assert Declaration(f"{library}:More")["rate"] == Declared("rate", float, 0.5, "float", "How fast.")
    assert Declaration(f"{library}:More")["steps"].help == "Steps of both."
    assert Declaration(f"{library}:More.fit").names == ["rows", "seed"]
    assert Declaration(f"{library}:Old")["size"].default == 7


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("encoder", TypeError, "a command line cannot give 'encoder'"),
        ("made", TypeError, r"str\(1\) is no constant"),
        ("nothing", LookupError, "has no parameter 'nothing'; it has: text, path"),
    ],
)
def test_what_a_command_line_cannot_give_is_refused(library, name, error, said):
    with pytest.raises(error, match=said):
        Declaration(f"{library}:plain")[name]


@pytest.mark.parametrize("target", ["interlingua.nowhere:f", "interlingua.pipelines.commands.declared:nothing"])
def test_what_is_not_there_is_named(target):
    with pytest.raises(LookupError, match=r"nowhere|nothing"):
        Declaration(target)


def test_an_entry_of_two_names_describes_both():
    assert described("X.\n\nParameters\n----------\na, b : int\n    Both.\n") == dict.fromkeys("ab", ("int", "Both."))


@pytest.mark.parametrize(
    "target",
    [
        "interlingua.pipelines.mine.mining:mine_bitext",
        "interlingua.pipelines.graphs.align:align_graphs",
        "interlingua.pipelines.encoders.load:load_encoder",
        "interlingua.pipelines.answer.answer:QuestionAnswerer.answer",
        "interlingua.pipelines.train.settings:FineTuning",
    ],
)
def test_what_is_read_is_what_the_function_has(target):
    module, _, path = target.partition(":")
    real = __import__(module, fromlist=["x"])
    for name in path.split("."):
        real = getattr(real, name)
    found, signature = Declaration(target), inspect.signature(real)
    assert found.names == [name for name in signature.parameters if name != "self"]
    checked = 0
    for name, each in signature.parameters.items():
        if name == "self":
            continue
        try:
            declared = found[name]
        except TypeError:
            continue
        checked += 1
        default = Declared.REQUIRED if each.default is inspect.Parameter.empty else each.default
        assert declared.default == default
    assert checked > 2
    assert dataclasses.is_dataclass(real) or callable(real)


def test_names_read_from_the_source_are_those_of_the_tables():
    named = names_in("interlingua.align.word.methods", "interlingua.align.word.restarts")
    assert sorted(named) == sorted([*WORD_METHODS, *UNSUPERVISED_METHODS])
    assert sorted(names_in("interlingua.align.language")) == sorted(REMOVAL_METHODS)
    assert keys_of("interlingua.align.space:PRESETS") == tuple(PRESETS)
    with pytest.raises(LookupError, match="has no mapping 'Step'"):
        keys_of("interlingua.align.space:Step")
