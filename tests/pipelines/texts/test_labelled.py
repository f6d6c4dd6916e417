"""Readers, nested samples and splits of labelled texts and words."""

from collections import Counter

import numpy as np
import pytest

from interlingua.pipelines.texts.labelled import (
    Labelled,
    LabelledWords,
    nested_order,
    read_conll,
    read_labelled,
)

CONLLU = """\
# sent_id = 1
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tIN\t_\t3\tcase\t_\t_
2\tle\tle\tDET\tDT\t_\t3\tdet\t_\t_
2.1\tnul\t_\tX\t_\t_\t_\t_\t_\t_
3\tpain\tpain\tNOUN\tNN\t_\t0\troot\t_\t_

# sent_id = 2
1\tOui\toui\tINTJ\tUH\t_\t0\troot\t_\t_
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_every_beginning_of_the_order_is_stratified(seed):
    labels = ["a"] * 50 + ["b"] * 30 + ["c"] * 15 + ["d"] * 5
    order = nested_order(labels, seed=seed)
    assert sorted(order) == list(range(100))
    for size in (8, 20, 32, 64, 100):
        counts = Counter(labels[row] for row in order[:size])
        for label, share in (("a", 0.5), ("b", 0.3), ("c", 0.15), ("d", 0.05)):
            assert abs(counts[label] - share * size) <= 1.01


def test_the_order_is_drawn_from_its_seed():
    labels = ["a", "b"] * 20
    assert nested_order(labels) == nested_order(labels)
    assert nested_order(labels) != nested_order(labels, seed=1)


def test_conllu_keeps_words_and_drops_ranges_and_empty_nodes(tmp_path):
    path = tmp_path / "fr.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    read = read_conll(path, "fr")
    assert read.texts == (("de", "le", "pain"), ("Oui",))
    assert read.labels == (("ADP", "DET", "NOUN"), ("INTJ",))
    assert read_conll(path, "fr", column=4).labels[0] == ("IN", "DT", "NN")


@pytest.mark.parametrize("gap", ["\t", " "])
def test_conll_columns_are_the_word_and_its_last_tag(tmp_path, gap):
    path = tmp_path / "ner.txt"
    path.write_text(f"-DOCSTART- O\n\nAda{gap}x{gap}B-PER\r\nran{gap}x{gap}O\n\n\nHi{gap}x{gap}O", encoding="utf-8")
    read = read_conll(path, "en")
    assert read.texts == (("Ada", "ran"), ("Hi",))
    assert read.labels == (("B-PER", "O"), ("O",))


def test_a_word_without_a_tag_is_named(tmp_path):
    path = tmp_path / "ner.txt"
    path.write_text("Ada B-PER\nran\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: expected a word and its tag"):
        read_conll(path, "en")


def test_columns_of_texts_go_by_name_or_number(tmp_path):
    path = tmp_path / "texts.tsv"
    path.write_text("id\tcategory\ttext\n7\tsports\tthe ball\n8\ttravel\ta \u2028 ship\n", encoding="utf-8")
    read = read_labelled(path, "en")
    assert read == Labelled(("the ball", "a \u2028 ship"), ("sports", "travel"), "en")
    assert read_labelled(path, "en", text=2, label=1).texts[0] == "text"
    with pytest.raises(ValueError, match=r"no column 'topic'; .* id, category, text"):
        read_labelled(path, "en", label="topic")
    path.write_text("category\ttext\nsports\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: expected 2 columns as in the first line, got 1"):
        read_labelled(path, "en")


def test_what_does_not_correspond_is_refused():
    with pytest.raises(ValueError, match="do not correspond"):
        Labelled(("a",), (), "en")
    with pytest.raises(ValueError, match="one label"):
        LabelledWords((("a", "b"),), (("X",),), "en")
    assert Labelled(("a", "b"), ("x", "y"), "en").select(np.array([1])).texts == ("b",)


@pytest.mark.parametrize("columns", [{}, {"text": 0, "label": 1}])
@pytest.mark.parametrize("content", ["", "\n", "\ufeff"])
def test_an_empty_file_is_called_empty(tmp_path, columns, content):
    path = tmp_path / "empty.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"empty\.tsv: the file is empty"):
        read_labelled(path, "en", **columns)
