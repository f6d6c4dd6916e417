"""The Universal Declaration of Human Rights in many languages: the text that the demo and its figures run on."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["Question", "Translation", "load_declaration", "load_questions"]


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


@dataclass(frozen=True)
class Question:
    """A question that no translation of the text holds word for word.

    Attributes
    ----------
    language : str
        BCP 47 code.
    text : str
        The question.
    english : str
        The same in English.
    article : int
        Number of the article that answers it.
    """

    language: str
    text: str
    english: str
    article: int


@cache
def load_declaration() -> Mapping[str, Translation]:
    """Return the translations by language code, sorted by code.

    The texts are in the public domain; `pipelines/data/README.md` has the source.

    Examples
    --------
    >>> declaration = load_declaration()
    >>> len(declaration), {len(each.articles) for each in declaration.values()}
    (41, {30})
    >>> declaration["en"].articles[2]
    'Everyone has the right to life, liberty and the security of person.'
    """
    content = (resources.files(__package__) / "data" / "udhr.json.gz").read_bytes()
    languages = json.loads(gzip.decompress(content))["languages"]
    return {
        code: Translation(code, entry["name"], entry["script"], tuple(entry["articles"]))
        for code, entry in sorted(languages.items())
    }


@cache
def load_questions() -> tuple[Question, ...]:
    """Return 20 questions in each of six languages.

    Examples
    --------
    >>> len(load_questions()), load_questions()[0].article, load_questions()[0].text
    (120, 4, 'Is it legal to own another human being?')
    """
    text = (resources.files(__package__) / "data" / "declaration_questions.tsv").read_text(encoding="utf-8")
    head, *rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        Question(language, row[column], row[1], int(row[0]))
        for column, language in enumerate(head[1:], start=1)
        for row in rows
    )
