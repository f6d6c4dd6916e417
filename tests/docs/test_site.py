"""What the site must have; the site itself is built by `make docs`, strictly."""

import importlib.util
import re
from pathlib import Path

import pytest

from interlingua.pipelines.commands import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("interlingua_docs_hooks", DOCS / "site" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_stands_in_the_list_of_tasks():
    text = (DOCS / "tasks.md").read_text(encoding="utf-8")
    missing = [name for _, name, _ in (*app._own(), *app.added_commands()) if f"interlingua {name} " not in text]
    assert not [name for name in missing if f"interlingua {name}`" not in text]


def test_every_finding_stands_on_its_page():
    text = (DOCS / "findings.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "findings").glob("*.sh") if f"`findings/{path.name}`" not in text] == []


def test_every_package_of_the_four_rooms_has_a_page(hooks):
    pages = [page for room in hooks.ROOMS for page in hooks._module_pages(room)]
    told = {name for _, content in pages for name in re.findall(r"^::: (\S+)$", content, re.M)}
    there = {
        ".".join(("interlingua", *path.relative_to(ROOT).with_suffix("").parts))
        for room in hooks.ROOMS
        for path in (ROOT / room).rglob("*.py")
        if not path.stem.startswith("_")
    }
    assert told == there


def test_formulas_become_mathml_and_code_stays(hooks):
    page = type("Page", (), {"file": type("File", (), {"src_uri": "mathematics/x.md"})})()
    made = hooks.on_page_markdown("It is $x^2$, not `$y$`.\n\n$$\na = b\n$$\n", page, None, None)
    assert made.count("<math") == 2
    assert 'display="block"' in made
    assert "`$y$`" in made


@pytest.mark.parametrize(
    ("page", "link", "led_to"),
    [
        ("data.md", "../pipelines/data/README.md", "reference/data-in-the-package.md"),
        ("how-to/x.md", "../../CONTRIBUTING.md", "../reference/contributing.md"),
        ("how-to/x.md", "../serve.md", "../serve.md"),
        ("mathematics/x.md", "../../README.md#install", "../home.md#install"),
    ],
)
def test_links_that_leave_the_docs_are_led_to_pages_of_the_site(hooks, page, link, led_to):
    made = hooks.on_page_markdown(
        f"[a]({link})", type("P", (), {"file": type("F", (), {"src_uri": page})})(), None, None
    )
    assert made == f"[a]({led_to})"
