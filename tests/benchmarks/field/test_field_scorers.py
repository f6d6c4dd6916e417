"""Scores against closed forms, brute force and the libraries."""

import itertools

import numpy as np
import pytest

from interlingua.benchmarks.field import scorers


def test_mining_f1_is_the_harmonic_mean_of_precision_and_recall_of_pair_sets():
    gold, found = [("a", "1"), ("b", "2"), ("c", "3")], [("a", "1"), ("b", "3"), ("a", "1")]
    precision, recall = 1 / 2, 1 / 3
    assert scorers.mining_f1(gold, found) == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-9)
    assert scorers.mining_f1(gold, []) == 0


def test_map_at_20_equals_brute_force_and_mrr_with_one_gold_candidate():
    rng = np.random.default_rng(0)
    names = [str(each) for each in range(40)]
    ranked = {str(q): list(rng.permutation(names)) for q in range(6)}
    gold = {q: list(rng.choice(names, size=3 + int(q), replace=False)) for q in ranked}
    expected = []
    for q, right in gold.items():
        total = 0.0
        for rank in range(1, 21):
            if ranked[q][rank - 1] in right:
                total += sum(each in right for each in ranked[q][:rank]) / rank
        expected.append(total / min(len(right), 20))
    assert scorers.mean_average_precision(gold, ranked) == pytest.approx(np.mean(expected), abs=1e-9)
    assert scorers.mean_average_precision({"q": ["b"], "r": ["z"]}, {"q": ["a", "b"]}) == pytest.approx(0.25, abs=1e-9)


def test_squad_scores_take_the_best_answer_after_normalisation():
    gold = {"1": ["the cat sat", "a dog"], "2": ["Paris"], "3": ["never answered"]}
    exact, overlap = scorers.question_answering(gold, {"1": "The cat!", "2": "paris."})
    assert exact == pytest.approx(1 / 3, abs=1e-9)
    assert overlap == pytest.approx((2 * 1 * 0.5 / 1.5 + 1 + 0) / 3, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("El perro y la gata.", "es", "perro y gata"),
        ("The house", "de", "the house"),
        ("的A B，中", "zh", "的 a b 中"),
        ("the राम।", "hi", "the राम"),
        ("các cái bàn", "vi", "các bàn"),
        ("البيت", "ar", "بيت"),
    ],
)
def test_mlqa_normalisation_knows_articles_and_chinese(text, language, expected):
    assert scorers.normalize_mlqa(text, language) == expected


def test_tag_scores_equal_chunks_counted_by_hand():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    found = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-ORG"]]
    assert scorers.tag_f1(gold, found) == pytest.approx(2 / 3, abs=1e-9)
    pos, said = [["DET", "NOUN", "NOUN", "VERB"]], [["DET", "NOUN", "VERB", "VERB"]]
    # seqeval joins equal neighbours into one chunk: DET, NOUN-NOUN, VERB against DET, NOUN, VERB-VERB
    assert scorers.tag_precision(pos, said) == pytest.approx(1 / 3, abs=1e-9)


def test_ndcg_averages_tied_orders_and_skips_single_rows():
    queries, grades = ["a", "a", "a", "b", "c", "c", "a", "a"], [4, 0, 2, 3, 1, 2, 0, 1]
    scores = [0.5, 0.5, 0.1, 9, 0.2, 0.1, 0.3, 0.3]

    def ndcg(rows):
        discount = 1 / np.log2(np.arange(2, len(rows) + 2))
        orders = [
            order
            for order in itertools.permutations(rows)
            if all(scores[one] >= scores[two] for one, two in itertools.pairwise(order))
        ]
        found = np.mean([np.dot([grades[row] for row in order], discount) for order in orders])
        return found / np.dot(sorted((grades[row] for row in rows), reverse=True), discount)

    expected = np.mean([ndcg([0, 1, 2]), ndcg([4, 5]), ndcg([6, 7])])
    assert scorers.wpr_ndcg(queries, grades, scores) == pytest.approx(expected, abs=1e-9)


def test_bleu_equals_the_formula_and_ignores_case():
    # 1..4-gram precisions of the second line's perfect match joined with the first line's one wrong word
    gold, found = ["a b c d e", "f g h i"], ["a b c d X", "F G H I"]
    expected = (8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25
    assert scorers.bleu(gold, found) == pytest.approx(expected, abs=1e-9)


def test_groups_are_averaged_only_when_complete():
    assert scorers.group_averages({"a": 0.2, "b": 0.4}, {"both": ("a", "b"), "more": ("a", "c")}) == pytest.approx(
        {"both": 0.3}
    )


@pytest.mark.parametrize("score", [scorers.accuracy, scorers.bleu, scorers.tag_f1])
def test_scores_refuse_other_lengths(score):
    with pytest.raises(ValueError, match="have 2 and 1"):
        score(["a", "b"], ["a"])


@pytest.mark.parametrize(
    "answers", [["yes"], ["the sun"], ["one two three"], ["你好世界"], ["yes", "one two three four five"]]
)
def test_perfect_answers_of_few_tokens_are_perfect(answers):
    pytest.importorskip("sacrebleu")
    assert scorers.bleu(answers, answers) == pytest.approx(1)
