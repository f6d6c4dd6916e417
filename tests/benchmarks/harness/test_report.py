import json

import pytest

from interlingua.benchmarks.harness import report


def a_row(**changes):
    arguments = {
        "task": "T", "data": "D", "method": "M", "metric": "P@1 %", "value": 12.345678, "n": 7,
        "command": "run", "seconds": 1.234,
    }  # fmt: skip
    return report.row(**(arguments | changes))


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    return tmp_path


def test_a_row_has_the_agreed_keys_and_rounded_numbers():
    row = a_row(peak_mb=12.6)
    assert list(row) == [
        "task", "data", "method", "metric", "value", "n", "command", "seconds", "peak_mb", "environment",
    ]  # fmt: skip
    assert (row["value"], row["seconds"], row["peak_mb"]) == (12.3457, 1.23, 13)
    assert {"python", "numpy", "cores"} <= set(row["environment"])


def test_what_is_written_is_what_was_measured(results):
    rows = [a_row(), a_row(method="ö")]
    path = report.write_results("name", rows)
    assert json.loads(path.read_text(encoding="utf-8")) == rows


def test_rows_with_other_keys_are_refused(results):
    with pytest.raises(ValueError, match="a result row has the keys"):
        report.write_results("name", [{"task": "T"}])
    assert not (results / "results" / "name.json").exists()


def test_metrics_become_columns():
    rows = [a_row(), a_row(metric="MRR", value=0.5), a_row(method="N", value=60)]
    assert report.render_table(rows).splitlines() == [
        "| task | data | method | P@1 % | MRR | n |",
        "| --- | --- | --- | ---: | ---: | ---: |",
        "| T | D | M | 12.3 | 0.5 | 7 |",
        "| T | D | N | 60.0 |  | 7 |",
    ]


def test_tables_are_written_between_their_marks_and_checked(results):
    report.write_results("name", [a_row(), a_row(data="other", value=99)])
    page = results / "README.md"
    page.write_text("before\n<!-- table name | other -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    assert report.update_tables(results, check=True) == [page]
    assert "old" in page.read_text(encoding="utf-8")
    assert report.update_tables(results) == [page]
    text = page.read_text(encoding="utf-8")
    assert "| T | other | M | 99.0 | 7 |" in text
    assert "12.3" not in text
    assert text.startswith("before\n<!-- table name | other -->\n| task")
    assert text.endswith("<!-- end -->\nafter\n")
    assert report.update_tables(results, check=True) == []


def test_a_filter_that_nothing_holds_is_refused(results):
    report.write_results("name", [a_row()])
    (results / "README.md").write_text("<!-- table name | absent -->\n<!-- end -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no row that holds"):
        report.update_tables(results)


def test_check_exits_with_one_where_a_table_is_stale(results, monkeypatch):
    report.write_results("name", [a_row()])
    (results / "README.md").write_text("<!-- table name -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.chdir(results)
    assert [report.report(check=True), report.report(), report.report(check=True)] == [1, 0, 0]
