"""The vectors of sentence pairs, which a head on an encoder is learned from."""

from collections.abc import Mapping
from typing import Any

from interlingua.align.sentence import ParallelVectors
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.limits import naming_languages
from interlingua.pipelines.texts.pairs import Pairs


def encode_pairs(
    encoder: Encoder, files: Mapping[str, Pairs], *, role: Role = "symmetric", progress: bool = False
) -> ParallelVectors:
    """Encode sentence pairs; each file, and in it each pair of languages, is a domain.

    Parameters
    ----------
    encoder : Encoder
    files : mapping of str to Pairs
        What `read_pairs` returns, by name.
    role : {"symmetric", "query", "passage"}
        The prompt of both sides.
    progress : bool
        Show a bar.

    Raises
    ------
    ValueError
        If a file holds no pair, or does not say its languages.
    """
    domains: dict[str, dict[str, Any]] = {}
    for name, pairs in files.items():
        texts: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
        for pair in pairs:
            both = texts.setdefault((pair.source_language, pair.target_language), ([], []))
            both[0].append(pair.source)
            both[1].append(pair.target)
        if not texts:
            raise ValueError(f"{name} holds no sentence pair to learn from: {pairs.report.summary()}")
        for languages, sides in texts.items():
            if languages == ("source", "target"):
                raise ValueError(f"{name} does not name its languages; write SOURCE-TARGET=FILE, such as en-sw={name}")
            if languages[0] == languages[1]:
                raise ValueError(f"{name} pairs {languages[0]!r} with itself; a head needs two languages")
            domain = name if len(texts) == 1 else f"{name}: {'-'.join(languages)}"
            domains[domain] = {}
            for language, side in zip(languages, sides, strict=True):
                with naming_languages(language):
                    domains[domain][language] = encoder.encode(side, role=role, progress=progress)
    return ParallelVectors.of(domains)
