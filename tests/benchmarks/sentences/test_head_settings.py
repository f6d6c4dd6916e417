import numpy as np

from interlingua.align.sentence import Consensus, ParallelVectors
from interlingua.benchmarks.sentences.head_settings import left_out_scores


def test_a_domain_is_scored_by_what_was_learned_from_the_others():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 12)).astype(np.float32)
    learned = ParallelVectors.of(
        {name: {"eng": rows, "fin": rows + 1, "swh": rows + 2} for name in ("news", "verses")}
        | {"talks": {"eng": rows, "fin": rows + 1}}
    )
    others = ParallelVectors.of({"short": {"fin": rows + 1, "swh": rows + 2}})
    seen = []

    def fit(parallel):
        seen.append(set(parallel.domains))
        return Consensus(turn="none", shrinkage=None).fit(parallel).space_

    scores = left_out_scores(fit, learned, others)
    assert list(scores) == ["news", "verses", "talks", "short"]
    assert seen == [{"verses", "talks"}, {"news", "talks"}, {"news", "verses"}, {"news", "verses", "talks"}]
    assert all(there > 90 and back > 90 and surprisal < 0.5 for there, back, surprisal in scores.values())
