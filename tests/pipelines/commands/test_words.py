"""align in all its forms, translate, and the ranking that both share with evaluate."""

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.pipelines.encoders import load as encoder_loading

N = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Vectors of three languages that differ by rotations, with dictionaries; the first 40 words are numerals."""
    path = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 10)) * np.linspace(2, 0.3, 10) + np.linspace(0.5, 0, N)[:, None]
    for name in ("en", "fr", "ru"):
        turned = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + 0.05 * rng.normal(size=x.shape)
        Embeddings(words(name), turned.astype(np.float32), name).write(path / f"{name}.vec")
    for other in ("fr", "ru"):
        SeedDictionary(tuple(zip(words("en"), words(other), strict=True))[:350]).write(path / f"en-{other}.tsv")
    shuffled = rng.permutation(N).tolist()
    SeedDictionary(tuple((words("en")[i], words("fr")[shuffled[i]]) for i in range(350))).write(path / "wrong.tsv")
    return path


def words(language):
    return tuple(str(1000 + i) if i < 40 else f"{language}{i}" for i in range(N))


def right(folder, space, one, two):
    loaded = SharedSpace.load(space)
    mapped = [loaded.transform(Embeddings.read(folder / f"{name}.vec").vectors, name) for name in (one, two)]
    return float(((mapped[0] @ mapped[1].T).argmax(axis=1) == np.arange(N)).mean())


def test_align_starts_from_equal_strings(cli, folder, tmp_path):
    files = (folder / "en.vec", folder / "fr.vec")
    done = cli("align", *files, "--seeds", "numerals", "-o", tmp_path / "s", "--json", "--quiet")
    assert done.code == 0
    assert done.result["chosen"]["method"] == "self-learning"
    assert done.result["confidence"]["confidence"] > 0.5
    assert done.result["dictionary_pairs"] == 40
    assert right(folder, tmp_path / "s", "en", "fr") > 0.9


def test_align_takes_a_method_a_normalisation_and_shows_the_score(cli, folder, tmp_path):
    files = (folder / "en.vec", folder / "fr.vec", "--dictionary", folder / "en-fr.tsv")
    done = cli("align", *files, "--method", "multi-step", "--normalize", "unit", "-o", tmp_path / "s", "--quiet")
    assert "held-out P@1 (CSLS, 35 words)" in done.out
    space = SharedSpace.load(tmp_path / "s")
    assert (space.method, space.maps["en"].normalization.steps) == ("multi-step", ("unit",))


@pytest.mark.filterwarnings("default")  # as it is outside of the tests
def test_a_failed_alignment_ends_with_1_or_is_written_with_a_warning(cli, folder, tmp_path):
    files = ("align", folder / "en.vec", folder / "fr.vec", "--dictionary", folder / "wrong.tsv")
    arguments = (*files, "--method", "procrustes", "-o", tmp_path / "s")
    done = cli(*arguments, "--quiet")
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    for part in ("most likely failed", "25 or more translation pairs", "use --on-failure warn"):
        assert part in done.err
    assert not (tmp_path / "s").exists()
    done = cli(*arguments, "--on-failure", "warn")
    assert done.code == 0
    assert "warning: the alignment has most likely failed" in done.err
    assert "confidence, without any pair" in done.out
    assert SharedSpace.load(tmp_path / "s").scores["confidence"] < 0.5


def test_align_puts_many_languages_around_a_pivot(cli, folder, tmp_path):
    files = [f"{name}={folder}/{name}.vec" for name in ("en", "fr", "ru")]
    dictionaries = [f"en-{name}={folder}/en-{name}.tsv" for name in ("fr", "ru")]
    out = tmp_path / "hub"
    done = cli("align", *files, "--pivot", "en", "--dictionary", *dictionaries, "-o", out, "--json", "--quiet")
    assert done.code == 0
    assert done.result["languages"] == ["en", "fr", "ru"]
    assert done.result["dictionary_pairs"] == {"fr": 350, "ru": 350}
    assert done.result["held_out"]["en-ru precision_at_1"] > 0.9
    assert right(folder, out, "ru", "fr") > 0.9
    shown = cli("align", *files, "--pivot", "en", "--dictionary", *dictionaries, "-o", out, "--quiet").out
    assert "fr: pairs with vectors" in shown
    assert "en-ru: held-out P@1 (CSLS, 35 words)" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "c", "--unsupervised"), "for more languages say --pivot NAME"),
        (("a", "b", "--dictionary", "d", "e"), "two languages take one dictionary, but 2"),
        (("en=a", "fr=b", "--pivot", "de", "--dictionary", "en-fr=d"), "the pivot 'de' too"),
        (("en=a", "fr=b", "--pivot", "en", "--unsupervised"), "--pivot needs a --dictionary"),
        (("en=a", "fr=b", "--pivot", "en", "--dictionary", "d"), "is named en-LANGUAGE=FILE"),
        (("en=a", "fr=b", "ru=c", "--pivot", "en", "--dictionary", "en-fr=d"), "with 'en' is given for: ru"),
    ],
)
def test_files_and_dictionaries_that_do_not_fit_together_exit_with_2(cli, arguments, message):
    done = cli("align", *arguments, "-o", "s")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_only_one_start_can_be_given(cli):
    done = cli("align", "a", "b", "--unsupervised", "--seeds", "identical", "-o", "s")
    assert done.code == 2
    assert "--unsupervised and --seeds exclude each other" in done.err


def test_a_dictionary_comes_from_standard_input_and_is_called_so(cli, folder, tmp_path):
    arguments = ("align", folder / "en.vec", folder / "fr.vec", "--dictionary", "-", "--method", "procrustes")
    done = cli(*arguments, "-o", tmp_path / "s", stdin=(folder / "en-fr.tsv").read_bytes())
    assert done.code == 0
    assert "standard input: 350 of 350 pairs kept" in done.err
    done = cli(*arguments, "-o", tmp_path / "s", stdin="one\n")
    assert (done.code, "standard input, line 1: " in done.err, "use --skip-malformed" in done.err) == (1, True, True)


def test_a_ranking_is_learned_beside_the_space_and_used_on_request(cli, folder, tmp_path):
    vectors = (folder / "en.vec", folder / "fr.vec")
    arguments = ("align", *vectors, "--dictionary", folder / "en-fr.tsv", "--method", "procrustes", "--rerank")
    done = cli(*arguments, "-o", tmp_path / "s", "--json", "--quiet")
    assert done.code == 0
    assert done.result["ranking"]["file"] == str(tmp_path / "s.ranking")
    assert done.result["ranking"]["held_out_words"] == 350
    assert done.result["ranking"]["precision_at_1"] > 0.9
    named = ("--vectors", f"en={vectors[0]}", f"fr={vectors[1]}", "--json", "--quiet")
    asked = cli("translate", tmp_path / "s", "en380", "--from", "en", "--to", "fr", "--rerank", *named)
    best = asked.result[0]["translations"][0]
    assert best["word"] == "fr380"
    assert best["score"] <= 0  # a log-probability
    scored = cli("evaluate", tmp_path / "s", "--dictionary", folder / "en-fr.tsv", "--rerank", *named)
    assert scored.result["reranked"] is True
    assert scored.result["precision_at_1"] > 0.95


def test_a_ranking_needs_a_dictionary_of_two_languages_and_its_file(cli, folder, tmp_path):
    vectors = (folder / "en.vec", folder / "fr.vec")
    done = cli("align", *vectors, "--seeds", "numerals", "--rerank", "-o", tmp_path / "s")
    assert (done.code, "--rerank learns from a dictionary; give --dictionary" in done.err) == (2, True)
    few = tmp_path / "few.tsv"
    few.write_text("".join((folder / "en-fr.tsv").read_text().splitlines(keepends=True)[:60]))
    done = cli("align", *vectors, "--dictionary", few, "--method", "procrustes", "--rerank", "-o", tmp_path / "s")
    assert done.code == 1
    assert "at least 100 source words" in done.err
    assert not (tmp_path / "s").exists()
    cli("align", *vectors, "--dictionary", folder / "en-fr.tsv", "--method", "procrustes", "-o", tmp_path / "s")
    named = ("--vectors", f"en={vectors[0]}", f"fr={vectors[1]}")
    done = cli("translate", tmp_path / "s", "en1", "--from", "en", "--to", "fr", "--rerank", *named)
    assert (done.code, "align ... --rerank` writes it" in done.err) == (2, True)


def test_words_are_translated_in_a_context_and_phrases_word_by_word(cli, folder, tmp_path, fake_encoder, monkeypatch):
    monkeypatch.setattr(encoder_loading, "load_encoder", lambda *_: fake_encoder)
    vectors = ("--vectors", f"en={folder}/en.vec", f"fr={folder}/fr.vec")
    arguments = ("align", folder / "en.vec", folder / "fr.vec", "--dictionary", folder / "en-fr.tsv")
    assert cli(*arguments, "--method", "procrustes", "-o", tmp_path / "s").code == 0
    asked = ("translate", tmp_path / "s", "--from", "en", "--to", "fr", *vectors, "--json", "--quiet")
    (tmp_path / "examples.txt").write_text("fr60 fr61\n\nfr62\n")
    plain = cli(*asked, "en60", "-k", "3").result[0]["translations"]
    found = cli(*asked, "en60", "-k", "3", "--context", "en60 en61", "--examples", tmp_path / "examples.txt")
    assert found.code == 0
    assert len(found.result[0]["translations"]) == 3
    assert found.result[0]["translations"] != plain
    phrase = cli(*asked, "en60 en70", "-k", "20").result[0]
    assert phrase["found_as"] == "en60 en70"
    assert "fr60 fr70" in [each["word"] for each in phrase["translations"]]
    refused = {("en60", "--context", "en61"): 1, ("en60", "--examples", "x"): 2, ("en1 en2", "--criterion", "nn"): 2}
    for wrong, code in refused.items():
        assert cli(*asked, *wrong).code == code
