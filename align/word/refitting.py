"""What a space keeps of how it was learned, and the aligner that learns it again from other pairs."""

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..shared_space import SharedSpace
from .registry import UNSUPERVISED_METHODS, WORD_METHODS, takes, word_aligner
from .restarts import Restarts
from .self_learning import SelfLearning

__all__ = ["aligner_of", "recorded_parameters"]

_WITHOUT_PAIRS = frozenset({*UNSUPERVISED_METHODS, "gromov-wasserstein"})


def recorded_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a constructor's parameters as a space's provenance keeps them: in JSON's form, a tuple as a list.

    Callbacks are left out, for they change nothing that is learned.

    Returns
    -------
    dict
        ``parameters`` and ``parameters_not_recorded``, the names of those JSON cannot hold. Files of versions that
        left out what is no single value have no such list.

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


def aligner_of(space: SharedSpace) -> Any:
    """Return an unfitted aligner like the one that learned a space of two languages from pairs.

    Of a space by `align` or `fit_dictionary` it has the parameters; of another one the defaults, and for the
    multi-step pipeline the shrinkage. A space of a version that did not record parameters such as tuples gets the
    defaults for what it does not name, with a warning that says so.

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
    if method in _WITHOUT_PAIRS:
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
    # subtle: files of earlier versions hold what was given to all the candidates
    given = provenance.get("parameters", {}).items()
    parameters = {name: _of_json(value) for name, value in given if takes(method, name)}
    if provenance.get("seeds") in ("identical", "numerals"):
        if parameters.get("trust_pairs") is False:
            return None
        raise ValueError(
            f"this space was learned by {method!r} from equal strings, not from pairs that parts can be left out of; "
            "give the aligner to fit with these pairs"
        )
    lost = provenance.get("parameters_not_recorded", ())
    if "parameters" in provenance and "parameters_not_recorded" not in provenance:
        warnings.warn(
            f"this space was learned by {method!r} with a version that did not record every parameter: it is fitted "
            f"again with {_told(parameters)} and otherwise the defaults; give the aligner that learned it, or learn "
            "the space again, if it had others",
            stacklevel=2,
        )
    if lost:
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


def _told(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "no parameter"


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _of_json(value: Any) -> Any:
    return tuple(_of_json(each) for each in value) if isinstance(value, list) else value
