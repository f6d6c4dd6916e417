"""Train a classifier on texts of one language, and classify texts of all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.language import REMOVAL_METHODS
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.limits import naming_languages
from interlingua.pipelines.encoders.load import lasting_name, load_encoder, name_of_identity
from interlingua.pipelines.stored import (
    OLDER_MARKERS,
    EncoderNote,
    Stored,
    encoder_of,
    is_older,
    load_files,
    save_files,
)
from interlingua.pipelines.texts.languages import find_language

_FORMAT = 1
_SPACE, _ARRAYS = "space.safetensors", "classifier.safetensors"
_FEWEST = 10


@dataclass(frozen=True)
class ClassificationReport:
    """How well texts were classified.

    Attributes
    ----------
    accuracy : float
    macro_f1 : float
        Mean over the classes that occur among the labels or the predictions; 0 for one without a right prediction.
    calibration_error : float
        Expected calibration error in ten bins of equal width (Guo et al. 2017): the mean distance between the
        probability of the likeliest class and how often it is right.
    majority : float
        Accuracy of naming the most frequent label throughout: the floor.
    n : int
    """

    accuracy: float
    macro_f1: float
    calibration_error: float
    majority: float
    n: int


class CrossLingualClassifier:
    """Texts of one language with labels in, labels of texts in any language out.

    An encoder gives vectors, language is removed from them (each language by the mean of its own unlabelled texts),
    and a `VectorClassifier` learns from those with labels. A few texts of the target language with labels may be among
    them.

    Parameters
    ----------
    encoder : str, Path or Encoder, optional
        As for `load_encoder`; by default the bundled one.
    languages : str
        How languages are made alike; lsar, leace and none ask for no language later.

        A name of `REMOVAL_METHODS`, or "none".
    encoder_name : str, optional
        What `load_encoder` takes to make the encoder again; by default as it was made.
    **options
        Passed on to `VectorClassifier`.

    Attributes
    ----------
    space_ : SharedSpace or None
        What each language is mapped by.
    classifier_ : VectorClassifier

    Examples
    --------
    ::

        classifier = CrossLingualClassifier()
        classifier.fit(english, topics, language="en", unlabelled={"sw": swahili})
        classifier.predict(["Timu ilishinda mechi jana."], language="sw")
    """

    def __init__(
        self,
        encoder: str | Path | Encoder | None = None,
        *,
        languages: str = "centring",
        encoder_name: str = "",
        **options: Any,
    ) -> None:
        if languages != "none" and languages not in REMOVAL_METHODS:
            raise ValueError(f"languages must be 'none' or one of {', '.join(REMOVAL_METHODS)}; got {languages!r}")
        self.encoder = load_encoder(encoder) if encoder is None or isinstance(encoder, str | Path) else encoder
        self.encoder_name = encoder_name or lasting_name(None, self.encoder)
        self.languages, self.options = languages, options

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        language: str | Sequence[str],
        unlabelled: Mapping[str, Sequence[str]] | None = None,
    ) -> CrossLingualClassifier:
        """Learn from n texts and their labels.

        Parameters
        ----------
        texts, labels : sequences of n str
            Numbers and truth values are labels as well, by the text that they are written as.
        language : str or sequence of n str
            Of all texts, or of each.
        unlabelled : mapping of language to sequence of str, optional
            Texts of the languages that will be classified, at least ten each: they tell where a language lies.
            Texts with labels count among them.

        Raises
        ------
        ValueError
            If the numbers of texts, labels and languages differ, or a language has fewer than ten texts in all.
        """
        from .vectors import VectorClassifier

        names = [language] * len(texts) if isinstance(language, str) else list(language)
        if not len(texts) == len(labels) == len(names):
            raise ValueError(
                f"texts, labels and languages must correspond; got {len(texts)}, {len(labels)} and {len(names)}"
            )
        with naming_languages(names):
            vectors = self.encoder.encode(list(texts))
        self.space_ = self._fit_space(vectors, names, unlabelled or {})
        self.classifier_ = VectorClassifier(**self.options).fit(self._map(vectors, names), _as_labels(labels))
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can say; column j of `predict_proba` is labels[j]."""
        return tuple(str(each) for each in self.classifier_.classes_)

    def predict_proba(self, texts: Sequence[str], *, language: str | Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each label, (n, c).

        Raises
        ------
        ValueError
            If a language was not among those that `fit` saw, unless the method needs no language.
        """
        names = [language] * len(texts) if isinstance(language, str) else list(language)
        if len(names) != len(texts):
            raise ValueError(f"texts and languages must correspond; got {len(texts)} and {len(names)}")
        if not names:
            return np.zeros((0, len(self.labels)))
        with naming_languages(names):
            vectors = self.encoder.encode(list(texts))
        return np.asarray(self.classifier_.predict_proba(self._map(vectors, names)))

    def predict(self, texts: Sequence[str], *, language: str | Sequence[str]) -> list[str]:
        """Return the likeliest label of each text."""
        return [self.labels[column] for column in self.predict_proba(texts, language=language).argmax(axis=1)]

    def evaluate(self, texts: Sequence[str], labels: Sequence[str], *, language: str) -> ClassificationReport:
        """Return how well texts with known labels are classified."""
        return classification_report(self.predict_proba(texts, language=language), labels, self.labels)

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` reads, whole or not at all.

        Raises
        ------
        FileExistsError
            If something else than a classifier lies there.
        """
        from safetensors.numpy import save

        learned = self.classifier_
        about = {
            "format": _FORMAT,
            "languages": self.languages,
            "labels": list(self.labels),
            "options": self.options,
            "strength": learned.strength_,
            "mix": list(learned.mix_),
            "temperature": learned.temperature_,
        }
        arrays = {
            "weights": learned.weights_,
            "biases": learned.biases_,
            "vectors": learned.vectors_,
            "columns": learned.targets_.argmax(axis=1).astype(np.int64),
        }
        files = {_ARRAYS: save({name: np.ascontiguousarray(each) for name, each in arrays.items()})}
        if self.space_ is not None:
            files[_SPACE] = self.space_.to_bytes()
        encoder = EncoderNote.of(self.encoder, self.encoder_name)
        save_files(folder, "classifier", encoder, about=about, files=files)

    @classmethod
    def load(cls, folder: str | Path, encoder: str | Path | Encoder | None = None) -> CrossLingualClassifier:
        """Return the classifier that `save` wrote.

        Parameters
        ----------
        folder : str or Path
        encoder : str, Path or Encoder, optional
            The one that it was trained with; by default that which the folder names.

        Raises
        ------
        ValueError
            If the folder holds no classifier, a damaged one, or one of another encoder.
        FileNotFoundError
            If the folder, or the file of the encoder, is not there.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        from .vectors import VectorClassifier

        held = _read_older(Path(folder)) if is_older(folder, "classifier") else load_files(folder, "classifier")
        about = held.about
        if about["format"] != _FORMAT:
            raise ValueError(f"{folder} has format {about['format']}, this version reads {_FORMAT}; train it again")
        encoder, name = encoder_of(folder, held.encoder, encoder)
        made = cls(encoder, languages=about["languages"], encoder_name=name, **about["options"])
        try:
            arrays = load(held.files[_ARRAYS])
        except (KeyError, SafetensorError) as error:
            place = Path(folder) / _ARRAYS
            raise ValueError(f"{place} is missing or damaged ({error}); train the classifier again") from error
        learned = VectorClassifier(**made.options)
        learned.classes_ = np.asarray(about["labels"], object)
        learned.weights_, learned.biases_, learned.vectors_ = (arrays[n] for n in ("weights", "biases", "vectors"))
        learned.targets_ = np.eye(len(learned.classes_), dtype=np.float32)[arrays["columns"]]
        learned.strength_, learned.temperature_ = about["strength"], about["temperature"]
        learned.mix_ = (int(about["mix"][0]), float(about["mix"][1]), float(about["mix"][2]))
        learned.n_features_in_ = learned.vectors_.shape[1]
        made.classifier_ = learned
        space = held.files.get(_SPACE)
        made.space_ = None if space is None else SharedSpace.from_bytes(space, name=f"{_SPACE} in {folder}")
        return made

    def _fit_space(
        self, vectors: NDArray[np.float32], names: Sequence[str], unlabelled: Mapping[str, Sequence[str]]
    ) -> SharedSpace | None:
        if self.languages == "none":
            return None
        own = np.asarray(names)
        groups: dict[str, NDArray[np.float32]] = {}
        for name in dict.fromkeys([*names, *unlabelled]):
            parts = [vectors[own == name]]
            if unlabelled.get(name):
                with naming_languages(name):
                    parts.append(self.encoder.encode(list(unlabelled[name])))
            groups[name] = np.concatenate(parts)
            if len(groups[name]) < _FEWEST:
                raise ValueError(
                    f"{name} has {len(groups[name])} texts; {self.languages} needs at least {_FEWEST} of each language "
                    "to know where it lies: give more through unlabelled=, or take languages='none'"
                )
        return REMOVAL_METHODS[self.languages]().fit(groups, encoder=self.encoder.identity).space_

    def _map(self, vectors: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float32]:
        if self.space_ is None:
            return vectors
        own, mapped = np.asarray(names), np.empty_like(vectors)
        for name in dict.fromkeys(names):
            tag = name if self.space_.covers(name) else find_language(name, self.space_.languages)
            if tag is None:
                raise ValueError(
                    f"the classifier knows no texts of {name!r}, only of {', '.join(self.space_.languages)}; "
                    "train it with unlabelled texts of that language, or remove languages by lsar, which needs none"
                )
            mapped[own == name] = self.space_.transform(vectors[own == name], tag)
        return mapped


def _read_older(folder: Path) -> Stored:
    """Return what a folder in the layout from before manifests holds; it names no encoder and has no checksums."""
    about = json.loads((folder / OLDER_MARKERS["classifier"]).read_text(encoding="utf-8"))
    identity = about.pop("encoder")
    files = {name: (folder / name).read_bytes() for name in (_ARRAYS, _SPACE) if (folder / name).is_file()}
    return Stored(EncoderNote(identity, name_of_identity(identity)), about, files)


def _as_labels(labels: Sequence[Any]) -> NDArray[Any]:
    return np.array([str(each) for each in labels], object)


def classification_report(
    probabilities: NDArray[np.float64], labels: Sequence[str], names: Sequence[str]
) -> ClassificationReport:
    """Return the measures of probabilities (n, c), whose columns are `names`, against the true labels (n,).

    Raises
    ------
    ValueError
        If there are no labels, or not as many as rows.

    Examples
    --------
    >>> report = classification_report(np.array([[0.9, 0.1], [0.6, 0.4]]), ["a", "b"], ["a", "b"])
    >>> report.accuracy, round(report.macro_f1, 3), round(report.calibration_error, 3)
    (0.5, 0.333, 0.35)
    """
    if not labels or len(labels) != len(probabilities):
        raise ValueError(f"each of {len(probabilities)} texts needs a label, got {len(labels)}")
    true, said = _as_labels(labels), np.asarray(names, object)[probabilities.argmax(axis=1)]
    right = true == said
    scores = []
    for name in {*true, *said}:
        both = float(((true == name) & (said == name)).sum())
        scores.append(2 * both / float((true == name).sum() + (said == name).sum()))
    sure = probabilities.max(axis=1)
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(float(right[bins == each].sum() - sure[bins == each].sum())) for each in np.unique(bins)]
    most = max(int((true == name).sum()) for name in set(true))
    return ClassificationReport(
        float(right.mean()), float(np.mean(scores)), sum(gaps) / len(true), most / len(true), len(true)
    )
