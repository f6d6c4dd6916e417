"""Names of any script in Latin letters, and how alike they are."""

import sys
import unicodedata

import numpy as np
import pytest

from interlingua.pipelines.link.spelling import SpellingIndex, romanized, spelt_names
from interlingua.pipelines.texts.characters import weighted
from interlingua.pipelines.texts.languages import main_script


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("ลอนดอน", "london"), ("ລອນດອນ", "lndn"), ("ភ្នំពេញ", "phnampenh"), ("ရန်ကုန်", "rnkun"), ("ལྷ་ས", "lhs"),
        ("አዲስ አበባ", "adis abeba"), ("މާލެ", "maale"), ("ܒܓܕܕ", "bgdd"), ("ᠤᠯᠠᠭᠠᠨ", "ulagan"), ("ᏣᎳᎩ", "tsalagi"),
        ("ꦗꦮ", "jw"), ("ⵜⵉⴼⵉⵏⴰⵖ", "tifinagh"), ("Երևան", "erevan"), ("Թուրքիա", "turkia"), ("ﬓ", "mn"),
        ("Kırıkkale", "kirikkale"), ("Þórshöfn", "thorshofn"), ("ایران‌شهر", "airanshhr"), ("٣٤", "34"), ("a—b", "a b"),
        ("Грузия", "gruziya"), ("조지아", "jojia"), ("ジョージア", "jiyojia"), ("格鲁吉亚", "gelujiya"),
        ("हॉलैंड", "holaimdd"),
    ],
)  # fmt: skip
def test_every_script_is_spelt_in_latin_letters(name, spelt):
    assert romanized(name) == spelt


def test_nothing_but_letters_digits_and_spaces_of_ascii_is_left():
    plain = set("abcdefghijklmnopqrstuvwxyz0123456789 ")
    some = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "LMNPSZ"]
    assert {letter for each in some[:: len(some) // 20_000] for letter in romanized(f"x{each}y")} <= plain
    # a letter that anyascii knows is never lost
    assert all(romanized(each) for each in ["ღ", "ཀ", "ක", "ꠀ", "ᜀ", "ᱚ", "ߒ", "ꯀ", "𐓘"])


def test_the_script_is_that_of_most_letters_whatever_their_width():
    assert [main_script(each) for each in ("ＡＢＣ", "ｶﾅ", "ลอนดอน", "5", "東京 Tokyo 都")] == [
        "LATIN", "KATAKANA", "THAI", "", "LATIN"]  # fmt: skip


def _common(one, other):
    """Return the length of the longest common subsequence, by the table of all beginnings."""
    best = np.zeros((len(one) + 1, len(other) + 1), int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            best[i + 1, j + 1] = best[i, j] + 1 if a == b else max(best[i, j + 1], best[i + 1, j])
    return best[-1, -1]


def test_likeness_is_that_of_the_longest_common_subsequence():
    rng = np.random.default_rng(0)
    names = [" ".join("".join(rng.choice(list("abc "), rng.integers(1, 80))).split()) or "a" for _ in range(40)]
    index = SpellingIndex(names)
    for mention in (*names[:4], "cab", "x"):
        found = index.likeness(mention, np.arange(5, 40))
        wanted = [2 * _common(mention[:64], name[:64]) / (len(mention[:64]) + len(name[:64])) for name in names[5:]]
        np.testing.assert_allclose(found[0], wanted, atol=1e-6)
        assert not found[1].any()


def test_chinese_characters_are_heard_as_kinds_of_consonants():
    index = SpellingIndex(["Georgia", "Jordan", "Panama"])
    letters, sounds = index.likeness("格鲁吉亚", np.arange(3))  # ge-lu-ji-ya: k-l-k, as g-r-g
    assert sounds.argmax() == 0
    assert sounds[0] == 1.0
    assert letters.max() < 0.65  # readings count less than letters
    assert index.scores(["格鲁吉亚"]).max() <= 0.65


def test_readings_of_one_or_two_characters_tell_less_than_longer_ones():
    index = SpellingIndex(["Demaguo", "Degelu"])
    shares = []
    for mention in ("德", "德国", "德国马", "德格鲁吉"):
        spelt = SpellingIndex([romanized(mention)])
        shares.append((spelt.scores([mention])[0, 0], spelt.likeness(mention, np.arange(1))[0, 0]))
    np.testing.assert_allclose(shares, 0.65 * np.array([[1 / 3] * 2, [2 / 3] * 2, [1, 1], [1, 1]]), atol=1e-6)
    assert index.scores(["deguo"]).max() > index.scores(["德国"]).max()
    assert index.scores([]).shape == (0, 2)


def test_scores_are_the_product_of_weighted_groups():
    names, mentions = ["Pavlov", "Ivan Pavlov", "Петров", "Ahmadou", "", "李小龍"], ["Pawlow", "Иван", "", "Ahmadu"]
    index = SpellingIndex(names)
    rows = [weighted(spelt_names(each).counts, index.weights) for each in (mentions, names)]
    np.testing.assert_allclose(index.scores(mentions), (rows[0] @ rows[1].T).toarray(), atol=1e-6)
