"""Response selection among 100, in one language and across languages, from parallel news.

    python -m interlingua.benchmarks respond

The dialogues are made from NTREX-128: two consecutive sentences of a news document are the turns, the next sentence of
the document is the reply, and 99 sentences of other documents, drawn at random, are the other candidates. Turns and
candidates may be of different languages. *Last turn* leaves the first of the two turns out. News sentences follow each
other more loosely than turns of a dialogue, so the figures are low; chance is 1 %.
"""

from collections.abc import Iterator

import numpy as np

from interlingua.benchmarks.harness.datasets import read_ntrex, read_ntrex_documents
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import Encoder, Exchange, ResponseSelector, load_encoder

_PAIRS = (("eng", "eng"), ("deu", "deu"), ("tur", "tur"), ("deu", "eng"), ("zho-CN", "eng"), ("fin", "rus"))
_POOLS, _POOL = 20, 100
_ASKED = 20  # dialogues a pool


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Build the pools, and ask."""
    encoder = load_encoder() if encoder is None else encoder
    documents = np.array(read_ntrex_documents())
    for said, replied in _PAIRS:
        turns, replies = (read_ntrex(language) for language in (said, replied))
        right: dict[str, list[bool]] = {"both turns": [], "last turn": []}
        with watch() as working:
            for seed in range(_POOLS):
                rng = np.random.default_rng(seed)
                pool = _pool(documents, rng)
                exchanges = [Exchange(replies[line], language=replied) for line in pool]
                bot = ResponseSelector.build(exchanges, encoder)
                for line in pool[:_ASKED]:
                    for name, decay in (("both turns", 0.3), ("last turn", 0.0)):
                        bot.decay = decay
                        found = bot.respond(turns[line - 2 : line], 1, language=said)
                        right[name].append(found[0].response == replies[line])
        for name, values in right.items():
            yield Case(task="response selection among 100", data=f"NTREX-128, {said} to {replied}", method=name,
                       figures={"recall@1": float(np.mean(values))}, n=len(values),
                       seconds=working.seconds / 2)  # fmt: skip


def _pool(documents: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the lines of 100 replies, of 20 documents those first that are asked for, all others from other ones."""
    third = np.flatnonzero((documents[2:] == documents[1:-1]) & (documents[1:-1] == documents[:-2])) + 2
    chosen: list[int] = []
    used: set[str] = set()
    for line in rng.permutation(third):
        if documents[line] not in used:
            chosen.append(int(line))
            used.add(documents[line])
        if len(chosen) == _ASKED:
            break
    others = rng.permutation([line for line in range(len(documents)) if documents[line] not in used])
    return [*chosen, *(int(line) for line in others[: _POOL - _ASKED])]
