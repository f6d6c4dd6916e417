"""Measure an aligned encoder with mteb."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, SharedSpace, SpaceError
from interlingua.align.arrays import require
from interlingua.align.language import nearest_language
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.fingerprint import check_space

from .model import check_dimensions

_ROLES: Mapping[str | None, Role] = {None: "symmetric", "query": "query", "document": "passage"}
# Members that stand for their macrolanguage in one data set or the other.
_MACROLANGUAGES = {"zho": "cmn", "ara": "arb", "swa": "swh", "msa": "zsm", "fas": "pes", "nor": "nob", "est": "ekk"}


class AlignedModel:
    """An encoder and a shared space as a model that mteb evaluates (its `EncoderProtocol`).

    ::

        model = AlignedModel(load_encoder(), SharedSpace.load("my.space"))
        mteb.evaluate(model, tasks=mteb.get_tasks(tasks=["Tatoeba"]))

    mteb names the subset of a task but not the language of each text. Which map a text takes is decided so:

    1. a subset of one language: the map of that language;
    2. a subset of several, such as the pair ``deu-eng``: of these, the one whose mean is nearest the text's vector
       (`nearest_language`). In bitext mining, where all texts of a call are of one language, the one that most of them
       are nearest to. Each text alone, or the texts of one side together, decide; never the answers. Single texts are
       often guessed wrong where the means of languages lie close, as those of a very language-neutral encoder do;
    3. where the space has no map for one of the subset's languages: its map for all languages (``"*"``) for that
       language; without one, all texts of the subset keep the encoder's own vectors, and a warning says so.

    What was decided is kept in `languages_used`; report it with the scores.

    Parameters
    ----------
    encoder : Encoder
        Its roles are mteb's prompt types: "query", "passage" for documents, "symmetric" for all else.
    space : SharedSpace, optional
        Learned on vectors of the encoder; names its languages by ISO 639-1 or 639-3 codes. Without it the encoder is
        measured as it is.
    name : str, optional
        What mteb calls the model.

    Attributes
    ----------
    languages_used : dict
        (task, subset) -> how many texts took which map; None stands for no map.

    Raises
    ------
    MissingExtraError
        If the extra `mteb` is not installed.
    SpaceError
        If the space was learned on vectors of another encoder, or takes or gives another dimension than the encoder.
    """

    def __init__(self, encoder: Encoder, space: SharedSpace | None = None, *, name: str | None = None) -> None:
        require("mteb", extra="mteb")
        if space is not None:
            check_space(space, encoder)
            check_dimensions(space.maps, encoder.dimension)
        self.encoder = encoder
        self.space = space
        self.name = name or f"interlingua/{re.sub(r'[^A-Za-z0-9._-]+', '-', encoder.identity)}"
        self.languages_used: dict[tuple[str, str], Counter[str | None]] = {}
        self._codes = (
            {} if space is None else {_three_letters(each): each for each in space.maps if each != ANY_LANGUAGE}
        )

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb writes beside the scores."""
        library = require("mteb.models", extra="mteb")
        return library.ModelMeta(
            loader=None,
            name=self.name,
            revision=None if self.space is None else self.space.fingerprint[:16],
            release_date=None,
            languages=None,
            n_parameters=None,
            memory_usage_mb=None,
            max_tokens=None,
            embed_dim=self._dimension,
            license=None,
            open_weights=True,
            public_training_code=None,
            public_training_data=None,
            framework=["NumPy"],
            similarity_fn_name="cosine",
            use_instructions=any(self.encoder.prompts.values()),
            training_datasets=None,
            adapted_from=self.encoder.identity,
        )

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> NDArray[np.float32]:
        """Return (n, d) unit vectors of the texts of all batches; called by mteb."""
        texts = [text for batch in inputs for text in batch["text"]]
        role = _ROLES[None if prompt_type is None else str(getattr(prompt_type, "value", prompt_type))]
        raw = self.encoder.encode(texts, role=role, progress=bool(options.get("show_progress_bar", False)))
        task = str(task_metadata.name)
        names = self._languages(raw, _subset_codes(task_metadata, hf_subset), task_metadata.type == "BitextMining")
        self.languages_used.setdefault((task, hf_subset), Counter()).update(names)
        if self.space is None or None in names:
            if self.space is not None and texts:
                warnings.warn(
                    f"{task}, {hf_subset}: the space has no map for all of its languages; "
                    "the encoder's own vectors are used",
                    stacklevel=2,
                )
            return raw
        mapped = np.empty((len(texts), self.space.dimension), np.float32)
        labels = np.array(names, dtype=object)
        for name in dict.fromkeys(names):
            rows = np.flatnonzero(labels == name)
            mapped[rows] = self.space.transform(raw[rows], str(name))
        return mapped

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of every row of one with every row of the other."""
        return require("mteb.similarity_functions", extra="mteb").cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of each row of one with the same row of the other."""
        return require("mteb.similarity_functions", extra="mteb").pairwise_cos_sim(embeddings1, embeddings2)

    @property
    def _dimension(self) -> int:
        return self.encoder.dimension if self.space is None else self.space.dimension

    def _languages(self, raw: NDArray[np.float32], codes: Sequence[str], one_language: bool) -> list[str | None]:
        """Return which map each row takes; None everywhere where the space cannot map all of the subset."""
        if self.space is None:
            return [None] * len(raw)
        among: dict[str, None] = {}
        for code in codes:
            known = self._codes.get(code) or (ANY_LANGUAGE if ANY_LANGUAGE in self.space.maps else None)
            if known is None:
                return [None] * len(raw)
            among[known] = None
        if not among:
            return [None] * len(raw)
        if len(among) == 1 or not len(raw):
            return [next(iter(among))] * len(raw)
        try:
            guessed = nearest_language(self.space, raw, among=list(among))
        except SpaceError:
            if ANY_LANGUAGE not in self.space.maps:
                raise
            guessed = [ANY_LANGUAGE] * len(raw)
        if one_language:
            return [Counter(guessed).most_common(1)[0][0]] * len(raw)
        return list(guessed)


def _subset_codes(task_metadata: Any, subset: str) -> list[str]:
    """Return the languages of a subset in three letters; of a parallel task, the language that the subset names."""
    stated: Mapping[str, Sequence[str]] = task_metadata.hf_subsets_to_langscripts
    if subset in stated:
        return list(dict.fromkeys(_three_letters(each) for each in stated[subset]))
    every = {_three_letters(each) for codes in stated.values() for each in codes}
    code = _three_letters(subset)
    return [code] if code in every else sorted(every)


@cache
def _three_letters(code: str) -> str:
    """Return the ISO 639-3 code of ``de``, ``deu``, ``deu-Latn`` or ``deu_Latn``; the member for a macrolanguage."""
    language = re.split(r"[-_]", code)[0].lower()
    if len(language) == 2:
        mappings = require("mteb.languages.iso_mappings", extra="mteb")
        language = str(mappings._get_iso1_to_iso3().get(language, language))
    return _MACROLANGUAGES.get(language, language)
