"""Mine translations from two texts of different languages, and filter bitext that there is."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Neighbors, SharedSpace, top_k
from interlingua.align.arrays import require
from interlingua.align.files import refuse_links, replacing
from interlingua.align.formats.arrays import UNREADABLE
from interlingua.align.matching.pairs import Retrieval
from interlingua.align.matching.scores import Margin
from interlingua.align.sentence.mining import (
    MinedPairs,
    decoy_confidence,
    decoy_ratio,
    mine_pairs,
    pair_margins,
)
from interlingua.pipelines.encoders.limits import naming_languages
from interlingua.pipelines.search.judged import relevance_of
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.texts.characters import text_numbers
from interlingua.pipelines.texts.languages import identified_as
from interlingua.pipelines.texts.lines import UniqueLines, take, unique_texts
from interlingua.pipelines.texts.pairs import Pair, tidy_pairs, write_pairs

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder

_SHARD = 20_000
_BLOCK = 65_536
Texts = Sequence[str] | str | os.PathLike[str]
_EXACT_PRODUCTS = 10**11  # pairs of sentences; about ten minutes of exact search
_SURE_LANGUAGE, _LEAST_CHARACTERS = 0.9, 20
_OVERSAMPLE = 8
_FEWEST_FOR_MEAN = 10  # distinct lines of a side, whose own mean and decoys tell something


def encode_resumable(
    texts: Sequence[str], encoder: "Encoder", path: str | os.PathLike[str] | None, *, progress: bool = False
) -> NDArray[np.float32]:
    """Encode texts, shape (n, d), in memory or into ``PATH.npy``, which is then mapped.

    After an interruption the same call goes on where it stopped; ``PATH.json`` says how far it came.

    Raises
    ------
    ValueError
        If the file is of other texts or of another encoder.
    """
    if path is None:
        return encoder.encode(list(texts[:]), progress=progress)
    data, state = Path(f"{path}.npy"), Path(f"{path}.json")
    refuse_links(data)
    digest = blake2b(digest_size=16)
    for shard in _shards(texts):
        digest.update("".join(f"{text}\n" for text in shard).encode("utf-8", "surrogatepass"))
    told = {"encoder": encoder.identity, "texts": digest.hexdigest(), "n": len(texts)}
    done, hashes = 0, list[str]()
    if state.exists():
        done, hashes = _read_state(state, told)
    else:
        data.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(data, mode="w+", dtype=np.float32, shape=(len(texts), encoder.dimension)).flush()
    vectors = _open_work(data, (len(texts), encoder.dimension))
    if hashes and hashes != [_hash_of(vectors[row : row + _SHARD]) for row in range(0, done, _SHARD)]:
        raise ValueError(f"{data} was altered since it was written; remove it and {state.name}")
    for shard in _shards(texts, done):
        vectors[done : done + len(shard)] = encoder.encode(shard, progress=progress)
        vectors.flush()
        hashes += [_hash_of(vectors[done : done + len(shard)])] if hashes or not done else []
        done += len(shard)
        with replacing(state, "w", links="replace") as file:
            json.dump({**told, "done": done, **({"hashes": hashes} if hashes else {})}, file)
    mapped: NDArray[np.float32] = np.load(data, mmap_mode="r")
    return mapped


def _read_state(state: Path, told: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return how many vectors are there, and the hash of each shard of them; earlier releases wrote no hashes."""
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
        done, hashes = int(found.pop("done")), list(found.pop("hashes", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{state} is damaged ({error}); remove it and the file of vectors beside it") from error
    if found != told:
        raise ValueError(
            f"{state.with_suffix('.npy')} holds vectors of other texts or of another encoder; name another work folder"
        )
    if not 0 <= done <= told["n"]:
        raise ValueError(
            f"{state} is damaged ({done} of {told['n']} done); remove it and the file of vectors beside it"
        )
    return done, hashes


def _open_work(data: Path, shape: tuple[int, int]) -> Any:
    try:
        vectors = np.lib.format.open_memmap(data, mode="r+")
    except UNREADABLE as error:
        raise ValueError(f"{data} is no whole .npy file ({error}); remove it and its .json") from error
    if vectors.shape != shape or vectors.dtype != np.float32:
        raise ValueError(f"{data} holds {vectors.dtype} of shape {vectors.shape}, not {shape}; remove it and its .json")
    return vectors


def _hash_of(rows: NDArray[np.float32]) -> str:
    return blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=16).hexdigest()


def aligned_vectors(
    vectors: NDArray[np.float32], language: str, space: SharedSpace | None, path: str | os.PathLike[str] | None = None
) -> NDArray[np.float32]:
    """Return the vectors of one language mapped by a space, else centred on their own mean, as unit rows.

    With a path the result is a mapped file, written block by block.
    """
    mean: Any = 0.0 if space is not None else vectors.mean(axis=0, dtype=np.float64)
    out: Any = None
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK])
        moved = space.transform(block, language) if space is not None else block - mean
        moved = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        if out is None:
            shape = (len(vectors), moved.shape[1])
            if path is None:
                out = np.empty(shape, np.float32)
            else:
                refuse_links(f"{path}.npy")
                out = np.lib.format.open_memmap(Path(f"{path}.npy"), mode="w+", dtype=np.float32, shape=shape)
        out[start : start + len(block)] = moved
    result: NDArray[np.float32] = out
    return result


@dataclass(frozen=True)
class MinedBitext:
    """Sentence pairs, best first, with what is thought of them.

    Attributes
    ----------
    pairs : tuple of Pair
    scores : (p,) array of float32
        Margins.
    confidences : (p,) array of float32
        Estimated probability that the pair is a translation.
    lines : (p, 2) array of int64
        Where each pair stood: the lines of both texts (or twice that of the bitext), from 1.
    counts : dict of str to int
        How many lines there were, how many are distinct, in another language, how many pairs were proposed.
    """

    pairs: tuple[Pair, ...]
    scores: NDArray[np.float32]
    confidences: NDArray[np.float32]
    lines: NDArray[np.int64]
    counts: dict[str, int]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def precision(self) -> float:
        """Estimated share of right pairs; 0 of none."""
        return float(self.confidences.mean(dtype=np.float64)) if len(self) else 0.0

    def write(
        self, path: str | os.PathLike[str], format: Literal["tsv", "tmx", "jsonl", "moses"] | None = None
    ) -> None:
        """Write the pairs, whole or not at all.

        Parameters
        ----------
        path : str or path
            For ``moses`` the prefix of two files, ``PATH.de`` and ``PATH.en``, and of ``PATH.scores``.
        format : {"tsv", "tmx", "jsonl", "moses"}, optional
            By default what the name says. TSV has the columns source, target, their languages, score and confidence.
        """
        measures = {"score": self.scores, "confidence": self.confidences}
        write_pairs(tidy_pairs(self.pairs), path, format=format, measures=measures)


def mine_bitext(
    source: Texts,
    target: Texts,
    *,
    languages: tuple[str, str],
    encoder: "Encoder | Sequence[Encoder] | None" = None,
    space: SharedSpace | None = None,
    precision: float | None = None,
    threshold: float | None = None,
    k: int = 4,
    margin: Margin = "ratio",
    retrieval: Retrieval = "intersection",
    length_ratio: float = 2.0,
    identify: bool = False,
    approximate: bool | None = None,
    work: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> MinedBitext:
    """Find the translations between two texts, which need neither correspond nor be of equal length.

    Equal lines count once, and a sentence is in one pair at most. Texts that are equal but for case, punctuation and
    blanks are no translations and do not compete with any: lines that were left untranslated cost nothing. See
    `interlingua.align.sentence.mine_pairs` for scores and confidences. Fewer than ten lines tell neither the language's
    mean nor what strangers look like: there `interlingua.pipelines.search.relevance.Relevance` tells both.

    Parameters
    ----------
    source : path of a file with a sentence a line, or sequence of str
        Files are mapped, not read into memory.
    target : path of a file with a sentence a line, or sequence of str
        As `source`.
    languages : (str, str)
        Their names.
    encoder : Encoder or sequence of Encoder, optional
        By default the bundled one. Of several, the mean of their cosines counts: they err differently.
    space : SharedSpace, optional
        Maps both languages, for one encoder; by default each is centred on its own mean.
    precision : float, optional
        Keep as many pairs as this mean confidence allows. By default down to the best estimated F1.
    threshold : float, optional
        Keep what scores this much instead.
    k : int
        Neighbours on either side that the margin compares with.
    margin : {"ratio", "distance", "csls"}
        The cosine over their mean, less their mean, or twice the latter; see `mine_pairs`.
    retrieval : {"intersection", "max", "forward", "backward"}
        See `mine_pairs`.
    length_ratio : float
        A pair's length ratio in characters may differ from that of the texts' medians by this factor at most.
    identify : bool
        Leave out lines that py3langid takes for another language (probability 0.9, from 20 characters on).
    approximate : bool, optional
        Search by compressed inverted lists, and score the candidates exactly; by default from 10^11 pairs of sentences.
    work : str or path, optional
        A folder for the vectors, mapped from there; an interrupted run goes on with them.
    progress : bool

    Returns
    -------
    MinedBitext

    Raises
    ------
    ValueError
        If both a precision and a threshold are given, the languages are equal, a text has fewer than 3 distinct
        lines, or the work folder is of other texts.

    Notes
    -----
    Encoding costs most: about 100 sentences a second and core with the bundled encoder. Memory without a work folder
    is 8 d bytes a sentence and side; with one, the candidates and the approximate index.
    """
    _check(languages, precision, threshold, length_ratio)
    encoders = _loaded(encoder, space)
    counts: dict[str, int] = {}
    sides = [_read(texts, name, identify, counts) for texts, name in zip((source, target), languages)]
    folder = None if work is None else Path(work)
    few = _of_few(min(len(texts) for texts, _ in sides), encoders, space)
    vectors = [
        _vectors(texts, encoders, name, space, folder and folder / f"{number}-{name}", progress, few)
        for number, ((texts, _), name) in enumerate(zip(sides, languages))
    ]
    numbers = text_numbers(*(texts for texts, _ in sides))
    counts["lines that the other text has as well"] = int(np.isin(numbers[0], numbers[1]).sum())
    if approximate is None:
        approximate = len(vectors[0]) * len(vectors[1]) > _EXACT_PRODUCTS
    found = mine_pairs(
        *vectors,
        k=k,
        margin=margin,
        retrieval=retrieval,
        search=_search_approximately if approximate else top_k,
        allowed=length_check(sides[0][0], sides[1][0], length_ratio),
        copies=(numbers[0], numbers[1]),
    )
    counts["proposed pairs"] = len(found)
    if few is not None:
        found = _judged(found, few, *vectors)
    found = _cut(found, precision, threshold)
    pairs = tuple(Pair(left, right, *languages) for left, right in _texts_of(found, sides))
    lines = np.stack([sides[side][1][found.rows[:, side]] for side in (0, 1)], axis=1)
    return MinedBitext(pairs, found.scores, found.confidences, lines, counts)


def filter_bitext(
    pairs: Sequence[Pair],
    *,
    encoder: "Encoder | Sequence[Encoder] | None" = None,
    space: SharedSpace | None = None,
    precision: float | None = None,
    threshold: float | None = None,
    k: int = 4,
    margin: Margin = "ratio",
    length_ratio: float = 2.0,
    background: tuple[Sequence[str], Sequence[str]] | None = None,
    progress: bool = False,
) -> MinedBitext:
    """Keep the pairs of a bitext that are translations, by the same scores as mining.

    The neighbourhoods are those of the bitext's own sentences and of the `background`. Decoys are the same sentences
    paired wrongly; the share of wrong pairs is estimated by how many pairs score below the decoys' median. So pairs
    that are about the same thing, without being translations, are taken for better than they are.

    Parameters
    ----------
    pairs : sequence of Pair
        All of one language pair, 3 or more.
    encoder, space, precision, threshold, k, margin, length_ratio
        As in `mine_bitext`.
    background : (sequence of str, sequence of str), optional
        Further sentences of both languages, where the bitext is small.
    progress : bool

    Returns
    -------
    MinedBitext
        Pairs by falling score.

    Raises
    ------
    ValueError
        If there are fewer than 3 pairs, or of several language pairs.
    """
    pairs = tuple(pairs)
    kinds = {(each.source_language, each.target_language) for each in pairs}
    if len(pairs) < 3 or len(kinds) != 1:
        named = ", ".join("-".join(each) for each in sorted(kinds)) or "none"
        raise ValueError(f"expected 3 pairs or more, of one language pair; got {len(pairs)} of {named}")
    languages = next(iter(kinds))
    _check(languages, precision, threshold, length_ratio)
    encoders = _loaded(encoder, space)
    own = [[each.source for each in pairs], [each.target for each in pairs]]
    more = [list(each) for each in background] if background else [[], []]
    few = _of_few(len(pairs) + min(len(each) for each in more), encoders, space)
    vectors = [
        _vectors(texts + others, encoders, name, space, None, progress, few)
        for texts, others, name in zip(own, more, languages)
    ]
    numbers = text_numbers(own[0] + more[0], own[1] + more[1])
    n = len(pairs)
    # subtle: copies of either side are no pairs, and must not be decoys or neighbours of the others either
    differ = np.flatnonzero(numbers[0][:n] != numbers[1][:n])
    kept = [np.concatenate([differ, np.arange(n, len(each))]) for each in numbers]
    margins, decoys = pair_margins(
        vectors[0][differ],
        vectors[1][differ],
        k=k,
        margin=margin,
        background=(vectors[0][n:], vectors[1][n:]),
        copies=(numbers[0][kept[0]], numbers[1][kept[1]]),
    )
    sure = decoy_confidence(margins, decoys, ratio=min(decoy_ratio(margins, decoys), 1.0))
    order = np.argsort(-margins, kind="stable")
    found = MinedPairs(np.stack([differ[order]] * 2, axis=1), margins[order], sure[order])
    if few is not None:
        found = _judged(found, few, *vectors)
    found = found.keep(length_check(own[0], own[1], length_ratio)(found.rows, "pairs"))
    counts = {"pairs": n, "pairs of unlike lengths or equal texts": n - len(found)}
    found = _cut(found, precision, threshold)
    return MinedBitext(
        tuple(pairs[row] for row in found.rows[:, 0].tolist()), found.scores, found.confidences, found.rows + 1, counts
    )


def _check(languages: tuple[str, str], precision: float | None, threshold: float | None, length_ratio: float) -> None:
    if languages[0] == languages[1]:
        raise ValueError(f"the two texts must be of different languages, but both are {languages[0]!r}")
    if precision is not None and threshold is not None:
        raise ValueError("give a precision or a threshold, not both")
    if precision is not None and not 0 < precision <= 1:
        raise ValueError(f"precision must be above 0 and at most 1, but is {precision}")
    if length_ratio <= 1:
        raise ValueError(f"length_ratio must be above 1, but is {length_ratio}")


def _loaded(encoder: "Encoder | Sequence[Encoder] | None", space: SharedSpace | None) -> "list[Encoder]":
    from interlingua.pipelines.encoders.load import load_encoder

    if encoder is None:
        return [load_encoder()]
    encoders = list(encoder) if isinstance(encoder, Sequence) else [encoder]
    if not encoders or (space is not None and len(encoders) > 1):
        raise ValueError(f"a space maps the vectors of one encoder, and one is needed; got {len(encoders)} encoders")
    return encoders


def _vectors(
    texts: Sequence[str],
    encoders: "Sequence[Encoder]",
    language: str,
    space: SharedSpace | None,
    path: Path | None,
    progress: bool,
    few: Relevance | None,
) -> NDArray[np.float32]:
    """Return unit vectors, those of several encoders side by side; of few texts as `Relevance` maps them."""
    parts = []
    for number, encoder in enumerate(encoders):
        stem = path and Path(f"{path}-{number}")
        with naming_languages(language):
            raw = encode_resumable(texts, encoder, stem, progress=progress)
        if few is not None:
            return few.map_passages(raw)
        parts.append(aligned_vectors(raw, language, space, stem and Path(f"{stem}-unit")))
    if len(parts) == 1:
        return parts[0]
    together: NDArray[np.float32] = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    return together


def _of_few(n: int, encoders: "Sequence[Encoder]", space: SharedSpace | None) -> Relevance | None:
    """Return what texts about anything tell, where the texts themselves are too few to tell means and decoys."""
    if n >= _FEWEST_FOR_MEAN or space is not None or len(encoders) > 1:
        return None
    return relevance_of(encoders[0], symmetric=True)


def _judged(
    found: MinedPairs, relevance: Relevance, source: NDArray[np.float32], target: NDArray[np.float32]
) -> MinedPairs:
    """Return the pairs with the probabilities of `Relevance` as confidences, best first."""
    left, right = source[found.rows[:, 0]], target[found.rows[:, 1]]
    alike, near = np.einsum("ij,ij->i", left, right), relevance.nearness_of_mapped(left)
    sure = [float(relevance.probability([one], len(target), y)[0]) for one, y in zip(alike.tolist(), near.tolist())]
    order = np.argsort(-np.array(sure), kind="stable")
    return MinedPairs(found.rows[order], found.scores[order], np.array(sure, np.float32)[order])


def _shards(texts: Sequence[str], start: int = 0) -> Iterator[list[str]]:
    for first in range(start, len(texts), _SHARD):
        yield list(texts[first : first + _SHARD])


def _texts_of(found: MinedPairs, sides: Sequence[tuple[Sequence[str], Any]]) -> Iterable[tuple[str, str]]:
    return zip(*(take(texts, found.rows[:, side].tolist()) for side, (texts, _) in enumerate(sides)), strict=True)


def _cut(found: MinedPairs, precision: float | None, threshold: float | None) -> MinedPairs:
    if threshold is not None:
        return found.keep(found.scores >= threshold)
    return found.for_best_f1() if precision is None else found.for_precision(precision)


def _read(
    texts: Texts, language: str, identify: bool, counts: dict[str, int]
) -> tuple[Sequence[str], NDArray[np.int64]]:
    """Return the distinct texts and the line of each."""
    read: Sequence[str]
    if isinstance(texts, str | os.PathLike):
        lines = UniqueLines(texts)
        read, numbers, total = lines, np.array(lines.numbers, np.int64), lines.n_lines
    else:
        read, found = unique_texts(texts)
        numbers, total = np.array(found, np.int64), len(texts)
    counts[f"{language}: lines"], counts[f"{language}: distinct"] = total, len(read)
    if identify:
        kept = np.flatnonzero(_in_language(read, language))
        counts[f"{language}: in another language"] = len(read) - len(kept)
        read, numbers = [read[row] for row in kept.tolist()], numbers[kept]
    if len(read) < 3:
        raise ValueError(f"expected 3 distinct sentences or more of {language!r}, but got {len(read)}")
    return read, numbers


def _in_language(texts: Sequence[str], language: str) -> NDArray[np.bool_]:
    langid: Any = require("py3langid.langid", extra="text")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    codes = identified_as(language, identifier.nb_classes)
    if not codes:
        known = ", ".join(sorted(identifier.nb_classes))
        raise ValueError(f"{language!r} is no language that can be identified; known: {known}; or identify=False")
    kept = np.ones(len(texts), bool)
    for row, text in enumerate(texts):
        if len(text) >= _LEAST_CHARACTERS:
            found, probability = identifier.classify(text)
            kept[row] = found in codes or probability < _SURE_LANGUAGE
    return kept


def length_check(
    source: Sequence[str], target: Sequence[str], length_ratio: float
) -> Callable[[NDArray[np.int64], str], NDArray[np.bool_]]:
    """Return a check that keeps pairs whose lengths, in characters, have a ratio near the usual one.

    Parameters
    ----------
    source, target : sequence of str
    length_ratio : float
        How many times longer or shorter than usual one may be, at least 1.

    Returns
    -------
    callable
        Takes (p, 2) rows and what they are of: "pairs", or both of one side ("source" or "target").
    """
    lengths = {
        side: np.log([max(len(text), 1) for shard in _shards(texts) for text in shard])
        for side, texts in (("source", source), ("target", target))
    }
    usual = float(np.median(lengths["source"]) - np.median(lengths["target"]))

    def allowed(rows: NDArray[np.int64], side: str) -> NDArray[np.bool_]:
        left, right = ("source", "target") if side == "pairs" else (side, side)
        ratio = lengths[left][rows[:, 0]] - lengths[right][rows[:, 1]] - (usual if side == "pairs" else 0.0)
        return np.asarray(np.abs(ratio) <= np.log(length_ratio), np.bool_)

    return allowed


def _search_approximately(queries: NDArray[np.float32], candidates: NDArray[np.float32], k: int) -> Neighbors:
    """Return the best of the candidates that bit codes in inverted lists suggest, scored by the vectors themselves."""
    from interlingua.index import create_index

    n, d = candidates.shape
    n_lists = max(16, round(2 * np.sqrt(n)))
    index = create_index("ivf-rabitq", d, "ip", {"n_lists": n_lists, "nprobe": 64, "train_size": min(n, 64 * n_lists)})
    ids, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    for start in range(0, n, 65_536):
        block = np.asarray(candidates[start : start + 65_536])
        index.add(np.arange(start, start + len(block)), block)
    for start in range(0, len(queries), 4096):
        asked = np.asarray(queries[start : start + 4096])
        near = index.search(asked, _OVERSAMPLE * k).ids
        exact = np.einsum("ij,ikj->ik", asked, candidates[np.maximum(near, 0)])
        exact[near < 0] = -np.inf
        order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
        ids[start : start + len(asked)] = np.take_along_axis(np.maximum(near, 0), order, axis=1)
        scores[start : start + len(asked)] = np.take_along_axis(exact, order, axis=1)
    return Neighbors(ids, scores)
