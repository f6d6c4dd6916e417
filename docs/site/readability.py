"""Say how much of the documents is prose, code and tables, and how easy the prose reads.

    python docs/site/readability.py            # of this checkout
    python docs/site/readability.py FOLDER     # of another one, to compare

The measures are textstat's, of those that need no list of syllables. EFLAW (McAlpine 2004) was made for readers of
English as a foreign language, and counts words and small words a sentence: up to 20 is very easy, up to 25 quite easy,
from 30 on confusing. LIX counts words a sentence, and the share of words of more than six letters: below 40 is easy,
above 50 hard.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import textstat
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
GROUPS = {
    "README": ["README.md"],
    "start and tutorials": ["docs/home.md", "docs/tutorials/*.md"],
    "how to": ["docs/how-to/*.md"],
    "coming from": ["docs/coming-from/*.md"],
    "mathematics": ["docs/mathematics/*.md"],
    "lists": ["docs/reference/*.md", "docs/tasks.md", "docs/glossary.md", "docs/limits.md", "docs/findings.md"],
    "results": ["docs/results.md"],
    "topics": ["docs/*.md"],
}


def kinds(text: str) -> tuple[Counter[str], str]:
    """Return how many lines that are not empty are prose, code and tables, and the prose."""
    counted: Counter[str] = Counter()
    prose: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not line.strip() or line.startswith("<!--"):
            prose.append("")
            continue
        kind = "code" if fenced or line.startswith("    ") else "tables" if line.lstrip().startswith("|") else "prose"
        counted[kind] += 1
        if kind == "prose":
            prose.append(line)
    return counted, "\n".join(prose)


def sentences(prose: str) -> str:
    """Return prose without the signs of Markdown; headings and entries of lists end like sentences."""
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    prose = re.sub(r"`[^`]*`", "this", prose)
    prose = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$", "this", prose, flags=re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*#:]|\d+\.) )|(?<=\n)(?=#)", prose)
    plain = (" ".join(re.sub(r"^[\s#:*-]+|[*_>]", "", each).split()) for each in blocks)
    return " ".join(each if each.endswith((".", "?", "!")) else f"{each}." for each in plain if len(each.split()) > 3)


def main(folder: Path = ROOT) -> None:
    """Print the table of a checkout."""
    table = Table("pages", "files", "prose", "code", "tables", "words a sentence", "EFLAW", "LIX", box=None)
    seen: set[Path] = set()
    whole: Counter[str] = Counter()
    for name, patterns in GROUPS.items():
        files = sorted({each for pattern in patterns for each in folder.glob(pattern)} - seen)
        seen |= set(files)
        counted: Counter[str] = Counter()
        prose = []
        for file in files:
            lines, said = kinds(file.read_text(encoding="utf-8"))
            counted += lines
            prose.append(sentences(said))
        whole += counted
        text = " ".join(prose)
        if not text.strip():
            continue
        figures = (textstat.words_per_sentence(text), textstat.mcalpine_eflaw(text), textstat.lix(text))
        lines_of = (str(counted[kind]) for kind in ("prose", "code", "tables"))
        table.add_row(name, str(len(files)), *lines_of, *(f"{each:.1f}" for each in figures))
    table.add_row("all", str(len(seen)), *(str(whole[kind]) for kind in ("prose", "code", "tables")), "", "", "")
    Console().print(table)


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:2]))
