"""Every option of an earlier version is there, with its default, choices and need; what differs is said here."""

import inspect
import json
from pathlib import Path
from typing import get_args, get_origin

import pytest

from interlingua.pipelines.commands import app

SAVED = Path(__file__).parents[2] / "saved" / "golden" / "options.json"
THEN = json.loads(SAVED.read_text(encoding="utf-8"))

#: What is otherwise than it was, by command and option (* for all of them): the new default, and why.
CHANGED = {
    "chat --least": (0.5, "a probability that means the same in tables of all sizes; it was a cosine"),
    "index build-shards --no-cache": (False, "it did nothing: shards keep no texts' vectors unless told --cache"),
    "index build-shards --ranking": ("csls", "inverted lists rank by CSLS as well since they can"),
    "index export --id": ("id", "the library's default is shown; None stood for it"),
    "index export --vector": ("vector", "the library's default is shown; None stood for it"),
    "index export --where": (None, "None stands for an empty list"),
    "classify train --unlabelled": (None, "None stands for an empty list"),
    "entities build --column": (None, "None stands for an empty list"),
    "align-text --skip": (0.02, "the library's default is shown; None stood for it"),
    "align-text --least": (0.2, "the library's default is shown; None stood for it"),
    "train distill --learning-rate": (3e-5, "that of the library and of `train contrastive`"),
    "train finetune --seeds": (3, "the docs' figures are means of three"),
    "tune --search-adversarial-weight": ([0.01, 1.0], "the library's default is shown; None stood for it"),
}
#: Choices that came since.
ADDED = {
    "mine --margin": {"csls"},
    "align --on-failure": {"ignore"},
    "train finetune --dtype": {"float16"},
    "tune --dtype": {"float16"},
}
#: Takes several values since: encoders are compared.
SEVERAL = {"audit --encoder"}
#: Needed then, checked by the command itself now, which says more.
CHECKED = {
    "evaluate --dictionary",
    "graph align graphs",
    "mine texts",
    "answer questions",
    "align vectors",
    "translate words",
    "space fit vectors",
    "train pretrain texts",
}

COMPARED = [name for _, name, _ in (*app._own(), *app.added_commands()) if name in THEN]


def arguments_of(name):
    made = app.build_app(app.added_commands())
    for word in name.split():
        made = made[word]
    return list(made.assemble_argument_collection())


def default_of(argument):
    """Return a default as argparse held it: None without one, the text between commas of several names."""
    default = argument.field_info.default
    if default is inspect.Parameter.empty:
        return None
    if not isinstance(default, tuple):
        return default
    return ",".join(default) if argument.parameter.n_tokens == 1 else list(default) or None


def test_every_command_of_then_is_here():
    groups = {" ".join(name.split()[:-1]) for name in THEN if " " in name} | {"interlingua"}
    now = {name for _, name, _ in (*app._own(), *app.added_commands())}
    assert set(THEN) - groups <= now
    assert now - set(THEN) == {
        "completion",
        "doctor",
        "serve",
        "index words",
        *(f"plot {what}" for what in ("space", "audit", "retrieval", "confusion")),
        "train static",
        *(f"bridge {verb}" for verb in ("fit", "map", "verify", "plan", "stage", "rollback")),
    }


@pytest.mark.parametrize("name", COMPARED)
def test_options_of_then_are_options_now(name):
    now = arguments_of(name)
    for then in THEN[name]["options"]:
        if then["action"] == "Help" or not then["flags"]:
            continue
        place = f"{name} {then['flags'][-1]}"
        found = [each for each in now if set(then["flags"]) <= {*each.names, *each.negatives}]
        assert len(found) == 1, place
        argument = found[0]
        if then["action"] == "StoreTrue":
            off, _ = CHANGED.get(place, (then["flags"][0] in argument.negatives, ""))
            assert default_of(argument) is off, place
            continue
        assert argument.required == (then["required"] and place not in CHECKED), place
        default, _ = CHANGED.get(place, (then["default"] or None if then["nargs"] == "+" else then["default"], ""))
        assert default_of(argument) == default, place
        assert {*(argument.get_choices() or ())} == {*(then["choices"] or ()), *ADDED.get(place, ())}, place
        lists = [each for each in (argument.hint, *get_args(argument.hint)) if get_origin(each) is list]
        one = argument.parameter.n_tokens == 1 or argument.parameter.consume_multiple in (None, False, (0, 1))
        several = bool(lists) and not one
        assert several == (then["nargs"] in ("+", "*") or place in SEVERAL), place
        if isinstance(then["nargs"], int):
            assert argument.token_count()[0] == then["nargs"], place


@pytest.mark.parametrize("name", COMPARED)
def test_positionals_of_then_are_positionals_now(name):
    now = [each for each in arguments_of(name) if each.index is not None]
    then = [each for each in THEN[name]["options"] if not each["flags"] and each["action"] == "Store"]
    assert len(now) == len(then)
    for argument, each in zip(now, then, strict=True):
        needed = each["required"] and each["nargs"] not in ("?", "*") and f"{name} {each['dest']}" not in CHECKED
        assert argument.required == needed
        assert sorted(argument.get_choices() or ()) == sorted(each["choices"] or ())


@pytest.mark.parametrize("name", COMPARED)
def test_what_excluded_each_other_still_does(cli, name):
    arguments = {each.names[0].lstrip("-").replace("-", "_"): each for each in arguments_of(name)}
    needed = [
        part
        for each in arguments.values()
        if each.required
        for part in ("x", *([each.names[0]] if each.index is None else []))[::-1]
    ]
    for group in THEN[name]["exclusive"]:
        given = []
        for each in (arguments[dest] for dest in group["dests"][:2]):
            given += [each.names[0], *([] if each.hint is bool else [(each.get_choices() or ["0.5"])[0]])]
        done = cli(*name.split(), *needed, *given)
        assert done.code == 2
        assert "exclude each other" in done.err
