"""The command that runs benchmarks: what it prints and writes, its exit codes, and pieces in processes of their own."""

import importlib
import inspect
import json
import os
import platform
import sys
from pathlib import Path
from types import ModuleType

import pytest

from interlingua.benchmarks import __main__ as command
from interlingua.benchmarks.harness import report
from interlingua.benchmarks.harness.measure import (
    Case,
    NotDoneError,
    cases_to_json,
    in_pieces,
    kept,
    measured_apart,
    run_apart,
)


def case(data="d", value=1.0):
    items = {"x %": [1, 2, 1 / 3]} if data == "d" else None
    return Case(task="t", data=data, method="m", figures={"x %": value, "y": 2.0}, n=3, items=items)


def made(
    subject: str = "d",
    value: float = 1.0,
    only: str = "",
    encoder=None,
    space: Path | None = None,
    hidden: tuple[int, ...] = (),
):
    """A benchmark; the annotations are read by the command."""
    yield from (case(each, value) for each in (subject, "other") if only in each)


def unfinished():
    yield case()
    raise NotDoneError("the second half")


def broken():
    yield case()
    raise OSError("no data")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command with made-up benchmarks; their results are in the folder returned."""
    module = ModuleType("made_up_benchmarks", "Measure nothing.")
    module.made, module.unfinished, module.broken = made, unfinished, broken
    module.missed = lambda rows: [f"{each['data']} is bad" for each in rows if each["value"] < 0]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = {name: f"{module.__name__}:{name}" for name in ("made", "broken", "unfinished")}
    monkeypatch.setattr(command, "benchmarks", lambda: found)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "run_apart", run_here)
    return command.main


def run_here(name, options):
    """Stand in for a process of its own, which would not know the made-up benchmarks."""
    try:
        return command.main([name, *options]), ""
    except OSError as error:
        return 1, f"{type(error).__name__}: {error}"


def test_rows_are_printed_and_written_with_the_command_that_made_them(run, tmp_path, capsys):
    assert run(["made", "--subject", "two words", "--value", "5"]) == 0
    rows = json.loads((tmp_path / "made.json").read_text())
    assert [(each["data"], each["metric"], each["value"], each["n"]) for each in rows] == [
        ("two words", "x %", 5.0, 3), ("two words", "y", 2.0, 3), ("other", "x %", 5.0, 3), ("other", "y", 2.0, 3),
    ]  # fmt: skip
    assert {each["command"] for each in rows} == {
        "python -m interlingua.benchmarks made --subject 'two words' --value 5"
    }
    assert all(each["seconds"] >= 0 and each["peak_mb"] > 10 for each in rows)
    assert "two words" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(run, tmp_path, capsys):
    assert run(["made", "--dry-run"]) == 0
    assert "other" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_what_a_space_of_ones_own_gives_is_printed_and_no_result(run, tmp_path, capsys):
    assert run(["made", "--space", "own.space"]) == 0
    assert "other" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_with_only_the_other_rows_stay(run, tmp_path):
    run(["made"])
    run(["made", "--only", "other", "--value", "7"])
    rows = json.loads((tmp_path / "made.json").read_text())
    assert [(each["data"], each["value"]) for each in rows] == [("d", 1.0), ("d", 2.0), ("other", 7.0), ("other", 2.0)]


def test_only_that_names_no_row_is_refused_with_the_rows_there_are(run, tmp_path, capsys):
    run(["made"])
    before = (tmp_path / "made.json").read_text()
    assert run(["made", "--only", "nosuch"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no row of made holds 'nosuch'" in said
    assert "there are: d, m; other, m" in said
    assert (tmp_path / "made.json").read_text() == before


def test_an_encoder_is_loaded_by_its_name_and_names_the_results(run, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr("interlingua.pipelines.load_encoder", loaded.append)
    assert run(["made", "--encoder", "usem3"]) == 0
    assert loaded == ["usem3"]
    assert [path.name for path in tmp_path.glob("*.json")] == ["made-usem3.json"]


def test_a_missed_goal_exits_with_one(run, capsys):
    assert run(["made", "--value", "-1"]) == 1
    assert "goal missed: other is bad" in capsys.readouterr().err


def test_a_run_that_its_time_limit_ended_exits_with_three_and_writes_nothing(run, tmp_path, capsys):
    assert run(["unfinished"]) == 3
    assert "call it again to go on: the second half" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_all_goes_on_where_one_fails_and_says_so_at_the_end(run, tmp_path, capsys):
    assert run(["all"]) == 3
    assert [path.name for path in tmp_path.glob("*.json")] == ["made.json"]
    assert "OSError: no data" in capsys.readouterr().err
    assert run(["made", "broken"]) == 1
    with pytest.raises(OSError, match="no data"):
        run(["broken"])


def test_all_does_not_repeat_what_is_done_unless_asked_or_something_changed(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "data").mkdir()
    asked = ["all", "--results", str(tmp_path / "new"), "--data", str(tmp_path / "data")]
    monkeypatch.setenv("INTERLINGUA_DATA", "")
    monkeypatch.setattr(command, "benchmarks", lambda: {"made": "made_up_benchmarks:made"})
    path = tmp_path / "new" / "made.json"

    def measured(options=asked):
        before = path.stat().st_mtime_ns if path.exists() else 0
        assert run(options) == 0
        return path.stat().st_mtime_ns != before

    assert measured()
    note = json.loads((tmp_path / "new" / ".done" / "made.json").read_text())
    assert (note["code"], note["environment"]["python"]) == (0, platform.python_version())
    assert not measured()
    assert "made is done" in capsys.readouterr().out
    assert measured([*asked, "--again"])
    assert not measured()
    assert measured([*asked, "--value", "2"])  # other options
    path.write_text(path.read_text() + "\n")  # altered by hand
    assert measured()
    (tmp_path / "data" / "set.tsv").write_text("new")
    assert measured()
    monkeypatch.setattr(command.runs, "_source", lambda: "edited")
    assert measured()
    assert not measured()


def test_a_missed_goal_stays_missed_when_a_run_is_resumed(run, tmp_path):
    asked = ["made", "--value", "-1", "--results", str(tmp_path / "new"), "--resume"]
    assert [run(asked), run(asked)] == [1, 1]


def test_scores_of_items_are_kept_where_that_is_asked_for(run, tmp_path):
    run(["made", "--items"])
    (kept_items,) = json.loads((tmp_path / "items" / "made.json").read_text())
    assert kept_items == {"task": "t", "data": "d", "method": "m", "metric": "x %", "scores": [1.0, 2.0, 0.333333]}
    run(["made"])  # those of another run must not stand beside it
    assert not (tmp_path / "items" / "made.json").exists()


def test_a_benchmark_is_run_in_a_process_of_its_own(capfd):
    assert run_apart("udhr", ["--help"])[0] == 0
    assert "--results" in capfd.readouterr().out
    code, last = run_apart("nothing", [])
    assert (code, last) == (2, "there is no benchmark 'nothing'")


def test_an_unknown_name_lists_what_there_is(run, capsys):
    assert run(["nothing"]) == 2
    found = capsys.readouterr()
    assert "there is no benchmark 'nothing'" in found.err
    assert "unfinished" in found.out
    assert "milvus_server" in found.out
    assert run([]) == 0


def test_tools_are_found_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.main(["report", "--check"]) == 0


def test_every_benchmark_is_a_generator_whose_options_the_command_knows():
    for name, where in command.benchmarks().items():
        module, _, function = where.partition(":")
        run = getattr(importlib.import_module(module), function)
        assert inspect.isgeneratorfunction(run), name
        known = inspect.signature(command._command(name, run, None, [])).parameters
        unknown = set(inspect.signature(run).parameters) - set(known)
        assert unknown <= {"second", "seeds", "fit", "notes"}, name  # for tests


def test_every_benchmark_and_every_result_belong_together():
    names = set(command.benchmarks())
    results = {path.stem for path in Path(report.__file__).parents[1].joinpath("results").glob("*.json")}
    assert {each.partition("-")[0] for each in results} <= names
    # weights are code; one has not been run whole, which its document says
    assert names - results == {"linking_weights", "doctor_held_out"}


def test_a_piece_is_measured_in_a_process_of_its_own(tmp_path):
    assert measured_apart("os:getpid") != os.getpid()
    found = measured_apart("json:loads", '{"a": 1}')
    assert found["a"] == 1
    assert found["process"]["peak_mb"] > 5
    assert measured_apart("os:getenv", "OMP_NUM_THREADS", threads=3) == "3"
    with pytest.raises(RuntimeError, match=r"json:loads\('\{',\) ended with 1"):
        measured_apart("json:loads", "{")


def test_what_is_kept_is_not_measured_again(tmp_path):
    path = tmp_path / "folder" / "piece.json"
    first = kept(path, "os:getpid")
    assert kept(path, "os:getpid") == first
    assert kept(path, "os:getpid", again=True) != first


def test_the_cases_of_a_piece_come_back_whole(tmp_path):
    told = json.dumps(cases_to_json([case()]))
    (found,) = in_pieces("json:loads", told)
    assert (found.task, found.figures, found.n) == ("t", {"x %": 1.0, "y": 2.0}, 3)
    assert found.items == {"x %": [1.0, 2.0, 1 / 3]}
    assert found.seconds >= 0
    assert found.peak_mb > 10
