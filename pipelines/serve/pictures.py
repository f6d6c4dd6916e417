"""The routes of the page's pictures: the map of a collection's space, before and after alignment, and its audit."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response
from numpy.typing import NDArray

from interlingua.pipelines.audit.measure import AuditVectors, audit
from interlingua.pipelines.plots.points import drawn, flat

from .catalogue import Catalogue
from .forms import IdsForm, Name
from .problems import Refused

MOST_POINTS = 100_000
_AUDITED = 2000
_FEWEST = 10  # passages of a language
_SHOWN = 200  # characters of a text


_MAP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


class Pictures:
    """One method for each route.

    Parameters
    ----------
    catalogue : Catalogue
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def router(self, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/v1/collections/{name}", responses=responses, tags=["pictures"])
        router.add_api_route("/map", self.map, methods=["GET"], responses=_MAP)
        router.add_api_route("/audit", self.audit, methods=["GET"])
        router.add_api_route("/rows", self.rows, methods=["POST"])
        return router

    def map(
        self, name: Name, limit: Annotated[int, Query(ge=1, le=MOST_POINTS)] = MOST_POINTS, seed: int = 0
    ) -> Response:
        """Give the points of a collection in two dimensions, by the two main axes of all vectors.

        `after` is the space that is searched, `before` the vectors as the encoder made them, or null where that cannot
        be told. Points are little-endian float32 pairs between -1 and 1 in base64; `label` numbers the languages.
        """
        search = self._catalogue.search(name).search()
        ids, languages, vectors, raw = drawn(search, limit, seed)
        names = list(dict.fromkeys(languages))
        places = {language: number for number, language in enumerate(names)}
        about = {
            "ids": ids,
            "languages": names,
            "label": [places[language] for language in languages],
            "after": _packed(flat(vectors)),
            "before": None if raw is None else _packed(flat(raw)),
            "passages": len(search),
        }
        return Response(json.dumps(about), media_type="application/json")  # which FastAPI would look through

    def rows(self, name: Name, form: IdsForm) -> dict[str, Any]:
        """Give the texts of passages, shortened; ids that are gone are left out."""
        collection = self._catalogue.search(name).search().collection
        there = [id for id in form.ids if id in collection]
        found = collection.get(there)
        return {
            "rows": [
                {"id": id, "text": str(row.get("text", ""))[:_SHOWN], "language": str(row.get("language", ""))}
                for id, row in zip(there, found, strict=True)
            ]
        }

    def audit(self, name: Name, seed: int = 0) -> dict[str, Any]:
        """Say whether the collection is found by what texts say, or by the language they say it in."""
        search = self._catalogue.search(name).search()
        _, languages, vectors, raw = drawn(search, _AUDITED, seed)
        counts = Counter(languages)
        kept = [place for place, language in enumerate(languages) if counts[language] >= _FEWEST]
        languages = [languages[place] for place in kept]
        if len(set(languages)) < 2:
            raise Refused(
                422, f"an audit compares languages of {_FEWEST} passages or more, but {name} has not two such"
            )
        about: dict[str, Any] = {}
        for stage, rows in (("before", raw), ("after", vectors)):
            if rows is not None:
                found = audit(AuditVectors(rows[kept], tuple(languages)), sample=_AUDITED, seed=seed)
                about[stage] = {
                    "languages": list(found.raw.languages),
                    "shares": np.asarray(found.raw.shares, float).round(4).tolist(),
                    "verdict": found.verdict(),
                    "biased": found.biased,
                }
        biased = about["after"]["biased"]
        fine, rebuild = "Nothing needs to be done about language.", "Build the collection anew, with all its languages."
        return {**about, "advice": rebuild if biased else fine}


def _packed(points: NDArray[np.float32]) -> str:
    return str(base64.b64encode(points.astype("<f4").tobytes()), "ascii")
