"""The routes that clients of others know: embeddings as OpenAI's, rerank as Cohere's and Jina's."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Request

from interlingua.pipelines.encoders.base import Role
from interlingua.pipelines.encoders.load import BUNDLED
from interlingua.pipelines.search.search import CrossLingualSearch

from .asking import embedded, finite, ranked, shortened, tokens
from .catalogue import Catalogue
from .forms import EmbeddingForm, RerankForm
from .joined import JoinedEncoder
from .problems import Refused


class Compatible:
    """One method for each route.

    Parameters
    ----------
    catalogue : Catalogue
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def router(self, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
        """Return the routes."""
        router = APIRouter(responses=responses)
        router.add_api_route("/v1/models", self.models, methods=["GET"], tags=["compatible"])
        router.add_api_route("/v1/embeddings", self.embeddings, methods=["POST"], tags=["compatible"])
        for path in ("/v1/rerank", "/v2/rerank"):
            router.add_api_route(path, self.rerank, methods=["POST"], tags=["compatible"], name=path[1:3] + " rerank")
        return router

    def models(self) -> dict[str, Any]:
        """Name what gives vectors: encoders, and encoders with the space of a collection."""
        names = [name for name, _ in self._encoders()]
        names += [f"{public_name(each.encoder)}@{each.name}" for each in self._catalogue.searches()]
        return {
            "object": "list",
            "data": [{"id": name, "object": "model", "created": 0, "owned_by": "interlingua"} for name in names],
        }

    def embeddings(self, form: EmbeddingForm) -> dict[str, Any]:
        """Give the vectors of texts; in the space of a collection, those of all languages lie together."""
        encoder, search, role = self._model(form.model)
        texts = [form.input] if isinstance(form.input, str) else form.input
        vectors = embedded(encoder, search, texts, role, form.language)
        if form.dimensions is not None:
            if form.dimensions > vectors.shape[1]:
                there = vectors.shape[1]
                raise Refused(422, f"dimensions: the model has {there}, but {form.dimensions} were asked for")
            vectors = shortened(vectors, form.dimensions)
        as_text = form.encoding_format == "base64"
        used = tokens(encoder, texts)
        return {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": number,
                    "embedding": str(base64.b64encode(row.astype("<f4").tobytes()), "ascii")
                    if as_text
                    else row.tolist(),
                }
                for number, row in enumerate(np.asarray(vectors, np.float32))
            ],
            "model": form.model,
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }

    def rerank(self, form: RerankForm, request: Request) -> dict[str, Any]:
        """Order documents of any language by the probability that they answer a query."""
        encoder = self._model(form.model)[0] if form.model else self._encoders()[0][1]()
        documents = [each if isinstance(each, str) else each.text for each in form.documents]
        order = ranked(encoder, form.query, documents)[: form.top_n]
        second = request.url.path.startswith("/v2/")
        shown = bool(form.return_documents) and not second
        used = tokens(encoder, [form.query, *documents])
        return {
            "id": str(uuid4()),
            "model": form.model or self._encoders()[0][0],
            "results": [
                {
                    "index": place,
                    "relevance_score": finite(sure),
                    **({"document": {"text": documents[place]}} if shown else {}),
                }
                for place, sure in order
            ],
            "usage": {"total_tokens": used, "prompt_tokens": used},
            "meta": {"api_version": {"version": "2" if second else "1"}, "billed_units": {"search_units": 1}},
        }

    def _encoders(self) -> list[tuple[str, Any]]:
        """Return names of encoders, each with what gives it; the first is that of new collections."""
        default = self._catalogue.encoders.default_name
        found: dict[str, Any] = {default: lambda: self._catalogue.encoders.default}
        for each in self._catalogue.searches():
            found.setdefault(public_name(each.encoder), lambda encoder=each.encoder: encoder)
        return list(found.items())

    def _model(self, name: str) -> tuple[JoinedEncoder, CrossLingualSearch | None, Role]:
        """Return the encoder, the search whose space is taken, and the role that a name says."""
        rest, _, said = name.rpartition(":")
        role = next((each for each in get_args(Role) if each == said and rest), None)
        wanted, _, collection = (rest if role else name).partition("@")
        known = dict(self._encoders())
        if collection:
            served = self._catalogue.search(collection)
            if wanted != public_name(served.encoder):
                raise Refused(404, f"model: {collection} has vectors of {public_name(served.encoder)}; name that one")
            return served.encoder, served.search(), role or "passage"  # as what the space was learned from
        if wanted not in known:
            there = ", ".join(known)
            raise Refused(404, f"model: there is none of that name; there are: {there}; GET /v1/models has all")
        return known[wanted](), None, role or "symmetric"


def public_name(encoder: JoinedEncoder | None) -> str:
    """Return what clients call an encoder: its name, but of a path the last part alone."""
    name = BUNDLED if encoder is None else str(getattr(encoder, "loaded_as", "") or encoder.identity)
    return Path(name).name if Path(name).is_absolute() else name
