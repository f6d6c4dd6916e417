"""The texts of the benchmark of frequent questions."""

from collections import Counter

from interlingua.benchmarks.search.faq import _nonsense, _table


def test_rows_say_the_same_in_every_language():
    for name, languages in (("shop", 6), ("library", 8)):
        table = _table(name)
        assert len(table) == languages
        assert {len(rows) for rows in table.values()} == {16}
        assert all(len({text for row in rows for text in row}) == 32 for rows in table.values())


def test_nonsense_is_ten_of_ten_kinds_and_none_is_in_both():
    shop, library = (_nonsense(name) for name in ("shop", "library"))
    for each in (shop, library):
        assert set(Counter(kind for kind, _ in each).values()) == {10}
        assert len({kind for kind, _ in each}) == 10
    both = {text for _, text in shop} & {text for _, text in library}
    assert not both
