import pytest

from interlingua.pipelines.encoders.static import WordSegmenter


@pytest.mark.parametrize(
    ("vocabulary", "text", "words"),
    [
        ({"the", "cat"}, "The CAT, the cat!", ["the", "cat", "the", "cat"]),
        ({"Cat", "cat"}, "Cat cat", ["Cat", "cat"]),
        ({"l", "eau", "aujourd'hui"}, "l'eau (aujourd'hui)", ["l", "eau", "aujourd'hui"]),
        ({"well", "known"}, "well-known unknown", ["well", "known"]),
        ({"café"}, "cafe\u0301", ["café"]),
        ({"U.S.", "a"}, "U.S. a", ["U.S.", "a"]),
        ({"हिन्दी", "भाषा"}, "हिन्दी-भाषा।", ["हिन्दी", "भाषा"]),
        ({"火车", "火车票", "票", "买"}, "我买火车票。", ["买", "火车票"]),
        ({"東京", "へ", "行く"}, "東京へ行く", ["東京", "へ", "行く"]),
        ({"ฉัน", "รัก", "แมว"}, "ฉันรักแมว", ["ฉัน", "รัก", "แมว"]),
        ({"3", "cats"}, "3cats 3 cats", ["3", "cats"]),
        ({"a"}, "", []),
        ({"a"}, " \t\n!?", []),
        (set(), "word 火车", []),
    ],
)
def test_the_words_of_the_vocabulary_are_found(vocabulary, text, words):
    assert list(WordSegmenter(vocabulary).words(text)) == words


def test_the_longest_match_does_not_swallow_what_follows_an_unknown_character():
    assert list(WordSegmenter({"中国", "国家"}).words("㐂中国家")) == ["中国"]
