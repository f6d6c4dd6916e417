"""Article retrieval in the Universal Declaration of Human Rights, all ordered pairs of 41 languages.

    python -m interlingua.benchmarks udhr

The data is in the package. Means are taken from the 30 articles themselves (transductive).
"""

import sys
from collections.abc import Iterator
from typing import Any

from interlingua.align import Centring
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines import Encoder, load_declaration, load_encoder
from interlingua.pipelines.demo.demo import article_retrieval

_WORST = 5


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Encode and score every method: the mean and the five worst pairs of each."""
    encoder = load_encoder() if encoder is None else encoder
    raw = {
        code: encoder.encode(each.articles, role="passage", progress=sys.stderr.isatty())
        for code, each in load_declaration().items()
    }
    space = Centring().fit(raw, encoder=encoder.identity).space_
    aligned = {code: space.transform(vectors, code) for code, vectors in raw.items()}
    methods: dict[str, tuple[dict[str, Any], Any]] = {
        "cosine (raw)": (raw, "nn"),
        "CSLS alone": (raw, "csls"),
        "centred": (aligned, "nn"),
        "centred + CSLS": (aligned, "csls"),
    }
    for method, (vectors, criterion) in methods.items():
        scores = article_retrieval(vectors, criterion=criterion)
        named = {f"UDHR, mean of {len(scores.pairs)} pairs": (scores.mean, len(scores.pairs))}
        named |= {f"UDHR, worst: {source}-{target}": (value, 30) for (source, target), value in scores.worst(_WORST)}
        for data, (value, n) in named.items():
            yield Case(task="article retrieval", data=data, method=method, figures={"top-1 %": 100 * value}, n=n)
