"""Settings are checked where they are made, and asking for them loads no library."""

import subprocess
import sys
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from interlingua.align.sentence.adversary import Deception
from interlingua.pipelines.train import settings
from interlingua.pipelines.train.settings import (
    ContrastiveSettings,
    DistillationSettings,
    EpochSettings,
    FineTuning,
    NewModel,
    PretrainingSettings,
    SearchSpace,
)


@pytest.mark.parametrize("kind", [ContrastiveSettings, DistillationSettings, FineTuning, PretrainingSettings])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"warmup": 3.0}, r"warmup is a share and must lie in \[0, 1\], got 3.0"),
        ({"learning_rate": -1.0}, "learning_rate must not be negative, got -1.0"),
    ],
)
def test_what_every_training_is_told_is_checked(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        kind(**changes)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (ContrastiveSettings, {"precision": "int8"}, "precision must be 'auto', 'float32' or 'bfloat16', got 'int8'"),
        (ContrastiveSettings, {"epochs": 0}, "epochs must be above 0"),
        (ContrastiveSettings, {"learning_rate": 0.0}, "learning_rate must be above 0"),
        (ContrastiveSettings, {"patience": 0}, "patience must be at least 1"),
        (ContrastiveSettings, {"batch_size": 1}, "batch_size must be at least 2"),
        (ContrastiveSettings, {"temperature": 0}, "temperature must be above 0"),
        (ContrastiveSettings, {"margin": -0.1}, "margin must not be negative"),
        (ContrastiveSettings, {"lora_rank": 0}, "rank of the adapters, must be at least 1"),
        (DistillationSettings, {"pivot": "both"}, "pivot must be 'target' or 'source', got 'both'"),
        (DistillationSettings, {"projection": "lasso"}, "projection must be 'ridge' or 'none', got 'lasso'"),
        (PretrainingSettings, {"mask_rate": 1.0}, "mask_rate must lie between"),
        (PretrainingSettings, {"tlm_share": 1.5}, r"tlm_share is a share and must lie in \[0, 1\]"),
        (PretrainingSettings, {"report_every": 2, "save_every": 3}, "multiple of report_every, got 3 and 2"),
        (PretrainingSettings, {"report_every": 0}, "report_every must be at least 1"),
        (PretrainingSettings, {"dtype": "int8"}, "dtype must be"),
        (PretrainingSettings, {"max_length": 2}, "at least 4"),
        (FineTuning, {"adversarial": "both"}, "adversarial must be 'none', 'reversal' or 'alternating'"),
        (FineTuning, {"adversarial": "reversal", "adversarial_weight": 0.0}, "adversarial_weight must be above 0"),
        (FineTuning, {"pooling": "max"}, "pooling must be 'mean' or 'cls', got 'max'"),
        (FineTuning, {"max_length": 0}, "max_length must be at least 1"),
        (FineTuning, {"revision": "v1"}, "the encoder is the bundled one"),
        (NewModel, {"width": 30, "heads": 4}, r"^heads \(4\) must divide the width \(30\)"),
        (NewModel, {"vocabulary_size": 0}, "^vocabulary_size must be at least 1, got 0"),
        (SearchSpace, {"learning_rate": (3e-4, 2e-5)}, "learning_rate takes the lowest and the highest value"),
        (SearchSpace, {"warmup": (0.3, 0.1)}, "warmup takes the lowest and the highest value"),
        (SearchSpace, {"warmup": (0.0, 1.5)}, "warmup takes shares of the steps"),
        (SearchSpace, {"adversarial_weight": (0.0, 1.0)}, "adversarial_weight must be above 0"),
        (SearchSpace, {"batch_size": (0, 8)}, "batch_size takes choices of at least 1"),
        (SearchSpace, {"layer": ()}, "layer takes choices of at least 1"),
    ],
)
def test_what_one_way_to_train_is_told_is_checked(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        kind(**changes)


def test_steps_are_those_of_the_epochs_unless_they_are_given():
    assert EpochSettings(batch_size=4, epochs=2.5).steps_for(9) == 8
    assert EpochSettings(batch_size=4).steps_for(9, 1) == 4  # parts are not mixed in a batch
    assert EpochSettings(batch_size=4, epochs=0.1).steps_for(1) == 1
    assert EpochSettings(batch_size=4, steps=3).steps_for(100) == 3


@pytest.mark.parametrize("kind", [each for each in vars(settings).values() if hasattr(each, "__dataclass_fields__")])
def test_each_field_has_an_entry_of_its_own_where_it_is_declared(kind):
    documented = " ".join(each.__doc__ or "" for each in kind.__mro__)
    assert [each.name for each in fields(kind) if f"\n    {each.name} : " not in documented] == []


def test_the_choices_are_those_of_what_is_called():
    assert set(get_args(get_type_hints(FineTuning)["deception"])) == set(get_args(Deception))


def test_settings_are_asked_for_without_loading_a_library():
    code = (
        "import sys, interlingua.pipelines.train.settings; print(*{'numpy', 'torch', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_pairs_are_trained_on_at_one_rate_by_default():
    assert (ContrastiveSettings().learning_rate, DistillationSettings().learning_rate) == (3e-5, 3e-5)
