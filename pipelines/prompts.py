"""Which prefix an encoder wants before its texts, for each role."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .encoder import check_role

__all__ = ["NO_PROMPTS", "resolve_prompts"]

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
