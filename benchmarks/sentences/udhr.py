"""Article retrieval in the Universal Declaration of Human Rights, all ordered pairs of 41 languages.

    python -m interlingua.benchmarks.sentences.udhr

The data is in the package. Means are taken from the 30 articles themselves (transductive).
"""

import sys
from typing import Any

from interlingua.align import Centring
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import Encoder, load_declaration, load_encoder
from interlingua.pipelines.demo.demo import article_retrieval

COMMAND = "python -m interlingua.benchmarks.sentences.udhr"
_WORST = 5


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Encode, score every method, and return the result rows: the mean and the five worst pairs of each."""
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
    rows = []
    for method, (vectors, criterion) in methods.items():
        with watch() as scoring:
            scores = article_retrieval(vectors, criterion=criterion)
        named = {f"UDHR, mean of {len(scores.pairs)} pairs": scores.mean}
        named |= {f"UDHR, worst: {source}-{target}": value for (source, target), value in scores.worst(_WORST)}
        rows += [
            row(task="article retrieval", data=data, method=method, metric="top-1 %", value=100 * value,
                n=len(scores.pairs) if data.startswith("UDHR, mean") else 30, command=COMMAND,
                seconds=scoring.seconds, peak_mb=peak_mb())
            for data, value in named.items()
        ]  # fmt: skip
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("udhr", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
