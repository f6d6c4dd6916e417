"""Entities by their names in any language: index them, and link mentions to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection, CollectionStore
from interlingua.index.threads import SharedLock
from interlingua.pipelines.encoders.base import UnknownTextError, check_texts
from interlingua.pipelines.encoders.load import encode_named, lasting_name, load_encoder
from interlingua.pipelines.stored import EncoderNote, encoder_of, load_collection, save_collection
from interlingua.pipelines.texts.lines import json_lines, lines_of

from .entity import ACCEPTED, CONTEXT, Entity, check_entities, entity_from_json, name_rows
from .model import FEATURES, LinkModel, calibrated, default_model, feature_rows
from .names import NameTable, centred, centred_by_script, folded_name
from .scripts import ScriptOffsets
from .state import LinkState

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder

# texts that say nothing: a context counts as far as it is nearer to a description than they are to any
_NOTHING = ("row 12", "n/a", "page 3 of 40", "unknown", "no. 7", "see below", "id 10482", "test", "to be checked later",
            "the", "2023-05-11", "column B, line 31", "various", "o. A.", "нет", "第3行", "سطر ٤")  # fmt: skip
_NOISE = 0.998  # of the descriptions' cosines with these texts
_NOISE_SAMPLE = 4096
_THRESHOLD = 0.35
_TIED = 0.95  # of the first's probability: a second that has it is a namesake that nothing tells apart
_ENTITIES, _NAMES, _MODEL = "entities.jsonl", "names.npz", "model"
_SHOWN = ("name", "spelling", "letters", "context", "type", "language")  # of the features


@dataclass(frozen=True)
class Candidate:
    """An entity that a mention may mean.

    Attributes
    ----------
    entity : Entity
    score : float
        What candidates are ranked by: the log-odds of this one against none of them.
    probability : float
        That the mention means it; those of all candidates and of none of them add up to 1.
    features : mapping of str to float
        "name" (cosine of the nearest name, hubs corrected), "spelling" and "letters" (0 to 1), "context" (by how much
        the cosine of context and description is above that of texts that say nothing), "type" and "language" (1 or 0).
    """

    entity: Entity
    score: float
    probability: float
    features: Mapping[str, float]


class EntityIndex:
    """Finds the entities that mentions in any language mean.

    Use `build`, `from_table`, `from_wikidata` or `load`; the constructor takes their parts. A mention means no entity
    (NIL) where `links` says so: where its first candidate has a probability below `threshold`, or another has the same.

    Threads may share an index: `link` answers from the state before or after an `accept`, and those come one after the
    other.

    Parameters
    ----------
    entities : sequence of Entity
    encoder : Encoder
    collection : Collection
        Vectors of names and descriptions, as `build` makes them.
    model : LinkModel
    encoder_name : str
        What `load_encoder` takes to make the encoder again.
    packed : bytes, optional
        What was computed of the names before, see `NameTable.packed`.
    """

    def __init__(
        self,
        entities: Sequence[Entity],
        encoder: Encoder,
        collection: Collection,
        *,
        model: LinkModel,
        encoder_name: str = "",
        threshold: float = _THRESHOLD,
        folder: Path | None = None,
        packed: bytes | None = None,
    ) -> None:
        self._changes = SharedLock()  # one `accept` after the other
        self.encoder = encoder
        self.collection = collection
        self.model = model
        self.encoder_name = encoder_name
        self.threshold = threshold
        self._folder = folder
        self._offsets = ScriptOffsets(encoder)
        self._silent: NDArray[np.float32] | None = None  # vectors of what says nothing
        self._state = LinkState.of({each.id: each for each in entities}, collection, packed)
        self._seen = collection.state  # the rows that the state has

    @classmethod
    def build(
        cls,
        entities: Iterable[Entity],
        encoder: Encoder | None = None,
        *,
        encoder_name: str | Path | None = None,
        calibrate: bool = True,
        progress: bool = False,
    ) -> EntityIndex:
        """Encode the names of entities and index them.

        Parameters
        ----------
        entities : iterable of Entity
            With different ids, each with a name.
        encoder : Encoder, optional
            By default `load_encoder(encoder_name)`, the bundled one.
        encoder_name : str or Path, optional
            Kept so that `load` can make the encoder again.
        calibrate : bool
            Fit the probabilities to this index where entities have names in several languages: each of up to 1,000
            names is looked up as if its language were not there, once with its entity's other names and once without.
        progress : bool
            Show a bar on standard error.

        Raises
        ------
        ValueError
            If there is no entity, an id repeats, or one has no name.
        """
        given = list(entities)
        check_entities(given)
        encoder = load_encoder(encoder_name) if encoder is None else encoder
        rows = [row for each in given for row in name_rows(each)]
        texts = list(dict.fromkeys(text for text, _ in rows))
        vectors = encode_named(encoder, texts, [f"the name {text!r}" for text in texts], "symmetric", progress=progress)
        places = {text: row for row, text in enumerate(texts)}
        collection = Collection.create(encoder.dimension)
        collection.add(
            [f"{about['entity']} {'' if about['kind'] == CONTEXT else folded_name(text)}" for text, about in rows],
            vectors[[places[text] for text, _ in rows]],
            [about for _, about in rows],
        )
        name = lasting_name(encoder_name, encoder)
        index = cls(given, encoder, collection, model=default_model(), encoder_name=name)
        if calibrate:
            index.model = calibrated(index.model, index.table)
        return index

    @classmethod
    def from_table(cls, path: str | Path, *, encoder: Encoder | None = None, **options: Any) -> EntityIndex:
        """Index a CSV or TSV table, see `read_entity_table`; `columns` goes there, other options to `build`."""
        from .sources import read_entity_table

        columns = options.pop("columns", None)
        return cls.build(read_entity_table(path, columns=columns), encoder, **options)

    @classmethod
    def from_wikidata(cls, path: str | Path, *, encoder: Encoder | None = None, **options: Any) -> EntityIndex:
        """Index a Wikidata dump, see `read_wikidata`; `languages`, `types`, `limit` go there, others to `build`."""
        from .sources import read_wikidata

        chosen = {name: options.pop(name) for name in ("languages", "types", "limit") if name in options}
        return cls.build(read_wikidata(path, **chosen), encoder, **options)

    @property
    def entities(self) -> tuple[Entity, ...]:
        """All entities, in the order of building, with their accepted names among the aliases."""
        return tuple(self._state.entities.values())

    @property
    def table(self) -> NameTable:
        """The names, as they are compared with mentions."""
        return self._state.table

    def __len__(self) -> int:
        return len(self._state.entities)

    def get(self, id: str) -> Entity:
        """Return the entity of that id; `KeyError` if there is none."""
        entities = self._state.entities
        if id not in entities:
            raise KeyError(f"no entity has the id {id!r}")
        return entities[id]

    def types(self) -> dict[str, int]:
        """Return the types with the number of their entities, most first."""
        return dict(Counter(kind for each in self.entities for kind in dict.fromkeys(each.types)).most_common())

    def suggest(self, prefix: str, k: int = 10, types: Sequence[str] | None = None) -> list[Entity]:
        """Return entities with a name that begins so, or has a word that does, those with the shortest name first."""
        start, state, wanted = folded_name(prefix), self._state, None if types is None else set(types)
        found: list[tuple[tuple[bool, int], int, str]] = []
        for id, names in state.folded.items() if start else ():
            ranks = [(not name.startswith(start, 1), len(name)) for name in names if f" {start}" in name]
            if ranks and (wanted is None or wanted & set(state.entities[id].types)):
                found.append((min(ranks), len(found), id))
        return [state.entities[id] for _, _, id in sorted(found)[:k]]

    def link(
        self,
        mentions: Sequence[str],
        *,
        contexts: Sequence[str | None] | None = None,
        language: str | Sequence[str | None] | None = None,
        types: Sequence[str] | None = None,
        k: int = 1,
        unknown: float | None = None,
    ) -> list[list[Candidate]]:
        """Return the candidates of each mention, most probable first; none where the encoder knows nothing in it.

        Mentions asked together tell more than each alone: names of one script are centred, and see `unknown`.

        Parameters
        ----------
        mentions : sequence of str
            Names, in any language and script.
        contexts : sequence of str, optional
            For each mention a sentence around it, or "".
        language : str or sequence of str, optional
            Of the mentions, or of each, as the entities' names call it; favours names in it.
        types : sequence of str, optional
            Only entities of one of these types.
        k : int
            Candidates a mention, at most.
        unknown : float, from 0 to 1, optional
            Which share of the mentions means no entity; by default a fifth, or less where these mentions say so.

        Raises
        ------
        ValueError
            If contexts are not as many as mentions, k < 1, or `unknown` is no share.
        """
        texts = check_texts(mentions)
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        around = [""] * len(texts) if contexts is None else [each or "" for each in contexts]
        if len(around) != len(texts):
            raise ValueError(f"each mention has one context, but there are {len(texts)} mentions and {len(around)}")
        spoken = [language] * len(texts) if language is None or isinstance(language, str) else list(language)
        if len(spoken) != len(texts):
            raise ValueError(f"each mention has one language, but there are {len(texts)} mentions and {len(spoken)}")
        answers: list[list[Candidate]] = [[] for _ in texts]
        asked = [row for row, text in enumerate(texts) if text.strip()]
        state = self._state
        entities = tuple(state.entities.values())
        told = [texts[row] for row in asked], [around[row] for row in asked], [spoken[row] for row in asked]
        found = list(self._features(state, *told, types))
        if unknown is None:
            model = self.model.with_unknown_of([features for _, _, features in found])
        else:
            model = self.model.with_unknown(unknown)
        for row, owners, features in found:
            probabilities = model.probability(features)
            none = max(1.0 - float(probabilities.sum()), 1e-12)
            allowed = features[:, len(FEATURES)] > 0
            for place in np.argsort(np.where(allowed, -probabilities, 1.0), kind="stable")[
                : min(k, int(allowed.sum()))
            ]:
                values = dict(zip(FEATURES, features[place].tolist(), strict=False))
                answers[asked[row]].append(
                    Candidate(
                        entities[int(owners[place])],
                        float(np.log(max(float(probabilities[place]), 1e-12) / none)),
                        float(probabilities[place]),
                        {name: values.get(name, float(bool(types))) for name in _SHOWN},
                    )
                )
        return answers

    def links(self, candidates: Sequence[Candidate], threshold: float | None = None) -> bool:
        """Tell whether a mention with these candidates, of `link` with k > 1, means the first, or nothing (NIL).

        Parameters
        ----------
        candidates : sequence of Candidate
            Most probable first.
        threshold : float, optional
            By default that of the index.
        """
        least = self.threshold if threshold is None else threshold
        if not candidates or candidates[0].probability < least:
            return False
        return len(candidates) < 2 or candidates[1].probability < _TIED * candidates[0].probability

    def calibrate(
        self,
        mentions: Sequence[str],
        ids: Sequence[str | None],
        *,
        contexts: Sequence[str | None] | None = None,
        language: str | None = None,
    ) -> None:
        """Fit the probabilities to mentions with known entities; None where a mention means none of them.

        Raises
        ------
        ValueError
            With fewer than 20 mentions, or not as many ids.
        KeyError
            If an id is not in the index.
        """
        texts = check_texts(mentions)
        if len(texts) != len(ids) or len(texts) < 20:
            raise ValueError(f"calibration needs 20 mentions and as many ids, but has {len(texts)} and {len(ids)}")
        state = self._state
        wanted = [None if id is None else state.places[self.get(id).id] for id in ids]
        around = [""] * len(texts) if contexts is None else [each or "" for each in contexts]
        groups, right = [], []
        for row, owners, features in self._features(state, texts, around, [language] * len(texts), None):
            hit = np.flatnonzero(owners == -1 if wanted[row] is None else owners == wanted[row])
            groups.append(features)
            right.append(int(hit[0]) if len(hit) else None)
        self.model = self.model.fitted(groups, right)

    def accept(self, mention: str, id: str) -> None:
        """Make a mention one of the names of an entity.

        An index that was saved or loaded has it on disk when this returns.

        Raises
        ------
        KeyError
            If there is no such entity.
        ValueError
            If the mention is empty.
        LockedError
            If another process writes into the folder, or has saved another index there.
        """
        with self._changes.writing:
            self._accept(mention, id)

    def _accept(self, mention: str, id: str) -> None:
        entity = self.get(id)
        (text,) = check_texts([mention])
        if not text.strip():
            raise ValueError("a name must hold more than spaces")
        if folded_name(text) in {folded_name(name) for name in (*entity.names.values(), *entity.aliases)}:
            return
        about = {"entity": id, "kind": ACCEPTED, "text": text, "language": ""}
        vector = self.encoder.encode([text])
        row = [f"{id} {folded_name(text)}"]
        if self._folder is None:
            self.collection.upsert(row, vector, [about])
        else:  # with what others have accepted
            with CollectionStore(self._folder, collection=self.collection) as store:
                store.upsert(row, vector, [about])
        (before, held), numbers = self._seen, self.collection.numbers
        new = self.collection.ids[int(np.searchsorted(numbers, before)) :]
        rows = self.collection.get(new)
        if held + len(new) == len(numbers) and all(each["kind"] == ACCEPTED for each in rows):
            self._state = self._state.accepting(rows, self.collection.vectors(new))
        else:
            self._state = LinkState.of(self._state.entities, self.collection)
        self._seen = self.collection.state

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder, whole or not at all; see `interlingua.pipelines.stored`."""
        with self._changes.writing:
            lines = [json.dumps(asdict(each), ensure_ascii=False) for each in self.entities]
            save_collection(
                folder,
                "entities",
                self.collection,
                EncoderNote.of(self.encoder, self.encoder_name),
                about={"threshold": self.threshold, _MODEL: self.model.to_json()},
                files={_ENTITIES: "\n".join(lines).encode(), _NAMES: self.table.packed()},
            )
            self._folder = Path(folder)

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder | str | Path | None = None) -> EntityIndex:
        """Read what `save` wrote, with what was accepted since; the encoder is by default that which the folder names.

        Raises
        ------
        ValueError
            If the folder is no saved index of entities, is damaged, or its vectors come from another encoder.
        FileNotFoundError
            If the folder, or the file of the encoder, is not there.
        """
        collection, held = load_collection(folder, "entities")
        encoder, encoder_name = encoder_of(folder, held.encoder, encoder)
        name = str(Path(folder, _ENTITIES))
        return cls(
            [entity_from_json(value) for _, value in json_lines(lines_of(held.files[_ENTITIES], name), name)],
            encoder,
            collection,
            model=LinkModel.from_json(held.about[_MODEL]),
            encoder_name=encoder_name,
            threshold=held.about["threshold"],
            folder=Path(folder),
            packed=held.files.get(_NAMES),
        )

    @classmethod
    def read(
        cls,
        path: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        columns: Mapping[str, str] | None = None,
    ) -> EntityIndex:
        """Return the index that a folder of `save` holds, or that of a table, see `from_table`.

        The encoder is by default that of the folder, and the bundled one for a table; `columns` are of a table.
        """
        if Path(path).is_dir():
            return cls.load(path, encoder)
        made = load_encoder(encoder) if isinstance(encoder, str | Path) else encoder
        return cls.from_table(path, encoder=made, columns=columns)

    def _features(
        self,
        state: LinkState,
        mentions: list[str],
        contexts: list[str],
        languages: list[str | None],
        types: Sequence[str] | None,
    ) -> Iterable[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the candidates of each mention that the encoder knows."""
        wanted = set(types or ())
        allowed = None if not types else np.array([bool(wanted & set(each.types)) for each in state.entities.values()])
        known, vectors = _encoded(self.encoder, mentions)
        around, least = self._around(state, {row: contexts[row] for row in known if contexts[row].strip()})
        texts, spoken = [mentions[row] for row in known], [languages[row] for row in known]
        nearest = []
        if known:
            nearest = state.table.near(texts, vectors, languages=spoken, allowed=allowed, offsets=self._offsets)
        for row, near in zip(known, nearest):
            context = None
            if row in around:
                about = state.contexts[near.owners]
                context = np.maximum(centred(about, state.context_mean) @ around[row] - least, 0.0)
                context[~about.any(axis=1)] = 0.0
            yield row, near.owners, feature_rows(near, context)

    def _around(self, state: LinkState, contexts: dict[int, str]) -> tuple[dict[int, NDArray[np.float32]], float]:
        """Return the vectors of contexts, by their row, and how near to a description texts are that say nothing."""
        described = np.flatnonzero(state.contexts.any(axis=1))
        rows, texts = list(contexts), list(contexts.values())
        known, vectors = _encoded(self.encoder, texts)
        if not known or not len(described):
            return {}, 0.0
        if self._silent is None:
            self._silent = _encoded(self.encoder, list(_NOTHING))[1]
        some = state.contexts[described[:: max(1, len(described) // _NOISE_SAMPLE)]]
        noise = centred(some, state.context_mean) @ centred(self._silent, state.context_mean).T
        least = float(np.quantile(noise, _NOISE)) if noise.size else 0.0
        moved = centred_by_script([texts[place] for place in known], vectors, state.context_mean)
        return dict(zip((rows[place] for place in known), moved)), least


def _encoded(encoder: Encoder, texts: list[str]) -> tuple[list[int], NDArray[np.float32]]:
    """Return which of the texts the encoder knows something in, and the vectors of these."""
    try:
        return list(range(len(texts))), encoder.encode(texts) if texts else np.zeros((0, encoder.dimension), np.float32)
    except UnknownTextError:  # word vectors: then one by one, to tell which
        known, vectors = [], [np.zeros((0, encoder.dimension), np.float32)]
        for row, text in enumerate(texts):
            try:
                vectors.append(encoder.encode([text]))
                known.append(row)
            except UnknownTextError:
                continue
        return known, np.concatenate(vectors)
