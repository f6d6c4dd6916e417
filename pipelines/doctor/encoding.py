"""Whether a store's vectors are those that an encoder gives for its texts; if not, what was done otherwise."""

import copy
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.pipelines.encoders.base import Encoder, UnknownTextError

#: Cosine from which a way of encoding gives a stored vector, by what the store's numbers were rounded to.
SAME = 0.995
#: The right way.
AS_PASSAGES = "as passages"
_ROUNDED = {"int8": 0.99, "binary": 0.97}
_SURELY = 0.9995
_SCALED = 0.97  # where each number has a scale of its own, which is fitted
TEXTS = 20
_FEWEST_SCALED = 16
_SUSPECTS, _MOST_SUSPECTS = 12, 48
_BASES = 3  # prompts that changes of texts are tried with where no prompt explains a text
_OWN = 4  # ways that texts of one store are likely to be mixed in: the prompts of the model and none
_PROMPTS = (
    *("", "query: ", "passage: ", "search_query: ", "search_document: "),
    "Represent this sentence for searching relevant passages: ",
)
_ROLES = ("query", "passage")
_CUTS = (64, 100, 128, 200, 256, 384, 500, 1000, 2000)  # characters a text may have been cut to
_CUT_TOKENS = (64, 128, 256, 512)
_POOLINGS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "cls": lambda tokens: tokens[0],
    "mean": lambda tokens: np.asarray(tokens.mean(axis=0), np.float32),
    "max": lambda tokens: np.asarray(tokens.max(axis=0), np.float32),
    "last": lambda tokens: tokens[-1],
}
_CUT_WORDS = (32, 64, 100, 128, 200, 256)
Encode = Callable[[Sequence[str]], NDArray[np.float32] | None]
Change = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Ways:
    """In which ways texts may have become vectors of a model.

    Attributes
    ----------
    prompts : sequence of (name, function)
        What stood before the texts, the right one first; each encodes texts, or gives None where it cannot.
    changes : sequence of (name, function of a prompt's place)
        What may have been done to the texts before: each gives a function of texts.
    poolings : function of a prompt's place
        Other poolings of the tokens: names and functions, as the prompts.
    numbers : function of a prompt's place
        Of a model that computes in several kinds of numbers: their names, and what encodes so.
    """

    prompts: Sequence[tuple[str, Encode]]
    changes: Sequence[tuple[str, Callable[[int], Change]]]
    poolings: Callable[[int], Iterator[tuple[str, Encode]]] = lambda _: iter(())
    numbers: Callable[[int], Iterator[tuple[str, Encode]]] = lambda _: iter(())


@dataclass(frozen=True)
class Verdict:
    """How well an encoder's vectors of stored texts agree with the stored ones.

    Attributes
    ----------
    way : str
        Of encoding, of the most of the texts: what was done to them or by the encoder; "" where none agrees.
    cosine : float
        Mean cosine of that way.
    right : float
        Mean cosine of the encoder's own vectors of passages.
    texts : int
        That were compared.
    others : tuple of int
        Rows, of those compared, that nothing explains.
    also : tuple of (str, tuple of int)
        Other ways, and the rows that they explain.
    computed : str
        The numbers that the model computed in, where it computes in several and one of them gives nearer vectors.
    """

    way: str
    cosine: float
    right: float
    texts: int
    others: tuple[int, ...] = ()
    also: tuple[tuple[str, tuple[int, ...]], ...] = ()
    computed: str = ""

    @property
    def same(self) -> bool:
        """Whether the store holds what the encoder gives."""
        return self.way == AS_PASSAGES

    def about(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "same": self.same,
            "made": self.way or "by another model",
            "cosine": round(self.cosine, 4),
            "as passages": round(self.right, 4),
            "texts": self.texts,
            "rows that differ": list(self.others),
            "computed in": self.computed,
            "made otherwise": {way: list(rows) for way, rows in self.also},
        }


def compare(texts: Sequence[str], vectors: NDArray[np.float32], ways: Ways, *, precision: str = "float32") -> Verdict:
    """Return the way of encoding that gives the stored vectors, and those that give some of them.

    Parameters
    ----------
    texts : sequence of str
    vectors : (n, d) array
        As stored.
    ways : Ways
    precision : str
        What the store's numbers were rounded to, as `interlingua.pipelines.doctor.geometry.precision_of` says it.

    Raises
    ------
    ValueError
        If a way gives vectors of another dimension.
    """
    return Comparison(texts, vectors, ways, precision).verdict()


class Comparison:
    """Stored texts and vectors beside an encoder: what was encoded is kept.

    Parameters
    ----------
    texts, vectors, ways, precision
        As for `compare`.
    """

    def __init__(
        self, texts: Sequence[str], vectors: NDArray[np.float32], ways: Ways, precision: str = "float32"
    ) -> None:
        self.texts, self.ways, self._binary = list(texts), ways, precision == "binary"
        self.stored = np.asarray(unit_rows(vectors), np.float32)
        self.near = self.enough = _ROUNDED.get(precision, SAME)
        self._fitted = False  # each number's own scale
        self._raw = np.asarray(vectors, np.float32)
        self._made: dict[int, NDArray[np.float32] | None] = {}
        self._scaled = precision == "int8"

    def verdict(self) -> Verdict:
        """Return what `compare` does."""
        cosines = self._by_prompt()
        if self._scaled and len(self.texts) >= _FEWEST_SCALED and max(c.max() for c in cosines.values()) < self.enough:
            self._fitted = True
            fitted = self._by_prompt()
            if max(float(np.median(each)) for each in fitted.values()) >= _SCALED:
                self.enough, cosines = _SCALED, fitted
            else:
                self._fitted = False
        right = float(cosines[0].mean()) if 0 in cosines else float("nan")
        # subtle: what the best way leaves is rounding; where several times as much is left, the text was made otherwise
        usual = min(float(np.quantile(1 - each, 0.25)) for each in cosines.values())
        self.near = max(self.enough, 1 - max(1 - _SURELY, 6 * usual))
        main = max(cosines, key=lambda at: ((cosines[at] >= self.near).sum(), cosines[at].mean()))
        parts, kept = self._parts_by_prompt(cosines, main)
        rest = np.flatnonzero(kept < self.near)
        bases = [main, *(at for at in cosines if at != main and at < _BASES and not parts)]
        for explain in (self._by_change, self._by_pooling):
            if explain == self._by_pooling:  # another one gives quite other vectors, and may load a library
                rest = rest[kept[rest] < self.enough]
            tried = [found for base in bases if len(rest) and (found := explain(base, rest)) is not None]
            if tried:
                best = max(tried, key=lambda each: each.score)  # of equal ones the first
                kept[best.rows] = best.cosines
                self._add(best, parts)
                rest = np.flatnonzero(kept < self.near)
        rest = np.flatnonzero(kept < self.near)
        able = rest[cosines[main][rest] >= self.enough] if parts else rest[:0]
        parts.setdefault(self.ways.prompts[main][0], []).extend(able.tolist())
        parts = {name: rows for name, rows in parts.items() if rows}
        rest = np.setdiff1d(rest, able)
        ordered = sorted(parts.items(), key=lambda part: -len(part[1]))
        if not ordered or 4 * len(ordered[0][1]) < len(self.texts):
            return Verdict("", float(max(each.mean() for each in cosines.values())), right, len(self.texts))
        (way, rows), *also = ordered
        told = tuple((name, tuple(sorted(found))) for name, found in also)
        mean = float(kept[rows].mean())
        return Verdict(way, mean, right, len(self.texts), tuple(rest.tolist()), told, self._numbers(way, rows))

    def _numbers(self, way: str, rows: Sequence[int]) -> str:
        """Return which numbers the model computed in, where one kind leaves less than a fifth of what the next does."""
        names = [name for name, _ in self.ways.prompts]
        if way not in names or self._fitted or self._binary:
            return ""
        left = []
        for name, encode in self.ways.numbers(names.index(way)):
            made = encode([self.texts[row] for row in rows])
            if made is not None:
                left.append((float(np.median(1 - self._cosines(made, np.asarray(rows)))), name))
        left.sort()
        return left[0][1] if len(left) > 1 and 5 * max(left[0][0], 1e-6) < left[1][0] else ""

    def _by_prompt(self) -> dict[int, NDArray[np.float32]]:
        """Return the cosines by each prompt, up to the first that surely gives all vectors."""
        found: dict[int, NDArray[np.float32]] = {}
        everything = np.arange(len(self.texts))
        for at in range(len(self.ways.prompts)):
            made = self.made(at)
            if made is None:
                continue
            found[at] = self._cosines(made, everything)
            if found[at].min() >= _SURELY:
                break
        return found

    def made(self, at: int) -> NDArray[np.float32] | None:
        """Return the vectors of all texts with a prompt."""
        if at not in self._made:
            self._made[at] = self.ways.prompts[at][1](self.texts)
        return self._made[at]

    def _cosines(self, made: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
        if made.shape[1] != self.stored.shape[1]:
            raise ValueError(
                f"the store holds vectors of dimension {self.stored.shape[1]}, but the encoder gives {made.shape[1]}: "
                "it is of another model"
            )
        if self._fitted:
            return _scaled_cosines(made, self._raw[rows])
        made = np.asarray(unit_rows(np.where(made > 0, 1, -1) if self._binary else made), np.float32)
        return np.asarray(np.einsum("ij,ij->i", made, self.stored[rows]), np.float32)

    def _parts_by_prompt(
        self, cosines: Mapping[int, NDArray[np.float32]], main: int
    ) -> tuple[dict[str, list[int]], NDArray[np.float32]]:
        """Return which rows each prompt explains, and their cosines: another than the main one where it is better."""
        places = list(cosines)
        table = np.stack([cosines[at] for at in places])
        kept = cosines[main].copy()
        best = table.argmax(axis=0)
        other = (kept < self.near) & (table.max(axis=0) >= self.near)
        parts: dict[str, list[int]] = {}
        for row in range(len(kept)):
            if other[row]:
                kept[row] = table[best[row], row]
            if kept[row] >= self.near:
                name = self.ways.prompts[places[best[row]] if other[row] else main][0]
                parts.setdefault(name, []).append(row)
        return parts, kept

    def _by_change(self, base: int, rest: NDArray[np.intp]) -> "_Explained | None":
        """Return the change of texts that explains most of the rest."""
        encode = self.ways.prompts[base][1]
        found = None
        for name, changing in self.ways.changes:
            change = changing(base)
            changed = change([self.texts[row] for row in rest])
            at = [place for place, row in enumerate(rest) if changed[place] != self.texts[row]]
            made = encode([changed[place] for place in at]) if at else None
            if made is not None:
                found = self._better(found, base, name, rest[at], made, change)
        return found

    def _by_pooling(self, base: int, rest: NDArray[np.intp]) -> "_Explained | None":
        """Return the pooling that explains most of the rest."""
        found = None
        for name, encode in self.ways.poolings(base):
            made = encode([self.texts[row] for row in rest])
            if made is not None:
                found = self._better(found, base, name, rest, made)
        return found

    def _better(
        self,
        before: "_Explained | None",
        base: int,
        name: str,
        rows: NDArray[np.intp],
        made: NDArray[np.float32],
        change: Change | None = None,
    ) -> "_Explained | None":
        cosines = self._cosines(made, rows)
        good = cosines >= self.near
        if not good.any():
            return before
        now = _Explained(base, name, rows[good], cosines[good], change)
        return now if before is None or now.score > before.score else before

    def _add(self, found: "_Explained", parts: dict[str, list[int]]) -> None:
        """Add what was found to the parts: to all of the prompt's texts where a change leaves these as they are."""
        prompt = self.ways.prompts[found.base][0]
        name = found.name if prompt == AS_PASSAGES else f"{prompt}, {found.name}"
        whole = [self.texts[row] for row in parts.get(prompt, [])]
        alike = found.change is not None and found.change(whole) == whole
        parts[name] = [*(parts.pop(prompt, []) if alike else []), *found.rows.tolist()]

    def odd_rows(self, way: str, texts: Sequence[str], vectors: NDArray[np.float32]) -> dict[str, list[int]]:
        """Return rows of the whole store that were encoded with another prompt of the model than the most, by its name.

        The difference that a prompt makes is known from the texts that were compared; the rows of the store that lie
        farthest along it, beside how the store varies, are encoded and looked at: 12, and more while some are found.

        Parameters
        ----------
        way : str
            Of the most: the name of a prompt; of any other way nothing is found.
        texts : sequence of str
            Of all rows.
        vectors : (m, d) array
        """
        names = [name for name, _ in self.ways.prompts]
        if way not in names or self._fitted:
            return {}
        main, rows = names.index(way), np.asarray(unit_rows(vectors), np.float32)
        usual = self.made(main)
        spread = np.cov(rows.T) + np.eye(rows.shape[1]) * rows.var(axis=0).mean()
        found: dict[str, list[int]] = {}
        able = np.array([bool(each.strip()) for each in texts])
        for at in range(min(_OWN, len(names))):
            made = None if at == main or usual is None else self.made(at)
            if made is None or usual is None:
                continue
            far = np.where(able, rows @ np.linalg.solve(spread, (made - usual).mean(axis=0)), -np.inf)
            order = np.argsort(-far)[: min(_MOST_SUSPECTS, int(able.sum()))]
            for start in range(0, len(order), _SUSPECTS):
                some = order[start : start + _SUSPECTS]
                looked = Comparison([texts[row] for row in some], rows[some], self.ways)
                looked.enough, looked._binary = self.enough, self._binary
                hits = [int(some[row]) for row in looked.rows_of(at, main)]
                found.setdefault(names[at], []).extend(hits)
                if not hits:
                    break
        return {name: each for name, each in found.items() if each}

    def rows_of(self, one: int, other: int) -> list[int]:
        """Return the rows that a prompt explains, and better than another does."""
        pair = [self.made(at) for at in (one, other)]
        if pair[0] is None or pair[1] is None:
            return []
        first, second = (self._cosines(each, np.arange(len(self.texts))) for each in pair if each is not None)
        # subtle: what an exact way leaves is rounding; the other must leave several times as much
        better = (1 - second) > np.maximum(2e-4, 3 * (1 - first))
        return np.flatnonzero((first >= self.enough) & better).tolist()


@dataclass(frozen=True)
class _Explained:
    """What explains some rows beside a prompt: a change of texts, or a pooling."""

    base: int
    name: str
    rows: NDArray[np.intp]
    cosines: NDArray[np.float32]
    change: Change | None

    @property
    def score(self) -> tuple[int, float]:
        return len(self.rows), round(float(self.cosines.mean()), 5)


def _scaled_cosines(made: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cosines of rows after each number's own scale and offset, fitted on these rows, about their means."""
    one, other = made - made.mean(axis=0), stored - stored.mean(axis=0)
    scales = (one * other).sum(axis=0) / np.maximum(np.square(one).sum(axis=0), 1e-12)
    fitted = one * scales
    norms = np.linalg.norm(fitted, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((fitted * other).sum(axis=1) / np.maximum(norms, 1e-12), np.float32)


def ways_of(encoder: Encoder) -> Ways:
    """Return the ways in which texts may have been encoded by a model."""
    own = encoder.prompts
    found: list[tuple[str, str]] = [(AS_PASSAGES, own["passage"])]
    if own.get("query") != own.get("passage"):
        found.append((f"with the prompt of questions, {own.get('query', '')!r}", own.get("query", "")))
    found += [(_named_prompt(each), each) for each in (own.get("symmetric", ""), *_PROMPTS)]
    prompts = {prompt: name for name, prompt in reversed(found)}  # of equal ones the first name
    ordered = list(dict.fromkeys(prompt for _, prompt in found))

    bare = with_prompt(encoder, "")

    def with_it(prompt: str) -> Encode:
        def encode(texts: Sequence[str]) -> NDArray[np.float32] | None:
            try:
                # subtle: before the texts, since there are encoders that know of no prompts
                return bare.encode([prompt + each for each in texts], role="passage")
            except UnknownTextError:
                return None

        return encode

    def first_tokens(count: int) -> Callable[[int], Change]:
        return lambda at: lambda texts: _first_tokens(encoder, texts, count, ordered[at])

    changes = [(f"cut to {count} tokens", first_tokens(count)) for count in _CUT_TOKENS]
    if not callable(getattr(encoder, "token_spans", None)):
        changes = []
    return Ways(
        [(prompts[each], with_it(each)) for each in ordered],
        [*changes, *_changes()],
        lambda at: _poolings(encoder, ordered[at]),
        lambda at: _numbers(encoder, ordered[at]),
    )


def _behind(model: Encoder, prompt: str, texts: Sequence[str]) -> NDArray[np.float32]:
    return model.encode([prompt + each for each in texts])


def _numbers(encoder: Any, prompt: str) -> Iterator[tuple[str, Encode]]:
    """Yield what encodes in each kind of numbers that a model computes in; nothing where there is one."""
    for name in getattr(encoder, "own_dtypes", ()):
        model = with_prompt(encoder.computing_in(name), "")
        yield name, partial(_behind, model, prompt)


def _named_prompt(prompt: str) -> str:
    return f"with the prompt {prompt!r}" if prompt else "without a prompt"


def _first_tokens(encoder: Any, texts: Sequence[str], count: int, prompt: str) -> list[str]:
    """Return texts as a model reads them that reads so many tokens, two of them marks of its own."""
    try:
        room = count - 2 - max(0, len(encoder.token_spans([prompt])[0]))
        spans = encoder.token_spans(texts)
    except TypeError:  # of a tokenizer that does not say where its tokens lie
        return list(texts)
    return [
        text if len(span) <= room else text[: int(span[room - 1][1])] for text, span in zip(texts, spans, strict=True)
    ]


def with_prompt(encoder: Encoder, prompt: str) -> Encoder:
    """Return the same encoder with another text before each text, in every role."""
    changed: Any = copy.copy(encoder)
    kind = type(encoder)
    prompts = dict.fromkeys(("symmetric", "query", "passage"), prompt)
    kept: Any = type(kind.__name__, (kind,), {"prompts": prompts})
    object.__setattr__(changed, "__class__", kept)  # of a frozen dataclass too
    vars(changed).pop("prompts", None)  # subtle: what an instance has, or has computed once, counts before its class
    return changed  # type: ignore[no-any-return]


def _poolings(encoder: Any, prompt: str) -> Iterator[tuple[str, Encode]]:
    """Yield other poolings; none of an encoder that is no model of sentence-transformers. Tokens are computed once."""
    known: dict[tuple[str, ...], list[NDArray[np.float32]] | None] = {}

    def pooled(pooling: str, texts: Sequence[str]) -> NDArray[np.float32] | None:
        key = tuple(texts)
        if key not in known:
            known[key] = _token_vectors(encoder, [prompt + each for each in texts])
        tokens = known[key]
        return None if tokens is None else np.stack([_POOLINGS[pooling](each) for each in tokens])

    for pooling in _POOLINGS:
        yield f"with {pooling} pooling", partial(pooled, pooling)


def _token_vectors(encoder: Any, texts: list[str]) -> list[NDArray[np.float32]] | None:
    try:
        tokens = encoder.model.encode(texts, output_value="token_embeddings")
    except (AttributeError, TypeError, ImportError, OSError, KeyError):
        return None
    return [np.asarray(each.detach().cpu().numpy() if hasattr(each, "detach") else each, np.float32) for each in tokens]


def _changes() -> list[tuple[str, Callable[[int], Change]]]:
    """Return what may have been done to texts before they were encoded, whatever the prompt."""
    cut: list[tuple[str, Callable[[str], str]]]
    cut = [(f"cut to {count} words", partial(_first_words, count)) for count in _CUT_WORDS]
    cut += [(f"cut to {count} characters", partial(_first_characters, count)) for count in _CUTS]
    return [(name, partial(_each, change)) for name, change in (*cut, ("in lower case", str.lower))]


def _each(change: Callable[[str], str], _prompt: int) -> Change:
    return lambda texts: [change(each) for each in texts]


def _first_words(count: int, text: str) -> str:
    return " ".join(text.split()[:count])


def _first_characters(count: int, text: str) -> str:
    return text[:count]


def ways_of_endpoint(url: str, model: str, key: str = "") -> Ways:
    """Return the same of an endpoint of the form of OpenAI's ``/v1/embeddings``; it adds its own prompt, if it does.

    Where a server has roles behind a name, ``MODEL:query`` or ``MODEL:passage`` as `interlingua serve`, both are
    asked too.
    """

    def with_it(prompt: str) -> Encode:
        return lambda texts: ask_endpoint(url, model, [prompt + each for each in texts], key)

    def in_role(name: str) -> Encode:
        def encode(texts: Sequence[str]) -> NDArray[np.float32] | None:
            try:
                return ask_endpoint(url, name, texts, key)
            except ValueError:  # no model of that name
                return None

        return encode

    bare, _, role = model.rpartition(":")
    named = [f"{bare if role in _ROLES else model}:{each}" for each in _ROLES]
    roles = [(f"as the model {name}", in_role(name)) for name in named if name != model]
    prompts = [(_named_prompt(each), with_it(each)) for each in _PROMPTS[1:]]
    return Ways([(AS_PASSAGES, with_it("")), *roles, *prompts], _changes())


def ask_endpoint(url: str, model: str, texts: Sequence[str], key: str = "") -> NDArray[np.float32]:
    """Return the vectors that an endpoint gives for texts.

    Raises
    ------
    ValueError
        If it cannot be reached, or answers something else.
    """
    address = url.rstrip("/")
    address = address if address.endswith("/embeddings") else f"{address}/embeddings"
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"an endpoint is an address such as http://localhost:8000/v1, but is {url!r}")
    body = json.dumps({"model": model, "input": list(texts), "encoding_format": "float"}).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    asked = urllib.request.Request(address, body, headers)  # noqa: S310 - http or https, see above
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            said: Mapping[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ValueError(f"{address} gives no vectors: {error}") from error
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list) or len(rows) != len(texts):
        raise ValueError(f"{address} answers otherwise than /v1/embeddings: no vector for each of {len(texts)} texts")
    ordered = sorted(rows, key=lambda row: row.get("index", 0))
    return np.array([row["embedding"] for row in ordered], np.float32)


def choose_texts(texts: Sequence[str], count: int = TEXTS) -> list[int]:
    """Return rows to compare: spread over the store, half of them the longest of a larger choice, which show cuts."""
    able = [row for row, each in enumerate(texts) if each.strip()]
    if len(able) <= count:
        return able
    spread = [able[at] for at in np.linspace(0, len(able) - 1, 10 * count).astype(int)]
    spread = list(dict.fromkeys(spread))
    longest = sorted(spread, key=lambda row: -len(texts[row]))[: count // 2]
    rest = [row for row in spread if row not in longest]
    step = max(1, len(rest) // (count - len(longest)))
    return sorted([*longest, *rest[::step][: count - len(longest)]])
