"""The texts of the benchmark of long texts, and how it counts."""

from types import SimpleNamespace

import pytest

from interlingua.benchmarks.search.long_texts import Asked, _figures, _joined, _questions, joined_by_tokens


class Letters:
    """Reads each letter as a token."""

    def token_spans(self, texts):
        return [[(place, place + 1) for place in range(len(text))] for text in texts]


def test_neighbours_are_joined_until_they_are_long_enough():
    assert joined_by_tokens([1000, 900, 200, 2500, 300], 2000) == [range(0, 3), range(3, 5)]
    assert joined_by_tokens([5], 10) == [range(0, 1)]
    assert joined_by_tokens([], 10) == []


def test_the_answer_of_each_question_is_where_its_place_says():
    said = [("a sun", "sun"), ("moon by night", "night"), ("the sea", "sea")]
    paragraphs = [
        {"context": text, "qas": [{"question": f"{answer}?", "answers": [
            {"text": answer, "answer_start": text.index(answer)}]}]}
        for text, answer in said
    ]  # fmt: skip
    groups = [range(0, 2), range(2, 3)]
    texts = [_joined(paragraphs, rows) for rows in groups]
    asked = _questions(Letters(), "en", paragraphs, groups, texts)
    assert [(each.group, texts[each.group][slice(*each.answer)]) for each in asked] == [
        (0, "sun"), (0, "night"), (1, "sea")]  # fmt: skip
    assert [each.token for each in asked] == [each.answer[0] for each in asked]


def test_figures_count_inside_beyond_and_the_window():
    asked = [
        Asked("?", "en", 0, (900, 905), 100),
        Asked("?", "en", 1, (5000, 5005), 900),
        Asked("?", "en", 1, (1, 2), 500),
    ]
    hit = lambda id, *window: SimpleNamespace(id=id, window=window or None)  # noqa: E731
    answers = [[hit("de-0"), hit("en-0", 800, 1000)], [hit("en-2"), hit("en-1", 0, 4000)], [hit("en-1")]]
    found = _figures(asked, answers, 512)
    assert found == pytest.approx(
        {"inside, right first %": 100, "beyond, right first %": 0, "window with the answer %": 50}
    )
