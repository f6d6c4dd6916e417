"""What tables look like in a terminal, and where another program reads."""

import io

from rich.console import Console

from interlingua.pipelines.commands.output import as_text, shorten, table

LONG = "everyone has the right to life, liberty and security of person " * 8


def rows():
    return [("a", 0.5, shorten(LONG, 20), "end"), ("bb", None, "short\nline", ["x", "y"])]


def printed(terminal):
    file = io.StringIO()
    width = {"width": 100} if terminal else {"width": 100_000, "soft_wrap": True}
    Console(file=file, force_terminal=terminal, color_system=None, markup=False, highlight=False, **width).print(
        table("name", "score>", "text", "last", rows=rows(), title="Title")
    )
    return file.getvalue().splitlines()


def test_a_pipe_gets_whole_texts_and_no_padding_to_them():
    title, header, first, second = printed(terminal=False)
    assert title == "Title"
    assert header.split() == ["name", "score", "text", "last"]
    assert first == f"a     0.500  {' '.join(LONG.split())}  end"
    assert second.rstrip() == second
    assert second.split("  ")[0] == "bb"
    assert second.endswith("x, y")
    assert len(second) < 70


def test_a_terminal_gets_what_fits():
    lines = printed(terminal=True)
    assert max(map(len, lines)) <= 100
    assert "everyone has the ri…" in "\n".join(lines)


def test_no_cell_is_a_value_of_python():
    assert [as_text(each) for each in (None, False, ("a", 1), {"k": 0.25}, 3, 2.0)] == [
        "",
        "no",
        "a, 1",
        "k 0.250",
        "3",
        "2.000",
    ]
