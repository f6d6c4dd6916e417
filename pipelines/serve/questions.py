"""The routes that answer: search, classify, answer, link, translate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from interlingua.pipelines.link.entities import EntityIndex

from .asking import filter_of, finite, found
from .catalogue import Catalogue
from .forms import AcceptForm, AnswerForm, ClassifyForm, Found, LinkForm, SearchForm, TranslateForm
from .gate import Limits
from .problems import Refused

_LEAST = 0.5
#: What a search takes as it was sent.
OPTIONS = ("languages", "balance", "prefer", "hybrid", "least", "rerank")


class Questions:
    """One method for each route.

    Parameters
    ----------
    catalogue : Catalogue
    limits : Limits
    """

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self._catalogue, self._limits = catalogue, limits

    def router(self, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/v1", responses=responses)
        for path, endpoint, model, tag in (
            ("/search", self.search, Found, "search"),
            ("/classify", self.classify, None, "classify"),
            ("/answer", self.answer, None, "answer"),
            ("/link", self.link, None, "link"),
            ("/link/accept", self.accept, None, "link"),
            ("/translate", self.translate, None, "translate"),
        ):
            router.add_api_route(
                path, endpoint, methods=["POST"], response_model=model, tags=[tag], name=endpoint.__name__
            )
        return router

    def search(self, form: SearchForm) -> dict[str, Any]:
        """Find the passages of a collection that answer a query, in any language."""
        served = self._catalogue.search(form.collection)
        try:
            search = served.search()
        except FileNotFoundError as error:  # another process has deleted it
            self._catalogue.forget(served.name)
            raise Refused(404, f"{served.name} has been deleted") from error
        asked = {name: getattr(form, name) for name in OPTIONS if getattr(form, name) is not None}
        answer = found(search, form.query, form.k, language=form.language, where=filter_of(form.where), **asked)
        return {"collection": served.name, **answer}

    def classify(self, form: ClassifyForm) -> dict[str, Any]:
        """Label texts of any language that the classifier knows."""
        classifier = self._catalogue.named("classifier", form.classifier)
        sure = classifier.predict_proba(form.texts, language=form.language)
        labels = classifier.labels
        return {
            "results": [
                {
                    "label": labels[int(row.argmax())],
                    "probabilities": {name: finite(float(each)) for name, each in zip(labels, row, strict=True)},
                }
                for row in sure
            ]
        }

    def answer(self, form: AnswerForm) -> dict[str, Any]:
        """Answer a question with a sentence of the passages, or not at all."""
        answerer = self._catalogue.named("answers", form.answers)
        least = (_LEAST if form.precision is None else 0.0) if form.least is None else form.least
        if answerer.relevance is None:
            if form.least:
                raise Refused(422, "least: the encoder of these answers cannot tell; leave it out")
            least = 0.0
        (best,) = answerer.answer(
            [form.question],
            form.k,
            precision=form.precision,
            least=least,
            language=form.language,
            languages=form.languages,
        )
        return {"answers": [] if best is None else [_answer(each) for each in (best, *best.alternatives)]}

    def link(self, form: LinkForm) -> dict[str, Any]:
        """Link mentions in any language to entities; those of one request tell more than each alone."""
        entities = self._catalogue.named("entities", form.entities)
        results = entities.link(
            form.mentions,
            contexts=form.contexts,
            language=form.language,
            types=form.types,
            k=max(2, form.k),  # a second one tells whether the first is a namesake
            unknown=form.unknown,
        )
        return {
            "threshold": finite(entities.threshold if form.threshold is None else form.threshold),
            "results": [
                {
                    "mention": mention,
                    "nil": not entities.links(candidates, form.threshold),
                    "candidates": [_candidate(each) for each in candidates[: form.k]],
                }
                for mention, candidates in zip(form.mentions, results, strict=True)
            ],
        }

    def accept(self, form: AcceptForm) -> dict[str, Any]:
        """Make a mention a name of an entity; on the disk when it returns."""
        entities: EntityIndex = self._catalogue.named("entities", form.entities)
        entities.accept(form.mention, form.id)
        return {"mention": form.mention, "id": form.id, "name": entities.get(form.id).name}

    def translate(self, form: TranslateForm) -> dict[str, Any]:
        """Find stored translations by what texts mean."""
        memory = self._catalogue.named("memory", form.memory)
        matches = memory.search(form.texts, form.k, language=form.language, to=form.to, least=form.least)
        return {
            "results": [
                {"text": text, "matches": [_match(each) for each in rows]}
                for text, rows in zip(form.texts, matches, strict=True)
            ]
        }


def _answer(each: Any) -> dict[str, Any]:
    return {
        "sentence": each.sentence,
        "passage": {"id": each.passage.id, "text": each.passage.text, "metadata": dict(each.passage.metadata)},
        "start": each.start,
        "end": each.end,
        "language": each.language,
        "probability": finite(each.probability),
        "score": finite(each.score),
        "span": None if each.span is None else each.span.text,
    }


def _candidate(each: Any) -> dict[str, Any]:
    entity = each.entity
    return {
        "id": entity.id,
        "name": entity.name,
        "description": entity.description,
        "types": list(entity.types),
        "probability": finite(each.probability),
        "features": {name: finite(float(value)) for name, value in each.features.items()},
    }


def _match(each: Any) -> dict[str, Any]:
    return {
        "source": each.pair.source,
        "target": each.pair.target,
        "source_language": each.pair.source_language,
        "target_language": each.pair.target_language,
        "translation": each.translation,
        "language": each.language,
        "exact": each.exact,
        "confidence": finite(each.confidence),
        "cosine": finite(each.cosine),
    }
