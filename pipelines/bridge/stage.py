"""An index that is moved to another encoder row by row, and searched meanwhile as one.

The index of before is left as it is and stays the truth about which rows there are and what they say. Beside it lies a
collection of the rows that the new encoder has read: whose vectors are where says which model made them. Taking the
stage away is the way back.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix
from interlingua.align.bridge import BridgeError
from interlingua.index import Collection, CollectionStore
from interlingua.index.folder import MANIFEST_NAME, read_manifest, refuse_foreign
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.foreign import is_foreign, rows_in
from interlingua.pipelines.stored import EncoderNote
from interlingua.pipelines.stores.base import Place, is_address, without_password
from interlingua.pipelines.texts.passages import UNDETERMINED

_KEY = "stage"
_READ = "stage_text"  # what the new encoder read, as a hash: a row that says something else now is read again
#: With fewer rows of both models nothing tells how their scores compare, and the index of before is asked alone.
FEWEST = 50
_SAMPLE = 2000
_TOP = 0.01
_GONE = ".taken-back-"


@dataclass(frozen=True)
class Progress:
    """How far the rows of an index are with the new encoder.

    Attributes
    ----------
    rows : int
        Of the index that have a text.
    staged : int
        Of them, that the new encoder has read as they are now.
    stale : int
        That it read, and that say something else now or are gone.
    seconds_a_row : float
        Of this run; 0 where it did nothing.
    """

    rows: int
    staged: int
    stale: int
    seconds_a_row: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all rows are with the new encoder."""
        return self.staged == self.rows


class StagedIndex:
    """An index and the part of it that a new encoder has read.

    Parameters
    ----------
    folder : str or Path
        What `create` made.

    Raises
    ------
    BridgeError
        If it is no stage, or its index is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not is_stage(folder):
            raise BridgeError(
                f"{folder} is no stage; `interlingua bridge stage INDEX --encoder NEW -o STAGE` makes one"
            )
        self.rows = Collection.load(self.folder)
        self.note = EncoderNote.read(self.rows.attributes)
        told = self.rows.attributes[_KEY]
        self.place, self.field, self.language_field = (str(told[key]) for key in ("of", "text", "language"))
        try:
            self.old_note, self.old, _ = rows_in(self.place)
        except (OSError, ValueError) as error:
            raise BridgeError(
                f"{self.folder} stages {without_password(self.place)}, which cannot be read ({error}); bring it back"
            ) from error
        self._look()

    @classmethod
    def create(cls, index: str | Path, folder: str | Path, encoder: Encoder) -> StagedIndex:
        """Begin to stage an index into a new folder.

        Parameters
        ----------
        index : str or Path
            A plain collection, or a store of another program; it is not changed.
        folder : str or Path
            Where the rows of the new encoder go.
        encoder : Encoder
            The new one.

        Raises
        ------
        BridgeError
            If the index is a search of ours, which `index build` makes anew, or has no texts.
        FileExistsError
            If something lies in the folder.
        """
        if not is_foreign(index):
            raise BridgeError(
                f"{without_password(index)} is neither a plain collection nor a store of another program; a search of "
                "ours is made anew by `interlingua index build`, and the old one serves until then"
            )
        _, rows, field = rows_in(index)
        if not any(_said(each, field) for each in rows.get(list(rows.ids)[:1000])):
            raise BridgeError(
                f"{without_password(index)} has no texts in the field {field!r}, which the new encoder is to read"
            )
        target = Path(folder)
        refuse_foreign(target)
        if (target / MANIFEST_NAME).exists():
            raise FileExistsError(f"{target} holds a collection already; name a new folder")
        made = Collection.create(encoder.dimension, "cosine")
        made.attributes = {
            **EncoderNote.of(encoder).fields(),
            _KEY: {"of": _place(index), "text": field, "language": "language"},
            "store": {"text": field},
        }
        made.save(target)
        return cls(target)

    def advance(
        self,
        encoder: Encoder,
        *,
        count: int | None = None,
        first: Sequence[str] = (),
        newest: str | None = None,
        batch: int = 256,
        progress: bool = False,
    ) -> Progress:
        """Have the new encoder read more rows; those of each batch are on the disk when the next begins.

        Parameters
        ----------
        encoder : Encoder
            The one that the stage was made with.
        count : int, optional
            How many rows at most; by default all that are left.
        first : sequence of str
            Ids of the rows that come first, such as those that are found most.
        newest : str, optional
            A field of dates or numbers: the other rows go by it, the greatest first. By default in their order.
        batch : int
            Rows between two writes.
        progress : bool
            Show bars on standard error.

        Raises
        ------
        ValueError
            If the encoder is another one.
        LockedError
            If another process stages here.
        """
        if batch < 1 or (count is not None and count < 0):
            raise ValueError(f"a batch has at least 1 row and the count is not negative, but they are {batch}, {count}")
        begun = time.perf_counter()
        done = 0
        with CollectionStore(self.folder) as store:
            self.rows = store.collection
            self._look()
            gone = [id for id in store.collection.ids if id not in self._said]
            store.remove(gone)
            waiting = [id for id in self._said if id not in self._staged]
            ordered = list(_by_priority(waiting, self._about, first, newest))[:count]
            for start in range(0, len(ordered), batch):
                ids = ordered[start : start + batch]
                texts = [self._said[id] for id in ids]
                vectors = encode_named(encoder, texts, [f"row {id!r}: the text" for id in ids], "passage",
                                       progress=progress)  # fmt: skip
                told = [{**self._about[id], _READ: _hash(text)} for id, text in zip(ids, texts, strict=True)]
                store.upsert(ids, vectors, told)
                done += len(ids)
            self._look()
        spent = time.perf_counter() - begun
        return Progress(len(self._said), len(self._staged), 0, spent / done if done else 0.0)

    def check_index(self, index: str | Path) -> None:
        """Raise BridgeError if it is another index that was staged here."""
        if _place(index) != self.place:
            raise BridgeError(
                f"{self.folder} stages {self.place}, not {without_password(index)}; name a new folder for another index"
            )

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(len(self._said), len(self._staged), len(self.rows) - len(self._staged))

    def search(
        self,
        questions: Sequence[str],
        k: int = 10,
        *,
        new: Encoder,
        old: Encoder,
        languages: Sequence[str] | None = None,
        progress: bool = False,
    ) -> list[list[SearchHit]]:
        """Return the k best rows for each question, those of both encoders in one list.

        A question is asked twice, and each row has the score of its own encoder::

            s' = (s - mean) / (top - mean)

        mean and top, the mean of the highest hundredth, over up to 2,000 rows that both encoders have read, by each
        for itself. With fewer than 50 of them all rows are asked by the encoder of before.

        Parameters
        ----------
        questions : sequence of str
        k : int
        new, old : Encoder
            The new encoder, and what turns questions into vectors of the index of before: its encoder, or a
            `BridgedEncoder`.
        languages : sequence of str, optional
            Only rows in these.
        progress : bool
            Show bars on standard error.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        names = [f"question {number}" for number in range(1, len(questions) + 1)]
        if old.dimension != self.old.dimension:
            raise BridgeError(
                f"{without_password(self.place)} holds vectors of dimension {self.old.dimension}, but {old.identity!r} "
                f"gives {old.dimension}; name the encoder that made them"
            )
        asked_old = encode_named(old, questions, names, "query", progress=progress)
        ids = [id for id, each in self._about.items()
               if languages is None or str(each.get(self.language_field) or UNDETERMINED) in languages]  # fmt: skip
        if not ids:
            return [[] for _ in questions]
        cosines = asked_old @ unit_matrix(self.old.vectors(ids), "the index").T
        scores = cosines.copy()
        both = list(self._staged)
        if len(both) >= FEWEST:
            asked_new = encode_named(new, questions, names, "query", progress=progress)
            rng = np.random.default_rng(0)
            sample = (
                both if len(both) <= _SAMPLE else [both[row] for row in rng.choice(len(both), _SAMPLE, replace=False)]
            )
            scores = _scaled(cosines, asked_old @ unit_matrix(self.old.vectors(sample), "the index").T)
            places = [row for row, id in enumerate(ids) if id in self._staged]
            if places:
                found = asked_new @ self.rows.vectors([ids[row] for row in places]).T
                cosines[:, places] = found
                scores[:, places] = _scaled(found, asked_new @ self.rows.vectors(sample).T)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return [[self._hit(ids[row], float(scores[number, row]), float(cosines[number, row])) for row in rows]
                for number, rows in enumerate(best.tolist())]  # fmt: skip

    def model_of(self, id: str) -> str:
        """Return which encoder a row is found by: "old" or "new"; KeyError if there is no such row."""
        if id not in self._about:
            raise KeyError(id)
        return "new" if id in self._staged and len(self._staged) >= FEWEST else "old"

    def _hit(self, id: str, score: float, cosine: float) -> SearchHit:
        about = self._about[id]
        rest = {key: value for key, value in about.items() if key not in (self.field, self.language_field)}
        spoken = str(about.get(self.language_field) or UNDETERMINED)
        return SearchHit(id, self._said.get(id, ""), spoken, score, cosine, {**rest, "encoder": self.model_of(id)})

    def _look(self) -> None:
        """Compare both sides: what rows there are, what they say, and which the new encoder has read as they are."""
        ids = list(self.old.ids)
        self._about: Mapping[str, dict[str, Any]] = dict(zip(ids, self.old.get(ids), strict=True))
        self._said = {id: said for id, each in self._about.items() if (said := _said(each, self.field))}
        read = list(self.rows.ids)
        hashes = {id: each.get(_READ) for id, each in zip(read, self.rows.get(read), strict=True)}
        self._staged = {id: None for id, found in hashes.items() if id in self._said and found == _hash(self._said[id])}


def is_stage(folder: str | Path) -> bool:
    """Tell whether `StagedIndex.create` made a folder."""
    if not (Path(folder) / MANIFEST_NAME).is_file():
        return False
    about = read_manifest(Path(folder)).contents.get("attributes")
    return isinstance(about, dict) and isinstance(about.get(_KEY), dict)


def take_back(folder: str | Path) -> str:
    """Remove a stage, and return its index, which is as it was; a kill leaves the stage or none.

    Raises
    ------
    BridgeError
        If it is no stage.
    """
    place = Path(folder)
    for left in place.parent.glob(f"{place.name}{_GONE}*"):  # of a run that was killed
        shutil.rmtree(left)
    if not is_stage(place):
        raise BridgeError(f"{folder} is no stage of `interlingua bridge stage`; nothing is removed")
    with CollectionStore(place) as store:  # nobody is staging
        of = str(store.collection.attributes[_KEY]["of"])
        aside = place.with_name(f"{place.name}{_GONE}{os.getpid()}")
        place.rename(aside)
    shutil.rmtree(aside)
    return of


def _scaled(scores: NDArray[np.float32], sample: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = sample.mean(axis=1, keepdims=True)
    n_top = max(3, round(_TOP * sample.shape[1]))
    top = np.sort(sample, axis=1)[:, -n_top:].mean(axis=1, keepdims=True)
    return np.asarray((scores - mean) / np.maximum(top - mean, 1e-9), np.float32)


def _by_priority(
    ids: Sequence[str], about: Mapping[str, Mapping[str, Any]], first: Sequence[str], newest: str | None
) -> Iterator[str]:
    """Yield those that come first in their order, then the others."""
    waiting = set(ids)
    ahead = [id for id in dict.fromkeys(first) if id in waiting]
    yield from ahead
    rest = [id for id in ids if id not in set(ahead)]
    if newest is not None:
        dated = [id for id in rest if about[id].get(newest) is not None]
        if rest and not dated:
            raise BridgeError(f"no row has the field {newest!r}, by which the newest are to come first; name another")
        kinds = {isinstance(about[id][newest], str) for id in dated}
        if len(kinds) > 1:
            raise BridgeError(f"the field {newest!r} holds numbers in some rows and texts in others; name another")
        dated.sort(key=lambda id: about[id][newest], reverse=True)
        rest = [*dated, *(id for id in rest if about[id].get(newest) is None)]
    yield from rest


def _said(row: Mapping[str, Any], field: str) -> str:
    text = row.get(field)
    return text if isinstance(text, str) and text.strip() else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _place(index: str | Path) -> str:
    if is_address(str(index)):
        return without_password(index)
    place = Place.of(index)
    return str(Path(place.store).resolve()) + (f"#{place.table}" if place.table else "")
