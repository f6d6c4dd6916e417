"""Make the bridge that comes with the package: of texts that are free to redistribute.

    python -m interlingua.benchmarks bridge_packed JARGON.dict.dz WORDNET

Two works, as Debian's packages `dict-jargon` 4.4.7 and `wordnet-base` 3.0 bring them: the Jargon File, which is in the
public domain, and WordNet's glosses, whose licence lets anyone use, copy, modify and distribute them. The bridge holds
means and a matrix, and none of the texts.
"""

import gzip
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from interlingua.benchmarks.training.distillation import teacher_folder
from interlingua.pipelines import load_encoder
from interlingua.pipelines.bridge import BridgeTexts, fit_text_bridge
from interlingua.pipelines.bridge.texts import opening

SOURCES = (
    "The Jargon File, version 4.4.7, 29 Dec 2003 (public domain), entries",
    "WordNet 3.0, Copyright 2006 by Princeton University, glosses",
)
_GLOSSES = 3000
_SEED = 4
_LONGEST = 400  # characters of a text
_REFERENCE = re.compile(r"[{}]")
_KIND = re.compile(r"^ *(//,?|/[^/]*/,?|n\.|vt?\.|vi\.|adj\.|adv\.|interj\.|excl\.|prep\.|suff\.|pref\.|[,;/ ])+")
_SENSE = re.compile(r"^\d+\. |^\[[^\]]*\] *")


def read_jargon(path: Path) -> list[tuple[str, str]]:
    """Return first sentence and text of each entry of the Jargon File in dictd's format.

    Parameters
    ----------
    path : Path
        ``jargon.dict.dz``: a headword at a line's beginning, then its text, indented.
    """
    found, word, lines = [], "", list[str]()
    for line in [*gzip.decompress(path.read_bytes()).decode("utf-8").splitlines(), "end"]:
        if line[:1] not in ("", " "):
            if pair := _entry(word, lines):
                found.append(pair)
            word, lines = line.strip(), []
        else:
            lines.append(line.strip())
    return found


def _entry(word: str, lines: list[str]) -> tuple[str, str] | None:
    text = _REFERENCE.sub("", " ".join(" ".join(lines).split()))
    text = _SENSE.sub("", _SENSE.sub("", _KIND.sub("", text)))
    if word.startswith("00-") or len(text) < 60 or len(lines) < 2 or not text[:1].isupper():
        return None
    return opening(text), f"{word}: {text}"[:_LONGEST]


def read_glosses(folder: Path, count: int, seed: int = _SEED) -> list[tuple[str, str]]:
    """Return definition, and words with definition and examples, of some synonym sets of WordNet.

    Parameters
    ----------
    folder : Path
        With WordNet's ``data.noun``, ``data.verb`` and ``data.adj``.
    count : int
        Sets, drawn of those whose definition has 30 characters or more; half of them, where there are as many, have
        an example.
    seed : int
        Of the draw.
    """
    plain, shown = list[tuple[str, str]](), list[tuple[str, str]]()
    for kind in ("noun", "verb", "adj"):
        for line in (folder / f"data.{kind}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  ") or " | " not in line:
                continue
            head, gloss = line.split(" | ", 1)
            fields = head.split()
            words = [each.partition("(")[0].replace("_", " ") for each in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            meaning = gloss.strip().partition('; "')[0]
            if len(meaning) >= 30 and not words[0][:1].isupper():
                text = f"{', '.join(words)}: {gloss.strip()}"[:_LONGEST]
                (shown if '; "' in gloss else plain).append((meaning, text))
    rng = np.random.default_rng(seed)
    half = min(len(shown), count // 2)
    draws = ((shown, half), (plain, min(len(plain), count - half)))
    return [some[row] for some, n in draws for row in rng.permutation(len(some))[:n]]


def free_texts(jargon: Path, wordnet: Path) -> BridgeTexts:
    """Return the texts that the packed bridge is fitted on, mixed, each once."""
    pairs = [*read_jargon(jargon), *read_glosses(wordnet, _GLOSSES)]
    once = list({long: (short, long) for short, long in pairs}.values())
    order = np.random.default_rng(_SEED).permutation(len(once))
    return BridgeTexts(tuple(once[row][0] for row in order), tuple(once[row][1] for row in order), "en")


def bridge_packed(
    jargon: Path, wordnet: Path, count: int = 1600, output: Path = Path("pipelines/data/minilm.bridge")
) -> None:
    """Fit the bridge from multilingual-e5-small to all-MiniLM-L6-v2 that comes with the package, and write it.

    Parameters
    ----------
    jargon : Path
        ``jargon.dict.dz`` of Debian's dict-jargon.
    wordnet : Path
        The folder of Debian's wordnet-base, with ``data.noun``.
    count : int
        How many of the texts to fit on.
    output : Path
        Where to write it.
    """
    every = free_texts(jargon, wordnet)
    texts = BridgeTexts(every.short[:count], every.long[:count], every.language)
    made = fit_text_bridge(texts, load_encoder(), load_encoder(teacher_folder()), progress=True)
    target = replace(made.target, name="sentence-transformers/all-MiniLM-L6-v2")
    told = {**made.provenance, "sources": list(SOURCES), "licence": "Apache-2.0"}
    replace(made, target=target, provenance=told).save(output)
    sys.stdout.write(f"{output}: {len(texts)} texts, {made.method}, kept {made.scores['kept@10']:.3f}\n")
