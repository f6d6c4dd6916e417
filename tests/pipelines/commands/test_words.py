"""align in all its forms, translate, and the ranking that both share with evaluate."""

import struct

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace, SubwordVectors
from interlingua.align.formats.fasttext import read_fasttext
from interlingua.align.space import Normalization, SpaceMap
from interlingua.pipelines.encoders import load as encoder_loading
from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

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


def fasttext_model(path, labels, vectors, *, buckets=0):
    """Write a model whose words have these vectors; without n-grams, or with `buckets` of zeros."""
    n, d = vectors.shape
    rows = np.concatenate([vectors, np.zeros((buckets, d))]).astype("<f4")
    longest = 6 if buckets else 0
    parts = [
        struct.pack("<2i12id", 793712314, 12, d, 5, 5, 1, 5, 1, 2, 2, buckets, 3 * bool(buckets), longest, 100, 0.0)
    ]
    parts.append(struct.pack("<3i2q", n, n, 0, 1000, -1))
    parts += [label.encode() + b"\0" + struct.pack("<qb", 100, 0) for label in labels]
    parts += [
        struct.pack("<?2q", False, *rows.shape),
        rows.tobytes(),
        struct.pack("<?2q", False, n, d),
        bytes(4 * n * d),
    ]
    path.write_bytes(b"".join(parts))


def test_a_fasttext_model_is_read_by_every_command_on_words(cli, folder, tmp_path):
    english = Embeddings.read(folder / "en.vec")
    fasttext_model(tmp_path / "en.bin", english.labels, english.vectors)
    about = cli("info", tmp_path / "en.bin", "--json").result
    assert (about["vectors"], about["dimension"], about["first_labels"][0]) == (N, 10, "1000")
    files = (f"en={tmp_path / 'en.bin'}", f"fr={folder / 'fr.vec'}")
    aligning = ("align", *files, "--dictionary", folder / "en-fr.tsv", "--method", "procrustes", "--quiet")
    assert cli(*aligning, "-o", tmp_path / "s", "--limit", "300").code == 0
    assert SharedSpace.load(tmp_path / "s").provenance["vocabulary"] == {"en": 300, "fr": 300}
    assert cli(*aligning, "-o", tmp_path / "s").code == 0
    mapping = ("map", tmp_path / "s", tmp_path / "en.bin", "--language", "en", "--limit", "20", "--quiet")
    assert cli(*mapping, "-o", tmp_path / "m.vec").code == 0
    assert Embeddings.read(tmp_path / "m.vec").labels == english.labels[:20]
    asking = ("translate", tmp_path / "s", "en50", "--from", "en", "--to", "fr", "--json", "--quiet", "--vectors")
    assert cli(*asking, *files).result[0]["translations"][0]["word"] == "fr50"


def test_a_fasttext_model_translates_unknown_words_by_their_subwords(cli, folder, tmp_path):
    space = SharedSpace({name: SpaceMap(Normalization.fit(np.eye(4), "unit")) for name in ("en", "fr")}, method="x")
    space.save(tmp_path / "s")
    eye = np.eye(4, dtype=np.float32)
    Embeddings(("soleil", "lune", "mer", "jour"), eye, "fr").write(tmp_path / "fr.vec")
    path = tmp_path / "en.bin"
    fasttext_model(path, ("sun", "moon", "sea", "day"), eye, buckets=1000)
    model = SubwordVectors.read(path)
    content = bytearray(path.read_bytes())
    for row in set(model.ngram_rows("moons")) - set(model.ngram_rows("sun")):
        start = read_fasttext(path).matrix_offset + 16 * row
        content[start : start + 16] = eye[1].tobytes()
    path.write_bytes(bytes(content))
    asking = ("translate", tmp_path / "s", "moons", "zz", "--from", "en", "--to", "fr", "--json", "--quiet", "-k", "1")
    done = cli(*asking, "--criterion", "nn", "--vectors", f"en={path}", f"fr={tmp_path / 'fr.vec'}")
    assert [each["found_as"] for each in done.result] == ["moons", None]
    assert done.result[0]["translations"][0]["word"] == "lune"
    done = cli(*asking, "the moons", "--vectors", f"en={path}", f"fr={tmp_path / 'fr.vec'}")
    assert done.result[2]["translations"][0]["word"] == "lune"


def test_words_with_zero_vectors_are_unknown(cli, folder, tmp_path):
    for name in ("en", "fr"):
        with (folder / f"{name}.vec").open() as file:
            lines = file.readlines()
        (tmp_path / f"{name}.vec").write_text(f"{N + 2} 10\nnone {'0 ' * 10}\nvoid {'0 ' * 10}\n" + "".join(lines[1:]))
    files = (f"en={tmp_path / 'en.vec'}", f"fr={tmp_path / 'fr.vec'}")
    cli(
        "align", *files, "--dictionary", folder / "en-fr.tsv", "--method", "procrustes", "-o", tmp_path / "s", "--quiet"
    )
    plain = (f"en={folder / 'en.vec'}", f"fr={folder / 'fr.vec'}")
    cli(
        "align", *plain, "--dictionary", folder / "en-fr.tsv", "--method", "procrustes", "-o", tmp_path / "p", "--quiet"
    )
    assert SharedSpace.load(tmp_path / "s").scores == SharedSpace.load(tmp_path / "p").scores
    asking = ("translate", tmp_path / "s", "none", "en50", "--from", "en", "--to", "fr", "--json", "--vectors", *files)
    done = cli(*asking)
    assert [each["found_as"] for each in done.result] == [None, "en50"]
    assert not {"none", "void"} & {each["word"] for each in done.result[1]["translations"]}
    assert "for: none" in done.err


def test_labels_that_an_output_cannot_hold_are_refused_before_the_map(cli, folder, tmp_path, monkeypatch):
    space = SharedSpace({"en": SpaceMap(Normalization.fit(np.eye(2), "unit"))}, method="x")
    space.save(tmp_path / "s")
    (tmp_path / "in.glove").write_text("New York 1 2\nsun 3 4\n")
    monkeypatch.setattr(SharedSpace, "transform", lambda *_: pytest.fail("mapped before the labels were checked"))
    done = cli("map", tmp_path / "s", tmp_path / "in.glove", "--language", "en", "-o", tmp_path / "out.vec")
    assert done.code == 1
    assert "labels in word2vec files hold no blank" in done.err
    assert not (tmp_path / "out.vec").exists()


@pytest.mark.filterwarnings("default")  # as it is outside of the tests
def test_a_note_that_speaks_of_another_file_is_said(cli, tmp_path):
    write_vectors(tmp_path / "a.npy", VectorFile(np.eye(2, dtype=np.float32), origin=Origin("e5", "en")))
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(bytes(10))
    done = cli("info", tmp_path / "a.npy")
    assert done.code == 0
    assert "a.npy.json speaks of another file" in done.err
