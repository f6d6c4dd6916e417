"""Texts in, unit vectors out: what every encoder promises.

Which prefix an encoder wants before its texts, for each role.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Role = Literal["symmetric", "query", "passage"]


class UnknownTextError(ValueError):
    """An encoder knows nothing in a text: word vectors without any of its words.

    Attributes
    ----------
    position : int
        Of the first such text, from 0.
    reason : str
        What is wrong with it and what can be done, without its position.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"text {position} {reason}")
        self.position = position
        self.reason = reason


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into unit vectors.

    Attributes
    ----------
    identity : str
        Names the weights and the tokenizer, equal on every machine. Vectors of two encoders may be
        compared only if their identities are equal.
    dimension : int
        Length of the vectors.
    prompts : mapping
        The prefix that `encode` puts before each text, for the roles "symmetric", "query", "passage".
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - described above

    @property
    def dimension(self) -> int: ...  # noqa: D102

    @property
    def prompts(self) -> Mapping[str, str]: ...  # noqa: D102

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, in order.

        Parameters
        ----------
        texts : sequence of str
            The bare texts; the encoder adds the role's prompt itself. May be empty.
        role : {"symmetric", "query", "passage"}
            What the texts are: two sides of a like-for-like comparison, questions, or what is searched.
        progress : bool
            Show a bar on standard error.

        Returns
        -------
        (n, dimension) float32 array
        """
        ...


def check_texts(texts: object) -> list[str]:
    """Return the texts as a list, or say which of them is none.

    Raises
    ------
    TypeError
        If `texts` is one bare string, or an entry is not a string.
    ValueError
        If a text holds a lone surrogate, which no encoding can write.

    Examples
    --------
    >>> check_texts(("one", "two"))
    ['one', 'two']
    >>> check_texts("one")
    Traceback (most recent call last):
    ...
    TypeError: texts must be a sequence of strings, got the single string 'one'; pass it as ['one']
    """
    if isinstance(texts, (str, bytes)):
        shown = texts[:40]
        raise TypeError(f"texts must be a sequence of strings, got the single string {shown!r}; pass it as [{shown!r}]")
    if isinstance(texts, Mapping) or not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a sequence of strings, got {type(texts).__name__}")
    checked: list[str] = []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts must be strings, entry {position} is {type(text).__name__}: {text!r:.60}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"text {position} holds a lone surrogate at character {error.start}; decode the input as UTF-8"
            ) from error
        checked.append(text)
    return checked


def identity_for(encoder: Encoder, wanted: str) -> str:
    """Return `wanted` where it names the encoder, now or as earlier versions called it; else its own identity.

    What was saved names the encoder as the version of then did: compare with this, not with `identity` itself.
    """
    # subtle: an encoder computes its former identities only when it is asked for them
    if wanted == encoder.identity or wanted in getattr(encoder, "former_identities", ()):
        return wanted
    return encoder.identity


def encoder_for(encoder: Encoder, count: int) -> Encoder:
    """Return what computes so many texts: the encoder, or what its `for_count` gives for them.

    An encoder that computes few texts otherwise than many has this method; the ``dtype`` of what it gives says how.
    """
    choose: Callable[[int], Encoder] | None = getattr(encoder, "for_count", None)
    return encoder if choose is None else choose(count)


def check_role(role: str) -> Role:
    """Return the role, or raise ValueError with the three that exist."""
    for known in get_args(Role):
        if role == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped; these are the literals
    raise ValueError(f"role must be one of {', '.join(get_args(Role))}; got {role!r}")


def unit_rows(vectors: NDArray[np.floating], texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the rows scaled to length 1 in float32; `texts` only name a bad row.

    Raises
    ------
    ValueError
        If a row is zero or not finite.
    """
    rows = np.array(vectors, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
    if bad.size:
        raise ValueError(
            f"the encoder gave no usable vector for {bad.size} of {len(texts)} texts, first for "
            f"{texts[int(bad[0])]!r:.60}; if it computes in half precision, try dtype='float32'"
        )
    rows /= norms
    return rows


NO_PROMPTS: Mapping[str, str] = {"symmetric": "", "query": "", "passage": ""}

# What models call their prompts in config_sentence_transformers.json, by role.
_ALIASES = {
    "query": ("query", "search_query", "retrieval.query", "retrieval_query", "s2p_query"),
    "passage": (
        "passage",
        "document",
        "search_document",
        "retrieval.passage",
        "retrieval_document",
        "corpus",
    ),
    "symmetric": ("symmetric", "STS", "sts", "text-matching", "s2s_query", "similarity"),
}

# Families trained with prompts that their folders often do not state; from their model cards.
_TASK = "Instruct: {}\nQuery: "
_FAMILIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        r"e5-.*instruct",
        {
            "symmetric": _TASK.format("Retrieve semantically similar text."),
            "query": _TASK.format("Given a web search query, retrieve relevant passages that answer the query"),
            "passage": "",
        },
    ),
    (
        r"(^|[/_-])(multilingual-)?e5-(small|base|large)",
        {"symmetric": "query: ", "query": "query: ", "passage": "passage: "},
    ),
    (
        r"bge-(small|base|large)-en",
        {
            "symmetric": "",
            "query": "Represent this sentence for searching relevant passages: ",
            "passage": "",
        },
    ),
    (
        r"nomic-embed-text",
        {"symmetric": "clustering: ", "query": "search_query: ", "passage": "search_document: "},
    ),
)


def resolve_prompts(
    name: str, stated: Mapping[str, str | None], chosen: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the prefix of each role.

    In falling order: what the caller chose; what the model's own configuration states; what the
    model's family, known by name, was trained with; nothing.

    Parameters
    ----------
    name : str
        Name of the model or of the model it was made from.
    stated : mapping
        The `prompts` of its `config_sentence_transformers.json`.
    chosen : mapping, optional
        Role -> prefix, from the caller.

    Raises
    ------
    ValueError
        If `chosen` names another role.

    Examples
    --------
    >>> resolve_prompts("intfloat/multilingual-e5-small", {})
    {'symmetric': 'query: ', 'query': 'query: ', 'passage': 'passage: '}
    >>> resolve_prompts("my-model", {"query": "question: ", "document": ""})
    {'symmetric': '', 'query': 'question: ', 'passage': ''}
    """
    prompts = dict(NO_PROMPTS)
    for pattern, family in _FAMILIES:
        if re.search(pattern, name, flags=re.IGNORECASE):
            prompts.update(family)
            break
    found: dict[str, str] = {}
    for role, aliases in _ALIASES.items():
        # An empty string states nothing: sentence-transformers fills in empty ones by itself.
        prefix = next((value for alias in aliases if (value := stated.get(alias))), None)
        if prefix is not None:
            found[role] = prefix
    if "symmetric" not in found and found.get("query") == "query: " and found.get("passage") == "passage: ":
        found["symmetric"] = "query: "  # E5 under another name
    prompts.update(found)
    for role, prefix in (chosen or {}).items():
        prompts[check_role(role)] = prefix
    return prompts
