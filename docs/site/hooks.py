"""What `make docs` adds to the pages that stand in docs/.

The front page, the pages of the API and of the commands, the sources of what is cited, and pages that the list of
mkdocs.yml does not name. Formulas become MathML, which browsers draw without a script.
"""

import contextlib
import io
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
ROOMS = ("align", "index", "pipelines", "benchmarks")
#: Pages whose address is not their path: the front page, and a topic that is called like one.
_ADDRESSES = {"home.md": "index.html", "index.md": "kinds-of-index/index.html"}
#: Files beside docs/ that pages refer to, and their place in the site.
_PROJECT = {
    "CHANGELOG.md": "reference/changelog.md",
    "CONTRIBUTING.md": "reference/contributing.md",
    "SECURITY.md": "reference/security.md",
    "pipelines/data/README.md": "reference/data-in-the-package.md",
}
_FORMULA = re.compile(
    r"^\$\$\n(.+?)\n\$\$$|(?<![\w$\\])\$(?![\s$])([^$\n]+?)(?<!\s)\$(?![\w$])", re.DOTALL | re.MULTILINE
)
_FENCED = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()((?:\.\./)[^)#\s]*)((?:#[^)\s]*)?\))")
_ELSEWHERE = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]+)")
_FAMILY_PAGES = "reference/commands"


def on_config(config: Any) -> Any:
    """Add the pages that no list names, and those that are made."""
    docs = Path(config.docs_dir)
    named = set(_pages(config.nav))
    left = [each.name for each in sorted(docs.glob("*.md")) if each.name not in named]
    for section in config.nav:
        if "Topics" in section:
            section["Topics"] += left
        if "Reference" in section:
            section["Reference"] += [
                {"Commands": [page for page, _ in _command_pages()]},
                {"Python": [{room: [page for page, _ in _module_pages(room)]} for room in ROOMS]},
                {"Project": [place for path, place in _PROJECT.items() if (ROOT / path).exists()]},
            ]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is made, and give the front page its address."""
    made = [
        *_command_pages(),
        *(page for room in ROOMS for page in _module_pages(room)),
        ("stylesheets/extra.css", _CSS),
    ]
    for place, content in made:
        files.append(File.generated(config, place, content=content))
    for path, place in _PROJECT.items():
        if (ROOT / path).exists():
            files.append(File.generated(config, place, content=(ROOT / path).read_text(encoding="utf-8")))
    for path, address in _ADDRESSES.items():
        file = files.get_file_from_path(path)
        if file is not None:
            file.dest_uri = address
            file.name = "index" if path == "home.md" else Path(path).stem
            for cached in ("url", "abs_dest_path"):
                file.__dict__.pop(cached, None)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn formulas into MathML, and links that leave docs/ into the site's pages or plain names."""
    parts = _FENCED.split(markdown)
    parts[::2] = [
        _FORMULA.sub(_mathml, _LINK.sub(lambda found: _inside(found, page.file.src_uri), each)) for each in parts[::2]
    ]
    return "".join(parts)


def on_post_build(config: Any) -> None:
    """Refuse a site that would ask others for scripts, styles, fonts or pictures."""
    asked = {
        found
        for path in Path(config.site_dir).rglob("*.html")
        for found in _ELSEWHERE.findall(path.read_text(encoding="utf-8"))
    }
    if asked:
        raise PluginError(f"the site must work without the network, but it loads {', '.join(sorted(asked))}")


def _pages(nav: Any) -> Iterator[str]:
    for each in nav if isinstance(nav, list) else nav.values():
        if isinstance(each, str):
            yield each
        else:
            yield from _pages(each)


def _mathml(found: re.Match[str]) -> str:
    block, inline = found.groups()
    return convert(block or inline, display="block" if block else "inline")


def _inside(found: re.Match[str], source: str) -> str:
    """Return a link of a page, led to the site's page where its target lies outside of docs/."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), found[2]))
    if target.startswith("docs/") or not (ROOT / target).exists():
        return found[0]
    place = _PROJECT.get(target, "reference/README.md" if target != "README.md" else "home.md")
    return found[1] + posixpath.relpath(place, posixpath.dirname(source)) + found[3]


def _module_pages(room: str) -> list[tuple[str, str]]:
    """Return place and content of a page for each package of a room: its modules, one behind the other."""
    pages = []
    for package in sorted({path.parent for path in (ROOT / room).rglob("*.py")}):
        modules = sorted(path for path in package.glob("*.py") if not path.stem.startswith("_"))
        name = ".".join(("interlingua", *package.relative_to(ROOT).parts))
        about = _first_line(package / "__init__.py")
        lines = [f"# {name.removeprefix('interlingua.')}", "", about, ""]
        for path in modules:
            module = f"{name}.{path.stem}"
            lines += [f"::: {module}", ""]
        if modules:
            pages.append((f"reference/python/{name.replace('.', '-')}.md", "\n".join(lines)))
    return pages


def _first_line(path: Path) -> str:
    found = re.match(r'"""(.+?)(?:"""|\n)', path.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _command_pages() -> list[tuple[str, str]]:
    """Return place and content of a page for each group of commands: what `--help` prints, as it prints it."""
    from interlingua.pipelines.commands.app import COMMANDS

    if not _MADE:
        for title, commands in COMMANDS.items():
            lines = [f"# {title}", ""]
            for name in commands:
                lines += [f"## {name}", "", "```text", _help_of([*name.split(), "--help"]), "```", ""]
            _MADE.append((f"{_FAMILY_PAGES}/{title.lower().replace(' ', '-')}.md", "\n".join(lines)))
    return _MADE


_MADE: list[tuple[str, str]] = []


def _help_of(words: list[str]) -> str:
    from interlingua.pipelines.commands.main import main

    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "88"
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            main(words)
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


_CSS = """\
.md-grid { max-width: 72rem; }
.md-typeset table:not([class]) { font-size: .68rem; }
.md-typeset math[display=block] { margin: 1em 0; overflow-x: auto; overflow-y: hidden; }
.md-typeset pre > code { font-size: .72rem; }
.md-typeset .doc-heading code { font-size: .8em; overflow-wrap: anywhere; }
.md-typeset img { display: block; margin: 1em auto; }
"""
