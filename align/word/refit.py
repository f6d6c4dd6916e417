"""What a space keeps of how it was learned, and the aligner that learns it again from other pairs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interlingua.align.dictionary import SeedDictionary
from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.methods import UNSUPERVISED_METHODS, WORD_METHODS, word_aligner
from interlingua.align.word.methods.self_learning import SelfLearning

from .restarts import Restarts


def with_provenance(
    space: SharedSpace,
    vocabularies: Sequence[Embeddings],
    parameters: Mapping[str, Any],
    *,
    scores: Mapping[str, float],
    seed: int,
    **notes: Any,
) -> SharedSpace:
    """Return a fitted space with its scores and all that tells how it was learned.

    Parameters
    ----------
    space : SharedSpace
        As a method gave it; what its provenance holds is kept.
    vocabularies : sequence of Embeddings
        What it was learned from; their `space` names the languages.
    parameters : mapping of str to value
        What the method's constructor got (see `recorded_parameters`).
    scores : mapping of str to float
        Instead of those of the space.
    seed : int
    **notes
        Whatever else: the pairs of the dictionary, the method chosen and why, the hash of the data (`data_hash`).
    """
    provenance = {
        **space.provenance,
        **notes,
        "vocabulary": {each.space: len(each) for each in vocabularies},
        **recorded_parameters(parameters),
        "seed": seed,
    }
    return replace(space, scores=scores, provenance=provenance)


def recorded_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a constructor's parameters as a space's provenance keeps them: in JSON's form, a tuple as a list.

    Callbacks are left out, for they change nothing that is learned.

    Returns
    -------
    dict
        ``parameters`` and ``parameters_not_recorded``, the names of those JSON cannot hold.

    Examples
    --------
    >>> recorded_parameters({"normalize": ("unit", "centre"), "start": word_aligner("procrustes")})
    {'parameters': {'normalize': ['unit', 'centre']}, 'parameters_not_recorded': ['start']}
    """
    kept: dict[str, Any] = {}
    lost = []
    for name, value in parameters.items():
        if name == "callback":
            continue
        try:
            kept[name] = json.loads(json.dumps(value, default=_number))
        except (TypeError, ValueError):
            lost.append(name)
    return {"parameters": kept, "parameters_not_recorded": lost}


def data_hash(source: Embeddings, target: Embeddings, dictionary: SeedDictionary | None = None) -> str:
    """Return the SHA-256 of labels, vectors and pairs: equal data, equal hash, whatever the file format."""
    digest = hashlib.sha256()
    for each in (source, target):
        digest.update("\0".join(each.labels).encode())
        digest.update(np.ascontiguousarray(each.vectors).data)
    if dictionary is not None:
        digest.update("\0".join("\t".join(pair) for pair in dictionary.pairs).encode())
    return digest.hexdigest()


def aligner_of(space: SharedSpace) -> Any:
    """Return an unfitted aligner like the one that learned a space of two languages from pairs.

    Of a space by `align` or `fit_dictionary` it has the parameters; of another one the defaults, and for the
    multi-step pipeline the shrinkage.

    Returns
    -------
    aligner or None
        None where the pairs took no part: for methods that need none, and for self-learning from equal strings.

    Raises
    ------
    ValueError
        If the method is not known or started from other pairs, or a parameter could not be recorded.

    Examples
    --------
    >>> from interlingua.align.word import Procrustes
    >>> x = np.eye(4, dtype=np.float32)
    >>> space = Procrustes().fit(x, x, np.stack([np.arange(4)] * 2, axis=1)).space_
    >>> type(aligner_of(space)).__name__
    'Procrustes'
    """
    provenance = space.provenance
    chosen = provenance.get("chosen")
    method = str(chosen["method"]) if isinstance(chosen, Mapping) and "method" in chosen else space.method
    if method in UNSUPERVISED_METHODS:
        return None
    if method.startswith("self-learning ("):  # fitted by itself, and named after the method of its last map
        if "start" in provenance:
            return None
        method = "self-learning"
    if method not in WORD_METHODS:
        raise ValueError(
            f"a space learned by {method!r} cannot be fitted again without a part of the pairs; "
            "give the aligner that learned it"
        )
    parameters = {name: _of_json(value) for name, value in provenance.get("parameters", {}).items()}
    if provenance.get("seeds") in ("identical", "numerals"):
        if parameters.get("trust_pairs") is False:
            return None
        raise ValueError(
            f"this space was learned by {method!r} from equal strings, not from pairs that parts can be left out of; "
            "give the aligner to fit with these pairs"
        )
    if lost := provenance.get("parameters_not_recorded", ()):
        raise ValueError(
            f"this space was learned by {method!r} with a value of {', '.join(lost)} that no file can hold, so that it "
            "cannot be fitted again; give the aligner that learned it"
        )
    if method == "multi-step" and "shrinkage" in provenance:
        parameters["shrinkage"] = tuple(provenance["shrinkage"])
    aligner = word_aligner(method, **parameters)
    if "restarts" in provenance and isinstance(aligner, SelfLearning):
        return Restarts(learner=aligner)
    return aligner


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _of_json(value: Any) -> Any:
    return tuple(_of_json(each) for each in value) if isinstance(value, list) else value
