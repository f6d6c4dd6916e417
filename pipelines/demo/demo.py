"""The demo: questions in five languages over the Universal Declaration of Human Rights in all the others.

The Universal Declaration of Human Rights in many languages: the text that the demo and its figures run on.
"""

import gzip
import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Centring, parallel_accuracy
from interlingua.align.arrays import require
from interlingua.pipelines.commands.command import Output, check_output_folder, shorten, table


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


#: Language and article of the questions that are shown.
_ASKED = (("zh", 13), ("ar", 26), ("hi", 24), ("ru", 15), ("sw", 21))
_HITS = 4


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


def run_demo(options: Namespace, output: Output) -> None:
    """Encode the declaration, build the space and the collection, ask, score and draw."""
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.texts.passages import Passage

    from .plot import draw_spaces

    for library in ("matplotlib", "sklearn"):
        require(library, extra="demo")  # before the work whose result they draw
    check_output_folder(options.output)
    declaration = load_declaration()
    scripts = {each.script for each in declaration.values()}
    output.note(
        f"The Universal Declaration of Human Rights, 30 articles in {len(declaration)} languages and "
        f"{len(scripts)} scripts, encoded by a multilingual encoder; no pair of sentences is used."
    )
    with output.working("loading the encoder"):
        encoder = load_encoder(options.encoder, device=options.device, cache=not options.no_cache)
    passages = [
        Passage(f"{code}-{number}", text, code, {"article": number})
        for code, each in declaration.items()
        for number, text in enumerate(each.articles, start=1)
    ]
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    search = CrossLingualSearch.build(
        passages, encoder, encoder_name=options.encoder or "bundled", seed=options.seed, progress=output.progress
    )
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
    with output.working("drawing"):
        picture = draw_spaces(raw, aligned, folder / "spaces.png", seed=options.seed)
    result = {
        "questions": answers,
        "questions_top1": accuracy,
        "retrieval": {
            name: {"top1": score.mean, "worst": [[*pair, value] for pair, value in score.worst(5)]}
            for name, score in scores.items()
        },
        "picture": str(picture),
        "collection": str(folder / "collection"),
        "space": str(folder / "declaration.space"),
    }
    output.result(result, lambda: _tables(result, scores, declaration))


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


def _tables(
    result: dict[str, Any], scores: Mapping[str, RetrievalScores], declaration: Mapping[str, Translation]
) -> Iterator[Any]:
    for answer in result["questions"]:
        title = f"\n{declaration[answer['language']].name}: {answer['question']}  ({answer['english']})"
        yield _hits_table(answer["hits"], title, declaration)
        if "hits_in_swahili" in answer:
            yield _hits_table(answer["hits_in_swahili"], "the same, asked of the Swahili text alone:", declaration)
    pairs = len(next(iter(scores.values())).pairs)
    rows = (
        (
            name,
            f"{100 * score.mean:.1f}",
            "  ".join(f"{source}-{target} {100 * value:.0f}" for (source, target), value in score.worst(5)),
        )
        for name, score in scores.items()
    )
    title = f"\nFinding an article's translation among 30, mean of {pairs} ordered pairs of languages, top-1 %"
    yield table("", "mean>", "the five worst pairs", rows=rows, title=title)
    count = len(load_questions())
    yield (
        f"\n{count} questions, each asked of all passages in the other languages at once: "
        f"{100 * result['questions_top1']:.0f} % find the right article first."
    )
    yield f"Before and after, drawn: {result['picture']}"
    yield f'Ask yourself: interlingua search {result["collection"]} "Can I leave my country?" --languages sw,zh'


def _hits_table(hits: list[dict[str, Any]], title: str, declaration: Mapping[str, Translation]) -> Any:
    rows = (
        (
            "✓" if hit["right"] else "",
            hit["score"],
            hit["cosine"],
            declaration[hit["language"]].name,
            hit["article"],
            shorten(hit["text"], 80),
        )
        for hit in hits
    )
    return table("", "CSLS>", "cosine>", "found in", "article>", "text", rows=rows, title=title)
