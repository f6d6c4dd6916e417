"""evaluate: test dictionaries, judgements of similarity, analogies."""

import gzip
import json

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.space import Normalization, SpaceMap


@pytest.fixture
def known(tmp_path):
    """Eight words on the axes, of which the space translates six right; a test of ten words."""
    eye = np.eye(8, dtype=np.float32)
    english = tuple(f"e{i}" for i in range(8))
    Embeddings(english, eye, "en").write(tmp_path / "en.vec")
    order = [0, 1, 2, 3, 4, 5, 7, 6]  # the last two are swapped
    Embeddings(tuple(f"f{i}" for i in order), eye, "fr").write(tmp_path / "fr.vec")
    unchanged = SpaceMap(Normalization.fit(eye, "unit"))
    SharedSpace({"en": unchanged, "fr": unchanged}, method="identity").save(tmp_path / "space")
    pairs = [(f"e{i}", f"f{i}") for i in range(8)] + [("unknown", "f1"), ("e1", "other"), ("odd", "even")]
    SeedDictionary(tuple(pairs)).write(tmp_path / "test.tsv")
    return tmp_path


def evaluate(known, *options):
    vectors = ("--vectors", f"en={known}/en.vec", f"fr={known}/fr.vec")
    return ("evaluate", known / "space", "--dictionary", known / "test.tsv", *vectors, *options)


def test_evaluate_counts_what_it_scores_and_what_it_leaves_out(cli, known):
    result = cli(*evaluate(known, "--criterion", "nn", "--json", "--quiet")).result
    assert (result["source"], result["target"]) == ("en", "fr")
    assert result["precision_at_1"] == 6 / 8
    assert (result["n_words"], result["n_asked"], result["coverage"]) == (8, 10, 0.8)
    assert result["precision_at_1_missing_as_wrong"] == pytest.approx(6 / 10)
    assert "left out" in result["convention"]
    assert result["interval"]["low"] < 0.75 < result["interval"]["high"]
    assert [(each["first"], each["last"], each["n_words"]) for each in result["bins"]] == [(1, 8, 8)]
    assert result["precision_at_10"] == 1.0
    assert result["hubness"]["n_candidates"] == 8


def test_evaluate_prints_tables(cli, known):
    done = cli(*evaluate(known, "--quiet"))
    assert done.code == 0
    for part in ("8 of 10 (80.0 %)", "95 % interval", "1 to 8", "left out", "skewness"):
        assert part in done.out


def test_evaluate_refuses_unknown_languages_and_one_language_twice(cli, known):
    arguments = ("evaluate", known / "space", "--dictionary", known / "test.tsv", "--vectors")
    done = cli(*arguments, f"en={known}/en.vec", f"de={known}/fr.vec")
    assert done.code == 1
    assert "has no language 'de'" in done.err
    assert cli(*arguments, f"en={known}/en.vec", f"en={known}/fr.vec").code == 2


def test_evaluate_scores_judgements_and_analogies_before_and_after_the_map(cli, known):
    (known / "en.tsv").write_text("e0\te0\t9\ne0\te1\t1\nE1\te1\t8\ne0\tnone\t2\n")
    (known / "en-fr.tsv").write_text("e0\tf0\t9\ne0\tf1\t1\ne1\tf2\t1\ne6\tf6\t0\n")
    (known / "questions.txt").write_text(": axes\ne0 e1 e0 e1\ne0 e1 e0 e2\n: others\ne0 e1 e2 none\n")
    given = ("--judgements", known / "en.tsv", f"en-fr={known}/en-fr.tsv", "--analogies", known / "questions.txt")
    result = cli(*evaluate(known, *given, "--json", "--quiet")).result
    alone, across = result["judgements"]
    assert (alone["file"], alone["languages"], alone["n_pairs"], alone["n_asked"]) == (
        str(known / "en.tsv"),
        ["en"],
        3,
        4,
    )
    assert alone["spearman_before"] == alone["spearman"] == pytest.approx(0.866, abs=1e-3)
    assert (across["languages"], across["n_pairs"], across["spearman_before"]) == (["en", "fr"], 4, None)
    assert across["spearman"] == pytest.approx(0.816, abs=1e-3)
    (analogies,) = result["analogies"]
    assert (analogies["language"], analogies["n_scored"], analogies["n_asked"]) == ("en", 2, 3)
    assert analogies["by_section"] == {"axes": analogies["accuracy"]}
    shown = cli(*evaluate(known, *given, "--quiet")).out
    for part in ("judgements of", "3 of 4", "0.866", "en-fr", "analogies of", "2 of 3"):
        assert part in shown


def test_what_a_map_does_to_a_language_is_told_by_its_judgements(cli, known):
    """Centring takes away what all words share, and with it an order of cosines."""
    vectors = np.array([[5, 0.1, 0], [5, -0.1, 0], [5, 1, 1], [5, 2, 2], [5, -3, -3]], np.float32)
    Embeddings(tuple("abcde"), vectors, "en").write(known / "en.vec")
    maps = {name: SpaceMap(Normalization.fit(vectors, "centre")) for name in ("en", "fr")}
    SharedSpace(maps, method="identity").save(known / "space")
    Embeddings(tuple("abcde"), vectors, "fr").write(known / "fr.vec")
    SeedDictionary((("a", "a"),)).write(known / "test.tsv")
    (known / "said.tsv").write_text("a\tb\t9\nc\td\t1\n")
    done = cli(*evaluate(known, "--judgements", f"fr={known}/said.tsv", "--json", "--quiet"))
    (scored,) = done.result["judgements"]
    assert scored["languages"] == ["fr"]
    assert (scored["spearman_before"], scored["spearman"]) == pytest.approx((1.0, -1.0))


def test_judgements_name_languages_of_the_space_and_may_cover_nothing(cli, known):
    (known / "none.tsv").write_text("x\ty\t1\n")
    done = cli(*evaluate(known, "--judgements", f"en={known}/none.tsv", "--json", "--quiet"))
    assert (done.result["judgements"][0]["n_pairs"], done.result["judgements"][0]["spearman"]) == (0, None)
    for option, languages in (("--judgements", "en or fr or en-fr"), ("--analogies", "en or fr")):
        done = cli(*evaluate(known, option, f"de={known}/none.tsv"))
        assert done.code == 2
        assert f"{option} takes LANGUAGE=FILE, of {languages}, but got 'de=" in done.err


def test_judgements_need_no_dictionary(cli, known):
    (known / "said.tsv").write_text("e0\te1\t1\ne2\te3\t2\ne4\te5\t3\n", encoding="utf-8")
    vectors = ("--vectors", f"en={known}/en.vec", f"fr={known}/fr.vec")
    found = cli("evaluate", known / "space", *vectors, "--judgements", known / "said.tsv", "--json")
    assert found.code == 0
    assert found.result["judgements"][0]["n_pairs"] == 3
    assert "precision_at_1" not in found.result
    shown = cli("evaluate", known / "space", *vectors, "--judgements", known / "said.tsv")
    assert "judgements of" in shown.out
    assert "P@1" not in shown.out
    nothing = cli("evaluate", known / "space", *vectors)
    assert nothing.code == 2
    assert "--dictionary TEST, --judgements or --analogies" in nothing.err


def test_scoring_on_the_dictionary_that_was_learned_from_is_told(cli, word_files, space_file):
    test = word_files.folder / "test.tsv"
    SeedDictionary((("book", "livre"), ("night", "nuit"))).write(test)
    vectors = ("--vectors", f"en={word_files.en}", f"fr={word_files.fr}")
    told = cli("evaluate", space_file, "--dictionary", word_files.pairs, *vectors)
    assert "the space was learned from this dictionary" in told.err
    assert "learned from" not in cli("evaluate", space_file, "--dictionary", test, *vectors).err


def test_compressed_dictionaries_judgements_and_analogies_are_read_and_named(cli, known):
    (known / "en.tsv").write_text("e0\te0\t9\ne0\te1\t1\nE1\te1\t8\n")
    (known / "questions.txt").write_text(": axes\ne0 e1 e0 e1\ne0 e1 e0 e2\n")
    for name in ("test.tsv", "en.tsv", "questions.txt"):
        (known / f"{name}.gz").write_bytes(gzip.compress((known / name).read_bytes()))
    vectors = ("--vectors", f"en={known}/en.vec", f"fr={known}/fr.vec", "--json", "--quiet")

    def scored(end):
        given = ("--judgements", known / f"en.tsv{end}", "--analogies", known / f"questions.txt{end}")
        return cli("evaluate", known / "space", "--dictionary", known / f"test.tsv{end}", *given, *vectors).result

    plain, packed = scored(""), scored(".gz")
    assert plain["judgements"][0]["n_pairs"] == 3
    for part, other in zip(plain["judgements"] + plain["analogies"], packed["judgements"] + packed["analogies"]):
        assert other.pop("file") == f"{part.pop('file')}.gz"
    assert json.dumps(packed).replace(".tsv.gz", ".tsv") == json.dumps(plain)
    (known / "bad.gz").write_bytes(gzip.compress(b"sun\tsoleil\n\xff\n"))
    done = cli("evaluate", known / "space", "--dictionary", known / "bad.gz", *vectors)
    assert done.code == 1
    assert "bad.gz, line 2: the line is not UTF-8" in done.err
