"""Answer retrieval between each two of six languages, with and without hub correction.

    python -m interlingua.benchmarks.sentences.xquad_r_pairs

XQuAD-R (Roy et al. 2020, doi:10.18653/v1/2020.emnlp-main.477) in en de es ru zh ar: questions of one language are asked
of the sentences of another, one of which is right, so that mAP@20 is the mean reciprocal rank cut at 20. *All* asks one
pool of all languages for the six translations of the answer. Means come from the unlabelled questions and sentences
themselves (transductive). CSLS takes from a sentence's score its mean cosine with its ten nearest questions; the
questions of a pair's language, or of all languages in the mixed pool.
"""

import sys
from typing import Any

import numpy as np

from interlingua.align import Centring, mean_neighbor_similarity
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import Encoder, load_encoder

from .xquad_r import Pool, rank_metrics, read_pools

COMMAND = "python -m interlingua.benchmarks.sentences.xquad_r_pairs"
_NEIGHBORS = 10


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Encode, score every pair, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    pool = read_pools(encoder)[0]
    asking, searched = (Centring().fit(each).space_ for each in (pool.questions, pool.sentences))
    centred = Pool(
        {name: asking.transform(each, name) for name, each in pool.questions.items()},
        {name: searched.transform(each, name) for name, each in pool.sentences.items()},
        pool.answers,
    )
    rows: list[dict[str, Any]] = []
    for method, chosen, corrected in (
        ("raw", pool, False),
        ("raw + CSLS", pool, True),
        ("centring", centred, False),
        ("centring + CSLS", centred, True),
    ):
        with watch() as working:
            found = pair_scores(chosen, corrected=corrected)
        between = [value for (one, two), value in found.items() if two not in ("all", one)]
        found["mean", "others"] = float(np.mean(between))
        found["mean", "own"] = float(np.mean([found[name, name] for name in pool.questions]))
        found["mean", "all"] = float(np.mean([found[name, "all"] for name in pool.questions]))
        n = len(next(iter(pool.questions.values())))
        rows += [
            row(task="answer retrieval, mAP@20", data=f"questions: {asked}", method=method, metric=f"in {answered}",
                value=value, n=n, command=COMMAND, seconds=working.seconds, peak_mb=peak_mb())
            for (asked, answered), value in found.items()
        ]  # fmt: skip
    order = [*pool.questions, "mean"]
    return sorted(rows, key=lambda each: order.index(each["data"].removeprefix("questions: ")))


def pair_scores(pool: Pool, *, corrected: bool) -> dict[tuple[str, str], float]:
    """Return mAP@20 by language of the questions and of the sentences, "all" being the pool of all languages."""
    asked = np.concatenate(list(pool.questions.values()))
    everything = np.concatenate(list(pool.sentences.values()))
    sizes = np.cumsum([0] + [len(each) for each in pool.sentences.values()])
    right = np.stack([pool.answers[name] + start for name, start in zip(pool.sentences, sizes)], axis=1)
    found = {}
    mixed = mean_neighbor_similarity(everything, asked, _NEIGHBORS) if corrected else None
    for one, questions in pool.questions.items():
        for two, sentences in pool.sentences.items():
            scores = questions @ sentences.T
            if corrected:
                scores = 2 * scores - mean_neighbor_similarity(sentences, questions, _NEIGHBORS)
            found[one, two] = float(rank_metrics(scores, pool.answers[two][:, None])[1].mean())
        scores = questions @ everything.T
        if mixed is not None:
            scores = 2 * scores - mixed
        found[one, "all"] = float(rank_metrics(scores, right)[1].mean())
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("xquad_r_pairs", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
