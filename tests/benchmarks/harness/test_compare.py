"""Two runs side by side, the stated noise, the check against the committed results, and the page."""

import html.parser
import json
import re

import numpy as np
import pytest

from interlingua.benchmarks.harness import check, report
from interlingua.benchmarks.harness.compare import compare, compare_results
from interlingua.benchmarks.harness.noise import kind_of, noise
from interlingua.benchmarks.harness.report import row, write_items, write_results


def line(metric="top-1 %", value=50.0, *, method="m", data="d", n=1000):
    return row(task="t", data=data, method=method, metric=metric, value=value, n=n, command="run", seconds=1.0)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Write rows of an old and a new run of the benchmark ``made``; the old ones are the committed."""

    def write(old, new):
        monkeypatch.setattr(report, "RESULTS", tmp_path / "old")
        monkeypatch.setattr(check, "RESULTS", tmp_path / "old")
        paths = [write_results("made", rows, folder=tmp_path / side) for side, rows in (("old", old), ("new", new))]
        return [path.parent for path in paths]

    return write


def test_the_kind_of_every_committed_metric_is_the_one_that_its_name_says():
    known = {
        "score": ["P@1 %", "recall@10", "of the encoder's %", "first is right", "top-1 %, spread", "F1 of links"],
        "time": ["CPU s", "queries/s", "median ms", "seconds to refuse", "texts / CPU-s", "s until all is read",
                 "speed, exact = 1", "p99 ms a batch", "questions a second", "cpu minutes", "GFLOP/s", "rows/s"],
        "memory": ["peak MB", "KB a name", "MB packed", "peak / raw float32"],
    }  # fmt: skip
    assert {name: kind for kind, names in known.items() for name in names} == {
        name: kind_of(name, 0.37) for names in known.values() for name in names
    }
    assert kind_of("raw error", 0.0) == "count"
    assert kind_of("held-out loss, end", 2.31) == "other"


def test_noise_is_half_a_point_or_one_item_of_few():
    assert noise("top-1 %", 92.9, 1000).within == 0.5
    assert noise("accuracy", 0.929, 1000).within == pytest.approx(0.005)
    assert noise("top-1 %", 70.0, 30).within == pytest.approx(100 / 30)
    assert noise("top-1 %", 92.9, 15).within == 0.5  # a mean of 15 languages
    assert noise("raw error", 0.0, 10).within == 0.0


def test_figures_stand_side_by_side_and_noise_is_told_from_change(two):
    found = compare_results(
        *two([line(), line(method="b", value=70)], [line(value=50.4), line(method="b", value=70.6)])
    )
    assert [(each.key[2], each.old, each.new, each.beyond) for each in found.differences] == [
        ("m", 50.0, 50.4, False), ("b", 70.0, 70.6, True),
    ]  # fmt: skip


def test_a_slower_machine_is_no_change_and_a_slower_method_is(two):
    def times(a, b, c):
        return [line("CPU s", value, method=name, n=1) for name, value in (("a", a), ("b", b), ("c", c))]

    found = compare_results(*two(times(1, 2, 4), times(10, 20, 90)))
    assert [each.beyond for each in found.differences] == [False, False, True]
    assert found.differences[2].ratios == (4.0, 9.0)


def test_an_interval_comes_from_the_same_items_in_both_runs(two):
    rng = np.random.default_rng(0)
    before = rng.random(400) * 100
    after = before + rng.normal(2, 1, 400)
    folders = two([line(value=before.mean())], [line(value=after.mean())])
    key = {name: line()[name] for name in ("task", "data", "method", "metric")}
    for folder, scores in zip(folders, (before, after)):
        write_items(folder / "made.json", [{**key, "scores": scores.tolist()}])
    (found,) = compare_results(*folders).differences
    # paired: the items differ by far more than the runs do; normal theory as the oracle
    half = 1.96 * (after - before).std() / 20
    assert (found.interval.low, found.interval.high) == pytest.approx((2 - half, 2 + half), abs=0.1)
    write_items(folders[1] / "made.json", [{**key, "scores": after[:-1].tolist()}])
    assert compare_results(*folders).differences[0].interval is None


def test_rows_of_one_side_are_named(two, capsys):
    folders = two([line(), line(method="gone")], [line(), line(method="new")])
    found = compare_results(*folders)
    assert found.only_old == ("made: t, d, gone, top-1 %",)
    assert found.only_new == ("made: t, d, new, top-1 %",)
    assert compare(*folders) == 0
    told = capsys.readouterr().out
    assert "no scores of items" in told
    assert "1 figures in both, 0 moved" in told
    assert "only in the first: 1, such as made: t, d, gone" in told


def test_what_is_no_result_is_refused_by_name(tmp_path, two):
    old, new = two([line()], [line()])
    with pytest.raises(FileNotFoundError, match="no results at"):
        compare_results(old, tmp_path / "absent")
    with pytest.raises(ValueError, match="two files or two folders"):
        compare_results(old, new / "made.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no results of the same name"):
        compare_results(old, tmp_path / "empty")
    for content in ("[", "{}", "[1]", '[{"task": "t"}]', json.dumps([{**line(), "value": None}])):
        (new / "made.json").write_text(content)
        if content != "{}":
            with pytest.raises(ValueError, match=r"made.json must be a JSON list of rows"):
                compare_results(old, new)


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ([line(), line("lost", 0.0)], 0),
        ([line(value=50.3), line("lost", 0.0)], 0),
        ([line(value=51), line("lost", 0.0)], 1),
        ([line(), line("lost", 1.0)], 1),
        ([line()], 1),  # a figure is gone
    ],
)
def test_check_exits_with_one_where_a_figure_moved(two, new, code, capsys):
    _, folder = two([line(), line("lost", 0.0)], new)
    assert check.check(folder) == code
    assert "figures of 1 benchmarks compared" in capsys.readouterr().out


def test_check_runs_the_quick_ones_by_itself(two, tmp_path, monkeypatch, capsys):
    two([line()], [line()])
    ran = []

    def run_apart(name, options):
        ran.append((name, options[2:]))
        write_results("made", [line(value=50.0 if name == "made" else 60.0)], folder=tmp_path / options[1])
        return (0, "") if name != "broken" else (1, "OSError: no data")

    monkeypatch.setattr(check, "run_apart", run_apart)
    assert check.check(names="made", data=tmp_path) == 0
    assert ran == [("made", ["--data", str(tmp_path)])]
    assert check.check(names="broken") == 1
    assert "OSError: no data" in capsys.readouterr().err
    assert check.check() == 1
    assert [name for name, _ in ran[2:]] == list(check.QUICK)


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_holds_every_figure_and_needs_nothing_else(two, tmp_path):
    rows = [
        line(value=value, method=method, data=data)
        for method in ("<a>", "b")
        for data, value in (("x", 12.5), ("y", 25))
    ]
    _, folder = two(rows, [*rows, line("CPU s", 3.25, data="x")])
    write_results("many", [line(value=each, method=f"m{each}") for each in range(90)], folder=folder)
    assert report.report(html=tmp_path / "page.html", results=folder) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    dots = [attrs for tag, attrs in page.tags if tag == "circle"]
    assert len(dots) == 4 + 60  # of 90 lines the first 60; one figure alone needs no plot
    assert len({each["fill"] for each in dots}) == 2
    first, second = (float(each["cx"]) for each in dots[1:3])
    assert first < second
    assert {"<a>", "12.5", "3.25", "many", "m89"} <= set(page.text)


def test_a_page_of_no_results_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results"):
        report.report(html=tmp_path / "page.html", results=tmp_path)
