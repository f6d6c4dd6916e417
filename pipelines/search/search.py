"""Cross-lingual search: encode, align, index, search."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, SharedSpace
from interlingua.align.language import nearest_language
from interlingua.index import Collection, MilvusConfig
from interlingua.index.collection.filters import Where
from interlingua.pipelines.encoders.base import Encoder, check_texts, identity_for
from interlingua.pipelines.encoders.load import encode_named, lasting_name, load_encoder
from interlingua.pipelines.stored import (
    EncoderNote,
    encoder_of,
    holds_plain_rows,
    open_plain,
)
from interlingua.pipelines.texts.languages import matching_languages
from interlingua.pipelines.texts.passages import RESERVED, UNDETERMINED, Passage, check_passages

from . import windows as windowed
from .copies import copy_threshold
from .languages import (
    LanguageMethod,
    balanced_search,
    check_languages,
    check_method,
    map_by_language,
    remove_languages,
    shift_to_questions,
)
from .parts import SearchParts, read_search, write_search
from .ranked import CorrectedRows, IndexKind, hubness_of, ranked_collection, sample_languages, typical_hubness
from .rows import AnyCollection, PlainRows, new_in_milvus, rows_of, value_counts
from .windows import as_windows


def encode_passages(encoder: Encoder, passages: Sequence[Passage], *, progress: bool = False) -> NDArray[np.float32]:
    """Return the vectors of passages; an error about a text that the encoder does not know names its passage."""
    names = [f"the passage {each.id!r}" for each in passages]
    texts, languages = [each.text for each in passages], [each.language for each in passages]
    return encode_named(encoder, texts, names, "passage", languages=languages, progress=progress)


Ranking = Literal["csls", "cosine"]


@dataclass(frozen=True)
class SearchHit:
    """A passage that was found.

    Attributes
    ----------
    id, text, language, metadata
        Of the passage.
    score : float
        What hits are ranked by: CSLS, or the cosine where the search ranks by cosine. Higher is better.
    cosine : float
        Cosine of question and passage in the shared space.
    window : (int, int) or None
        First character, and the one behind the last, of the part that was found, where the passage has windows; score
        and cosine are of this part.
    """

    id: str
    text: str
    language: str
    score: float
    cosine: float
    metadata: Mapping[str, Any]
    window: tuple[int, int] | None = None


class CrossLingualSearch:
    """Search passages of many languages with questions of any of them.

    Use `build` or `load`; the constructor takes their parts.

    Parameters
    ----------
    encoder : Encoder
        Makes the vectors.
    space : SharedSpace or None
        Maps the passages' vectors of each language; None leaves them as they are.
    question_space : SharedSpace or None
        The same for questions.
    collection : Collection or MilvusCollection
        Holds the vectors as `CorrectedRows` says; one in Milvus under the metric ``ip`` and with a column more than the
        vectors have, or under ``cosine``, to rank by cosine.
    background : mapping of str to (b, d) array of float32
        For each language a sample of its mapped passages, against which hubness is measured; empty to rank by cosine.
    neighborhood : int
        Neighbours in the means of CSLS.
    encoder_name : str
        What `load_encoder` takes to make the encoder again; empty if nothing does.
    windows : bool
        Whether passages that the encoder cuts have a row for each window, see `build`.
    rows : CorrectedRows, optional
        What ranks the rows of the collection, where that is not as above; see `over`.

    Threads may share a search: they search beside each other, each in the state before or after an `upsert` or
    `remove` of another thread, as in a `Collection`. Texts are encoded before, when nobody waits.
    """

    def __init__(
        self,
        encoder: Encoder,
        space: SharedSpace | None,
        question_space: SharedSpace | None,
        collection: AnyCollection,
        background: Mapping[str, NDArray[np.float32]],
        *,
        neighborhood: int = 10,
        encoder_name: str = "",
        windows: bool = False,
        rows: CorrectedRows | None = None,
    ) -> None:
        self.encoder = encoder
        self.space = space
        self.question_space = question_space
        if rows is None:
            collection.attributes.setdefault("pipeline", "search")  # what `own_vectors` goes by
        self._ranked = rows_of(collection) if rows is None else rows
        if background and isinstance(self._ranked, PlainRows):
            raise ValueError("rows that are ranked by cosine take no background; leave it empty, or use the metric ip")
        self.background = dict(background)
        self.neighborhood = neighborhood
        self.encoder_name = encoder_name
        self.windows = windows

    @classmethod
    def build(
        cls,
        passages: Iterable[Passage],
        encoder: Encoder | None = None,
        *,
        encoder_name: str | Path | None = None,
        space: SharedSpace | LanguageMethod | None = "auto",
        ranking: Ranking = "csls",
        kind: IndexKind = "flat",
        neighborhood: int = 10,
        windows: bool = False,
        milvus: MilvusConfig | Mapping[str, Any] | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> "CrossLingualSearch":
        """Encode passages, align their languages and index them.

        Parameters
        ----------
        passages : iterable of Passage
            With different ids.
        encoder : Encoder, optional
            By default `load_encoder(encoder_name)`, the bundled one.
        encoder_name : str or Path, optional
            What `load_encoder` takes, kept so that `load` can make the encoder again; paths are made absolute. Not
            needed for an encoder of `load_encoder`, which knows it.
        space : SharedSpace, str or None
            How to remove language by the texts themselves: "auto" is mean-covariance for languages with as many texts
            as the vectors have dimensions, if there are two of them, and centring otherwise; with "lsar" and "leace" no
            question needs a language, and with "lir" none can be guessed.

            Or a space learned before, which serves questions too; or None to leave vectors alone. The methods are those
            of `interlingua.align.REMOVAL_METHODS`. Languages with fewer than 10 passages share the mean of the other
            languages' means, and with fewer than 10 passages in all, vectors are left alone. Questions are mapped as
            passages of their language, with their mean moved towards that of questions about anything.
        ranking : {"csls", "cosine"}
            With CSLS a passage that is near to everything in its language is ranked lower.

            The score is 2 cos(q, p) - r(p) - r(q), where r(p) is the mean cosine of p and its nearest `neighborhood`
            passages in its own language, and r(q) that of the question and its nearest passages. Of passages that are
            copies of each other, or nearly so, one counts. Languages with `neighborhood` passages or fewer get the mean
            r of the others; where all are so small, the ranking is by cosine.
        kind : str
            Of the index; "flat" is exact, and `interlingua index recommend` chooses one.

            See `interlingua.index.create_index`; inverted lists find 100 candidates by cosine, which are ranked as
            above.
        neighborhood : int
            Neighbours in the means of CSLS.
        windows : bool
            Search passages whole that are longer than the encoder reads, by windows that overlap.

            The best window counts, and is said in the hit. Such a passage costs a row a window, in time and memory.
        milvus : MilvusConfig or mapping, optional
            Keep the rows in Milvus, in a new collection of that name, instead of in memory; its index type stands
            instead of `kind`.
        seed : int
            Draws the sample against which r is measured, in languages with more than 2,048 passages.
        progress : bool
            Show a bar on standard error.

        Raises
        ------
        ValueError
            If there is no passage, ids repeat, metadata cannot be kept, `space` was learned on another encoder or
            lacks a language, or is a method that there is not or that has too few languages to compare; or if the
            collection in Milvus holds rows.
        """
        given = list(passages)
        if not given:
            raise ValueError("a search needs at least one passage, but none was given")
        if ranking not in ("csls", "cosine"):
            raise ValueError(f"ranking must be csls or cosine, but is {ranking!r}")
        if neighborhood < 1:
            raise ValueError(f"neighborhood must be at least 1, but is {neighborhood}")
        if isinstance(space, str):
            check_method(space)
        check_passages(given)
        encoder = load_encoder(encoder_name) if encoder is None else encoder
        parts, given = as_windows(given, encoder) if windows else (given, given)
        languages = [each.language for each in given]
        if isinstance(space, SharedSpace):
            space.check_encoder(identity_for(encoder, space.encoder))
            check_languages(space, languages)
        raw = encode_passages(encoder, parts, progress=progress)
        question_space = space if isinstance(space, SharedSpace) else None
        if isinstance(space, str):
            space = remove_languages(raw, languages, encoder.identity, space)
            question_space = None if space is None else shift_to_questions(space, encoder)
        vectors = map_by_language(space, raw, languages)
        search = cls(
            encoder,
            space,
            question_space,
            ranked_collection(kind, vectors.shape[1]) if milvus is None else new_in_milvus(milvus, vectors.shape[1]),
            sample_languages(vectors, languages, neighborhood=neighborhood, seed=seed) if ranking == "csls" else {},
            neighborhood=neighborhood,
            encoder_name=lasting_name(encoder_name, encoder),
            windows=windows,
        )
        search._put(given, vectors)
        return search

    @classmethod
    def over(
        cls,
        collection: AnyCollection,
        encoder: Encoder,
        *,
        encoder_name: str = "",
        text_field: str = "text",
        language_field: str = "language",
    ) -> "CrossLingualSearch":
        """Search vectors that are there already, as they are: of another program, in memory or in Milvus.

        Rows are ranked by the collection's own metric. No language is removed, since that would change the vectors; a
        new search of the texts does that.

        Parameters
        ----------
        collection : Collection or MilvusCollection
            Of vectors that `encoder` has made.
        encoder : Encoder
        encoder_name : str
            As for the class.
        text_field, language_field : str
            The metadata that hold a row's text and language; a row without them has "" and "und".

        Raises
        ------
        ValueError
            If the encoder's vectors are of another dimension.

        Examples
        --------
        ::

            theirs = Collection.from_parquet("theirs.parquet", vector="embedding")
            CrossLingualSearch.over(theirs, load_encoder("their/model"), text_field="body").search(["hello"])
        """
        if collection.dimension != encoder.dimension:
            raise ValueError(
                f"the collection holds vectors of dimension {collection.dimension}, but the encoder "
                f"{encoder.identity!r} gives {encoder.dimension}; name the encoder that made them"
            )
        rows = PlainRows(collection, text=text_field, language=language_field)
        name = encoder_name or lasting_name(None, encoder)
        return cls(encoder, None, None, collection, {}, encoder_name=name, rows=rows)

    @property
    def collection(self) -> Collection:
        """The collection beneath, of ours or in Milvus; read it, but change it through the search."""
        return self._ranked.collection

    @property
    def ranking(self) -> Ranking:
        """What hits are ranked by."""
        return "csls" if self.background else "cosine"

    @property
    def languages(self) -> dict[str, int]:
        """Number of passages in each language, most first."""
        counts = Counter(value_counts(self.collection, self._language_field))
        if self.windows:
            counts.subtract(value_counts(self.collection, windowed.LANGUAGE))
        return dict(counts.most_common())

    @property
    def _language_field(self) -> str:
        return self._ranked.fields[1] if isinstance(self._ranked, PlainRows) else "language"

    def __len__(self) -> int:
        further = sum(value_counts(self.collection, windowed.LANGUAGE).values()) if self.windows else 0
        return len(self.collection) - further

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the mapped vectors of passages, (n, d), of unit length; `KeyError` if an id is unknown."""
        return self._ranked.vectors(ids)

    def upsert(self, passages: Iterable[Passage], *, progress: bool = False) -> None:
        """Add passages, each in place of the one with the same id if there is one.

        They are mapped by the space and measured against the background of `build`; a language that the space does not
        know is mapped as "und", and one without a background gets the mean r of the others, which neither raises nor
        lowers it. Build anew when the collection has become another one.

        Raises
        ------
        ValueError
            As in `build`; nothing has changed then.
        """
        given = list(passages)
        if not given:
            return
        check_passages(given)
        if self.space is not None:
            check_languages(self.space, [each.language for each in given])
        outdated = (
            set(windowed.further_windows(self.collection, [each.id for each in given])) if self.windows else set()
        )
        parts, given = as_windows(given, self.encoder) if self.windows else (given, given)
        raw = encode_passages(self.encoder, parts, progress=progress)
        self._put(given, map_by_language(self.space, raw, [each.language for each in given]))
        if outdated := outdated - {each.id for each in given}:
            self._ranked.remove(sorted(outdated))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove passages by id; `KeyError` if one is not there, and then nothing is removed."""
        listed = [ids] if isinstance(ids, str) else list(ids)
        further = windowed.further_windows(self.collection, listed) if self.windows else []
        self._ranked.remove([*listed, *further])

    def search(
        self,
        questions: Sequence[str],
        k: int = 10,
        *,
        language: str | None = None,
        languages: Iterable[str] | None = None,
        where: Where | None = None,
        balance: bool = False,
    ) -> list[list[SearchHit]]:
        """Return the best passages for each question.

        Parameters
        ----------
        questions : sequence of str
            In any language.
        k : int
            Hits a question, at most.
        language : str, optional
            The questions' language; guessed for each by the nearest language mean if not given.
        languages : iterable of str, optional
            Only passages of these languages; fr finds fr-FR too, see `interlingua.pipelines.texts.languages`.
        where : mapping or filter, optional
            Only passages with this metadata, see `Collection.search`; `interlingua.index.parse_filter` reads a
            written one.
        balance : bool
            Bring the best passages of all languages level, where all hold the answer.

            The score is less the mean of the question's three best in the passage's language, copies counted once. For
            collections whose languages say the same, such as translated manuals; where only one language holds the
            answer, the best of the others would be raised to it.

        Returns
        -------
        list of list of SearchHit
            One list a question, best first.

        Raises
        ------
        ValueError
            If there is no passage in any of `languages`; the text names those that there are.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        vectors, _ = self.map_questions(questions, language)
        return self.search_vectors(vectors, k, languages=languages, where=where, balance=balance)

    def map_questions(
        self, questions: Sequence[str], language: str | None = None
    ) -> tuple[NDArray[np.float32], list[str]]:
        """Return the mapped vectors (n, d) of questions, and the language of each: `language`, or a guess."""
        questions = check_texts(questions)
        raw = encode_named(self.encoder, questions, ["the question"] * len(questions), "query")
        asked_in = self.guess_languages(raw) if language is None else [language] * len(raw)
        return map_by_language(self.question_space, raw, asked_in), asked_in

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        k: int = 10,
        *,
        languages: Iterable[str] | None = None,
        where: Where | None = None,
        balance: bool = False,
    ) -> list[list[SearchHit]]:
        """Return the best passages for each of the vectors (n, d) of `map_questions`; the rest as `search`."""
        with self._ranked.reading():
            if not len(vectors) or not len(self.collection):
                return [[] for _ in vectors]
            chosen = None if languages is None else matching_languages(languages, list(self.languages))
            wide = k
            while True:
                answers = self._found(vectors, wide, chosen, where, balance)
                if not self.windows:
                    return answers
                whole = [self._best_windows(hits, k) for hits in answers]
                if all(len(best) == k or len(hits) < wide for best, hits in zip(whole, answers)):
                    return whole
                wide *= 4  # several windows of one passage have taken the place of others

    def _found(
        self,
        vectors: NDArray[np.float32],
        k: int,
        chosen: list[str] | None,
        where: Where | None,
        balance: bool,
    ) -> list[list[SearchHit]]:
        offsets = np.zeros(len(vectors), np.float32)
        if balance:
            spoken = list(self.languages) if chosen is None else chosen
            near = self.copy_thresholds
            found = balanced_search(self._ranked, vectors, k, languages=spoken, where=where, thresholds=near)
        else:
            if self.ranking == "csls":
                counted = self.neighborhood, self.copy_thresholds
                plain, offsets = self._ranked.search_with_nearness(vectors, k, *counted, where=where, languages=chosen)
            else:
                plain = self._ranked.search(vectors, k, where=where, languages=chosen)
            found = [[(hit, hit.score) for hit in plain[number]] for number in range(len(vectors))]
        answers = []
        rows = self._ranked.vectors_of([[hit.id for hit, _ in hits] for hits in found])
        for number, hits in enumerate(found):
            cosines, scores = (rows[number] @ vectors[number]).clip(-1, 1), [each - offsets[number] for _, each in hits]
            if self.ranking == "cosine":
                twice = 1 if isinstance(self._ranked, PlainRows) else 2  # others are ranked by 2 p · q
                scores = [score / twice for score in scores] if balance else [float(cosine) for cosine in cosines]
            answers.append(
                [self._hit(hit.id, hit.metadata, *both) for (hit, _), *both in zip(hits, scores, cosines, strict=True)]
            )
        return answers

    def _hit(self, id: str, metadata: dict[str, Any], score: float, cosine: float) -> SearchHit:
        text, language = self._ranked.fields if isinstance(self._ranked, PlainRows) else RESERVED
        rest = dict(metadata)
        said = str(rest.pop(text, "")), str(rest.pop(language, UNDETERMINED))
        hit = SearchHit(id, *said, float(score), float(cosine), rest)
        if not self.windows:
            return hit
        rest = {key: value for key, value in rest.items() if key not in windowed.FIELDS}
        return replace(hit, id=windowed.passage_of(id, metadata), metadata=rest, window=windowed.span_of(metadata))

    def _best_windows(self, hits: Sequence[SearchHit], k: int) -> list[SearchHit]:
        """Return the best window of each passage as a hit, with the whole text."""
        best: dict[str, SearchHit] = {}
        for hit in hits:
            best.setdefault(hit.id, hit)
        kept = list(best.values())[:k]
        partial = [hit.id for hit in kept if hit.window is not None and hit.window[0] > 0]
        whole = dict(zip(partial, (str(row["text"]) for row in self.collection.get(partial))))
        return [replace(hit, text=whole.get(hit.id, hit.text)) for hit in kept]

    def guess_languages(self, raw: NDArray[np.float32]) -> list[str]:
        """Return the language of each vector as the encoder gave it: that of the nearest mean, or "und"."""
        if self.space is None or len(raw) == 0:
            return [UNDETERMINED] * len(raw)
        known = [name for name in self.space.languages if name not in (UNDETERMINED, ANY_LANGUAGE)]
        return nearest_language(self.space, raw, among=known) if known else [UNDETERMINED] * len(raw)

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder, whole or not at all; see `interlingua.pipelines.stored`.

        Rows that Milvus keeps stay there, and the folder says where.
        """
        if isinstance(self._ranked, PlainRows):
            self.collection.attributes |= {"encoder": self.encoder.identity, "encoder_name": self.encoder_name}
            self.collection.save(folder)
            return
        with self.collection.lock.keeping if isinstance(self.collection, Collection) else nullcontext():
            write_search(folder, self.parts, EncoderNote.of(self.encoder, self.encoder_name))

    @property
    def parts(self) -> SearchParts:
        """What `write_search` writes."""
        named = self.background, self.neighborhood, self._ranked.attachments()
        return SearchParts(self.collection, self.space, self.question_space, *named, windows=self.windows)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        device: str = "auto",
        cache: bool = True,
        mapped: bool = False,
        text_field: str = "text",
        language_field: str = "language",
    ) -> "CrossLingualSearch":
        """Read what `save` wrote, or a collection of another program's vectors, see `over`.

        Parameters
        ----------
        folder : str or Path
            The folder.
        encoder : Encoder, str or Path, optional
            The encoder, or its name for `load_encoder`; by default the one that the folder names.
        device : str
            For an encoder that is loaded by name.
        cache : bool
            Likewise.
        mapped : bool
            Leave the vectors on the disk: less memory, shared by processes; such a search can only be read, see
            `Collection.load`.
        text_field : str
            Of another program's vectors, the metadata that hold a row's text.
        language_field : str
            Likewise its language.

        Raises
        ------
        ValueError
            If the folder is no saved search, is damaged, or its vectors come from another encoder; or if nothing names
            the encoder of another program's vectors.
        FileNotFoundError
            If the folder, or the file of the encoder, is not there.
        """
        if holds_plain_rows(folder):
            note, rows = open_plain(folder, mapped=mapped)
            no_search = f"{folder} holds no search; `interlingua index build` writes one"
            if encoder is None and not note.name:
                raise ValueError(
                    f"{no_search}. To search its vectors as they are, name the encoder that made them: --encoder NAME "
                    "(in Python encoder=): a sentence-transformers model or its folder, a file of word vectors, bundled"
                )
            if note.identity or encoder is None:
                made, name = encoder_of(folder, note, encoder, device=device, cache=cache)
            else:
                made = load_encoder(encoder, device=device, cache=cache) if isinstance(encoder, str | Path) else encoder
                name = lasting_name(None, made)
            if rows.dimension != made.dimension:
                raise ValueError(
                    f"{no_search}. Its vectors have dimension {rows.dimension}, but those of {made.identity!r} have "
                    f"{made.dimension}; to search them as they are, name the encoder that made them"
                )
            return cls.over(rows, made, encoder_name=name, text_field=text_field, language_field=language_field)
        parts, held = read_search(folder, mapped=mapped)
        return cls.of_parts(parts, *encoder_of(folder, held.encoder, encoder, device=device, cache=cache))

    @classmethod
    def of_parts(cls, parts: SearchParts, encoder: Encoder, encoder_name: str) -> "CrossLingualSearch":
        """Return the search of parts that `read_search` read."""
        collection, space, question_space = parts.collection, parts.space, parts.question_space
        named: dict[str, Any] = {"neighborhood": parts.neighborhood, "encoder_name": encoder_name}
        named["windows"] = parts.windows
        made = cls(encoder, space, question_space, collection, parts.background, **named)
        made._ranked.restore_means((), made._hubness_again)
        return made

    @cached_property
    def _typical_hubness(self) -> float:
        return typical_hubness(self.background, self.neighborhood)

    @cached_property
    def copy_thresholds(self) -> dict[str, float]:
        """For each language of the background, the cosine from which two passages count as copies."""
        return {language: copy_threshold(rows) for language, rows in self.background.items()}

    def _put(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        hubness = self._hubness(vectors, [each.language for each in passages])
        rows = [{**each.metadata, "text": each.text, "language": each.language} for each in passages]
        self._ranked.put([each.id for each in passages], vectors, hubness, rows, replace=True)

    def _hubness_again(self, vectors: NDArray[np.float32], ids: Sequence[str]) -> NDArray[np.float32]:
        return self._hubness(vectors, [row["language"] for row in self.collection.get(ids)])

    def _hubness(self, vectors: NDArray[np.float32], languages: Sequence[str]) -> NDArray[np.float32]:
        known = self.background, self.neighborhood, lambda: self._typical_hubness, self.copy_thresholds
        return hubness_of(vectors, languages, *known)
