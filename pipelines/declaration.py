"""The Universal Declaration of Human Rights in many languages: the text that the demo and its figures run on."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["Translation", "load_declaration"]


@dataclass(frozen=True)
class Translation:
    """One language's text.

    Attributes
    ----------
    language : str
        BCP 47 code.
    name : str
        English name of the language.
    script : str
        ISO 15924 code.
    articles : tuple of 30 str
        Article i + 1 without its heading; article i of one language translates article i of every other.
    """

    language: str
    name: str
    script: str
    articles: tuple[str, ...]


@cache
def load_declaration() -> Mapping[str, Translation]:
    """Return the translations by language code, sorted by code.

    The texts are in the public domain; `pipelines/data/README.md` has the source.

    Examples
    --------
    >>> declaration = load_declaration()
    >>> len(declaration) >= 30, {len(each.articles) for each in declaration.values()}
    (True, {30})
    >>> declaration["en"].articles[2]
    'Everyone has the right to life, liberty and security of person.'
    """
    content = (resources.files(__package__) / "data" / "udhr.json.gz").read_bytes()
    languages = json.loads(gzip.decompress(content))["languages"]
    return {
        code: Translation(code, entry["name"], entry["script"], tuple(entry["articles"]))
        for code, entry in sorted(languages.items())
    }
