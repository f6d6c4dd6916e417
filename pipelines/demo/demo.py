"""The demo: questions in five languages over the Universal Declaration of Human Rights in all the others."""

import gzip
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.language import Centring
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.pipelines.encoders.base import Encoder

#: Language and article of the questions that are shown.
_ASKED = (("zh", 13), ("ar", 26), ("hi", 24), ("ru", 15), ("sw", 21))
_HITS = 4


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
    content = (resources.files("interlingua.pipelines") / "data" / "udhr.json.gz").read_bytes()
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
    text = (resources.files("interlingua.pipelines") / "data" / "declaration_questions.tsv").read_text(encoding="utf-8")
    head, *rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        Question(language, row[column], row[1], int(row[0]))
        for column, language in enumerate(head[1:], start=1)
        for row in rows
    )


@dataclass(frozen=True)
class RetrievalScores:
    """Article retrieval over all ordered pairs of languages.

    Attributes
    ----------
    mean : float
        Mean top-1 accuracy, in [0, 1].
    pairs : dict of (source, target) to float
        Accuracy of each ordered pair.
    """

    mean: float
    pairs: dict[tuple[str, str], float]

    def worst(self, count: int) -> list[tuple[tuple[str, str], float]]:
        """Return the pairs with the lowest accuracy, lowest first."""
        return sorted(self.pairs.items(), key=lambda item: (item[1], item[0]))[:count]


@dataclass(frozen=True)
class Findings:
    """What the demo found, and where it is.

    Attributes
    ----------
    questions : list of dict
        Some questions with their hits.
    accuracy : float
        Share of all questions whose first hit in another language is the right article.
    scores : dict of str to RetrievalScores
        Retrieval of articles, by the way their vectors are compared.
    picture, collection, space : Path
    """

    questions: list[dict[str, Any]]
    accuracy: float
    scores: dict[str, RetrievalScores]
    picture: Path
    collection: Path
    space: Path


def article_retrieval(vectors: dict[str, NDArray[np.float32]], *, criterion: Any) -> RetrievalScores:
    """Score retrieval of each article's translation, for every ordered pair of languages.

    Parameters
    ----------
    vectors : dict of str to (30, d) array
        Unit rows; row i of one language translates row i of every other.
    criterion : {"nn", "csls"}
        How the 30 candidates are ranked.
    """
    languages = list(vectors)
    pairs: dict[tuple[str, str], float] = {}
    for position, first in enumerate(languages):
        for second in languages[position + 1 :]:
            there, back = parallel_accuracy(vectors[first], vectors[second], criterion=criterion)
            pairs[first, second], pairs[second, first] = there, back
    return RetrievalScores(float(np.mean(list(pairs.values()))), pairs)


def run_demo(
    folder: str | Path,
    encoder: Encoder,
    *,
    encoder_name: str = "bundled",
    seed: int = 0,
    working: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    progress: bool = False,
) -> Findings:
    """Encode the declaration, build the space and the collection, ask, score and draw.

    Parameters
    ----------
    folder : str or Path
        Gets the collection, the space and the picture.
    encoder : Encoder
    encoder_name : str
        What the collection calls it.
    seed : int
        Of what is drawn at random.
    working : callable
        Called with what goes on, gives a context that shows it.
    progress : bool
        Show a bar while texts are encoded.
    """
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.texts.passages import Passage

    from .plot import draw_spaces

    declaration = load_declaration()
    passages = [
        Passage(f"{code}-{number}", text, code, {"article": number})
        for code, each in declaration.items()
        for number, text in enumerate(each.articles, start=1)
    ]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    search = CrossLingualSearch.build(passages, encoder, encoder_name=encoder_name, seed=seed, progress=progress)
    search.save(folder / "collection")
    answers = _ask(search, declaration)
    accuracy = question_accuracy(search, declaration)
    raw = _by_language(encoder.encode([each.text for each in passages], role="passage"), declaration)
    space = Centring().fit(raw, encoder=encoder.identity).space_
    space.save(folder / "declaration.space")
    aligned = {code: space.transform(rows, code) for code, rows in raw.items()}
    scores = {
        "raw cosine": article_retrieval(raw, criterion="nn"),
        "centred": article_retrieval(aligned, criterion="nn"),
        "centred + CSLS": article_retrieval(aligned, criterion="csls"),
    }
    with working("drawing"):
        picture = draw_spaces(raw, aligned, folder / "spaces.png", seed=seed)
    return Findings(answers, accuracy, scores, picture, folder / "collection", folder / "declaration.space")


def _ask(search: Any, declaration: Mapping[str, Translation]) -> list[dict[str, Any]]:
    answers = []
    for language, article in _ASKED:
        question = next(each for each in load_questions() if (each.language, each.article) == (language, article))
        others = [code for code in declaration if code != language]
        answer: dict[str, Any] = {"language": language, "question": question.text, "english": question.english}
        wanted = {"hits": (_HITS, others)} | ({"hits_in_swahili": (1, ["sw"])} if language == "zh" else {})
        for key, (count, languages) in wanted.items():
            answer[key] = [
                {
                    "language": hit.language,
                    "article": hit.metadata["article"],
                    "score": hit.score,
                    "cosine": hit.cosine,
                    "text": hit.text,
                    "right": hit.metadata["article"] == article,
                }
                for hit in search.search([question.text], count, language=language, languages=languages)[0]
            ]
        answers.append(answer)
    return answers


def question_accuracy(search: Any, declaration: Mapping[str, Translation]) -> float:
    """Return the share of all questions whose first hit in another language is the article that answers it."""
    right = []
    for language in dict.fromkeys(question.language for question in load_questions()):
        asked = [question for question in load_questions() if question.language == language]
        others = [code for code in declaration if code != language]
        answers = search.search([question.text for question in asked], 1, language=language, languages=others)
        right += [hits[0].metadata["article"] == each.article for each, hits in zip(asked, answers, strict=True)]
    return float(np.mean(right))


def _by_language(
    vectors: NDArray[np.float32], declaration: Mapping[str, Translation]
) -> dict[str, NDArray[np.float32]]:
    return dict(zip(declaration, vectors.reshape(len(declaration), -1, vectors.shape[1]), strict=True))
