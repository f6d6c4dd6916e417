"""Cross-lingual search: encode, align, index, search."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, SharedSpace
from interlingua.align.language import nearest_language
from interlingua.index import Collection, MilvusConfig
from interlingua.index.collection.filters import Where
from interlingua.pipelines.encoders.base import Encoder, check_texts
from interlingua.pipelines.encoders.load import encode_named, lasting_name, load_encoder
from interlingua.pipelines.stored import EncoderNote, encoder_of
from interlingua.pipelines.texts.languages import matching_languages
from interlingua.pipelines.texts.passages import UNDETERMINED, Passage, check_passages

from . import windows as windowed
from .encoded import encode_passages
from .finding import Finder, SearchHit, check_asked
from .foreign import is_foreign, open_foreign
from .judged import relevance_of, with_probabilities
from .languages import (
    LanguageMethod,
    check_given,
    check_languages,
    check_method,
    map_by_language,
    remove_languages,
    shift_to_questions,
)
from .lexical.fusion import Hybrid, check_hybrid
from .lexical.index import LexicalIndex, words_for
from .lexical.lexicon import WordLexicon
from .parts import SearchParts, read_search, write_search
from .preference import Preference, own_language_bonus
from .questions import centre_on_questions, space_for
from .ranked import CorrectedRows, IndexKind, hubness_of, ranked_collection, sample_languages, typical_hubness
from .relevance import RIVALS, Relevance
from .reranking import RERANKED, reranked, reranker_of
from .rows import AnyCollection, PlainRows, new_in_milvus, rows_of, value_counts
from .windows import as_windows

Ranking = Literal["csls", "cosine"]


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
    words : LexicalIndex, optional
        Of the collection's texts, so that they are found by words as well.

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
        words: LexicalIndex | None = None,
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
        self.words = words
        self._finder = Finder(self._ranked, space, self.background, neighborhood, windows)

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
        lexical: bool = True,
        lexicon: WordLexicon | Sequence[Mapping[str, str]] | None = None,
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
        lexical : bool
            Index the words of the passages beside their vectors, so that names, numbers and terms are found as they
            stand in the question.

            It takes about as much memory and disk as the vectors of short passages. Not for rows in Milvus.
        lexicon : WordLexicon or sequence of mapping of str to str, optional
            Texts that say the same, language -> text, such as titles: the question's words are translated by them.
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
            lacks a language, or is a method that there is not or that has too few languages to compare; if the
            collection in Milvus holds rows; or if a lexicon is given where no words are indexed, or teaches nothing.
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
        words = words_for(lexical, lexicon, milvus)
        encoder = load_encoder(encoder_name) if encoder is None else encoder
        parts, given = as_windows(given, encoder) if windows else (given, given)
        languages = [each.language for each in given]
        if isinstance(space, SharedSpace):
            check_given(space, encoder, languages)
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
            words=words,
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

        Rows are ranked by the collection's own metric. No language is removed; a new search of the texts does that.

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
        return self._finder.counts()

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
        prefer: Preference | float | None = None,
        least: float | None = None,
        hybrid: Hybrid = "auto",
        rerank: bool | str = False,
    ) -> list[list[SearchHit]]:
        """Return the best passages for each question.

        Where 30 or more different questions are asked at once, their own centre is learned, as `learn_questions` does
        for later ones; what is found for a question may then depend on those beside it.

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
            answer, the best of the others would be raised to it. No language is preferred then.
        prefer : {"own", "balanced", "blind"} or float, optional
            From 0, own: passages in the question's language come first, to 1, blind: its language does not count.

            Their score gets 0.6 (1 - p) / p standard deviations of the question's scores more; see
            `interlingua.pipelines.search.rerank_languages`. Nothing is preferred for a question of unknown language. By
            default 0.5, balanced, where languages were removed and there are 100 passages; otherwise passages are
            ranked as they are, and languages are first brought level if this is given.
        hybrid : {"auto", "off", "on"}
            Whether words count beside vectors: where they are indexed, never, or else it is an error.

            A passage gets 0.2 deviations of the question's scores for each deviation that its words lie above the
            others of its language (0.3 with a lexicon), see `interlingua.pipelines.search.lexical`; not with `balance`.
        least : float, optional
            Find nothing where the probability that the collection is about what was asked is lower; 0 refuses nothing.

            Hits then tell the probability that they answer, see `interlingua.pipelines.search.relevance`; one meaning
            in collections of any size and language. Where the encoder knows too few texts to tell, as word vectors may,
            nothing is refused.
        rerank : bool or str
            Rank the best 50 anew: by the vectors of their tokens, or by the cross-encoder of this name.

            Takes as long as encoding 50 passages; see `interlingua.pipelines.search.reranking`.

        Returns
        -------
        list of list of SearchHit
            One list a question, best first.

        Raises
        ------
        ValueError
            If there is no passage in any of `languages`; the text names those that there are. If `prefer` is none of
            the above, or stands beside `balance`. If `least` is no probability, or `hybrid` is "on" and no words are
            indexed.
        """
        check_asked(k, least)
        raw, asked_in = self._encoded(questions, language)
        vectors = map_by_language(space_for(self.question_space, raw, asked_in), raw, asked_in)
        chosen = None if languages is None else matching_languages(languages, list(self.languages))
        given: dict[str, Any] = {"languages": chosen, "where": where, "balance": balance, "prefer": prefer}
        with self.reading():  # subtle: what was found must still be there when it is judged
            wide = max(k, RERANKED if rerank else 1, RIVALS if least is not None else 1)
            found = self.search_vectors(vectors, wide, asked_in=asked_in, texts=questions, hybrid=hybrid, **given)
            if rerank:
                found = reranked(reranker_of(rerank, self), questions, asked_in, found)
            if least is None or not len(self.collection):
                return [hits[:k] for hits in found]
            n = self._finder.searched(where, chosen)
            return [with_probabilities(self, *each, n, least)[:k] for each in zip(raw, found, asked_in, strict=True)]

    def reading(self) -> AbstractContextManager[Any]:
        """Hold the passages in one state, for several calls that belong together."""
        return self._ranked.reading()

    @cached_property
    def relevance(self) -> Relevance | None:
        """What tells probabilities; None where the encoder knows too few texts about anything."""
        return relevance_of(self.encoder)

    def _encoded(self, questions: Sequence[str], language: str | None) -> tuple[NDArray[np.float32], list[str]]:
        """Return the vectors of questions as the encoder gives them, and the language of each."""
        raw = encode_named(self.encoder, check_texts(questions), ["the question"] * len(questions), "query")
        return raw, self.guess_languages(raw, questions) if language is None else [language] * len(raw)

    def map_questions(
        self, questions: Sequence[str], language: str | None = None
    ) -> tuple[NDArray[np.float32], list[str]]:
        """Return the mapped vectors (n, d) of questions, and the language of each: `language`, or a guess."""
        raw, asked_in = self._encoded(questions, language)
        return map_by_language(space_for(self.question_space, raw, asked_in), raw, asked_in), asked_in

    def learn_questions(self, questions: Sequence[str], language: str | None = None) -> int:
        """Learn where questions lie from questions that were asked, 30 or more; `save` keeps it.

        They need no right answers. What is learned replaces the centre of questions about anything; see
        `interlingua.pipelines.search.questions.centre_on_questions`.

        Parameters
        ----------
        questions : sequence of str
            In any languages.
        language : str, optional
            Theirs; guessed for each if not given.

        Returns
        -------
        int
            How many different questions it was learned from; 0 where nothing was: there are too few, or no language
            was removed from the passages by centring.
        """
        raw, asked_in = self._encoded(questions, language)
        if self.question_space is None:
            return 0
        learned = centre_on_questions(self.question_space, raw, asked_in)
        changed, self.question_space = learned is not self.question_space, learned
        return int(learned.provenance["questions"]) if changed else 0

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        k: int = 10,
        *,
        languages: Iterable[str] | None = None,
        where: Where | None = None,
        balance: bool = False,
        asked_in: Sequence[str] | None = None,
        prefer: Preference | float | None = None,
        texts: Sequence[str] | None = None,
        hybrid: Hybrid = "auto",
    ) -> list[list[SearchHit]]:
        """Return the best passages for each of the vectors (n, d) of `map_questions`.

        `asked_in` are their languages, without which none is preferred, and `texts` the questions, without which no
        words count; the rest as in `search`.
        """
        check_hybrid(hybrid, self.words, self._ranked, balance=balance)
        if balance and prefer is not None:
            raise ValueError("balance and prefer exclude each other; leave one of them out")
        bonus = own_language_bonus("balanced" if prefer is None else prefer)
        with self._ranked.reading():
            if not len(vectors) or not len(self.collection):
                return [[] for _ in vectors]
            chosen = None if languages is None else matching_languages(languages, list(self.languages))
            finder = self._finder
            if balance:
                return finder.whole(vectors, k, partial(finder.balanced, where=where, languages=chosen))
            own = finder.own_languages(vectors, asked_in, chosen, bonus, asked=prefer is not None)
            words = None if hybrid == "off" else finder.words(self.words, vectors, texts, asked_in, chosen)
            best = partial(finder.best, where=where, languages=chosen, own=own, words=words)
            return finder.whole(vectors, k, best)

    def knows_languages(self, texts: Sequence[str]) -> bool:
        """Tell whether `guess_languages` can tell the language of every text."""
        return bool(self._means) or UNDETERMINED not in self._finder.languages_of(texts)

    @property
    def _means(self) -> list[str]:
        """The languages that have a mean."""
        held = () if self.space is None else self.space.languages
        return [name for name in held if name not in (UNDETERMINED, ANY_LANGUAGE)]

    def guess_languages(self, raw: NDArray[np.float32], texts: Sequence[str] | None = None) -> list[str]:
        """Return the language of each vector as the encoder gave it: of the nearest mean, else of the text's script."""
        if len(raw) and self.space is not None and self._means:
            return nearest_language(self.space, raw, among=self._means)
        return [UNDETERMINED] * len(raw) if texts is None else self._finder.languages_of(texts)

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder, whole or not at all; see `interlingua.pipelines.stored`.

        Rows that Milvus keeps stay there, and the folder says where.
        """
        if isinstance(self._ranked, PlainRows):
            self.collection.attributes |= EncoderNote.of(self.encoder, self.encoder_name).fields()
            self.collection.save(folder)
            return
        with self.collection.lock.keeping if isinstance(self.collection, Collection) else nullcontext():
            write_search(folder, self.parts, EncoderNote.of(self.encoder, self.encoder_name))

    @property
    def parts(self) -> SearchParts:
        """What `write_search` writes."""
        named = self.background, self.neighborhood, self._ranked.attachments()
        kept = self.collection, self.space, self.question_space
        return SearchParts(*kept, *named, windows=self.windows, words=self.words)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        device: str = "auto",
        cache: bool = True,
        mapped: bool = False,
        text_field: str | None = None,
        language_field: str = "language",
    ) -> "CrossLingualSearch":
        """Read what `save` wrote, or another program's vectors, see `over`.

        Parameters
        ----------
        folder : str or Path
            The folder; or a store of another program, see `interlingua.pipelines.stores.read_store`.
        encoder : Encoder, str or Path, optional
            The encoder, or its name for `load_encoder`; by default the one that the folder names.
        device : str
            For an encoder that is loaded by name.
        cache : bool
            Likewise.
        mapped : bool
            Leave the vectors on the disk: less memory, shared by processes; such a search can only be read, see
            `Collection.load`.
        text_field : str, optional
            Of another program's vectors, the metadata that hold a row's text; by default what the store says, or text.
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
        if is_foreign(folder):
            rows, made, name, text = open_foreign(folder, encoder, mapped=mapped, device=device, cache=cache)
            return cls.over(rows, made, encoder_name=name, text_field=text_field or text, language_field=language_field)
        parts, held = read_search(folder, mapped=mapped)
        return cls.of_parts(parts, *encoder_of(folder, held.encoder, encoder, device=device, cache=cache))

    @classmethod
    def of_parts(cls, parts: SearchParts, encoder: Encoder, encoder_name: str) -> "CrossLingualSearch":
        """Return the search of parts that `read_search` read."""
        collection, space, question_space = parts.collection, parts.space, parts.question_space
        named: dict[str, Any] = {"neighborhood": parts.neighborhood, "encoder_name": encoder_name}
        named |= {"windows": parts.windows, "words": parts.words}
        made = cls(encoder, space, question_space, collection, parts.background, **named)
        made._ranked.restore_means((), made._hubness_again)
        return made

    @cached_property
    def _typical_hubness(self) -> float:
        return typical_hubness(self.background, self.neighborhood)

    @property
    def copy_thresholds(self) -> dict[str, float]:
        """For each language of the background, the cosine from which two passages count as copies."""
        return self._finder.thresholds

    def _put(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        hubness = self._hubness(vectors, [each.language for each in passages])
        rows = [{**each.metadata, "text": each.text, "language": each.language} for each in passages]
        self._ranked.put([each.id for each in passages], vectors, hubness, rows, replace=True)

    def _hubness_again(self, vectors: NDArray[np.float32], ids: Sequence[str]) -> NDArray[np.float32]:
        return self._hubness(vectors, [row["language"] for row in self.collection.get(ids)])

    def _hubness(self, vectors: NDArray[np.float32], languages: Sequence[str]) -> NDArray[np.float32]:
        known = self.background, self.neighborhood, lambda: self._typical_hubness, self.copy_thresholds
        return hubness_of(vectors, languages, *known)
