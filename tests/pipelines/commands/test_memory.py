import pytest

from interlingua.align import SeedDictionary
from interlingua.pipelines import stored
from interlingua.pipelines.encoders import load
from interlingua.pipelines.texts.pairs import Pair, write_pairs

TOPICS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire")


@pytest.fixture
def tmx(tmp_path, monkeypatch, fake_encoder):
    monkeypatch.setattr(type(fake_encoder), "loaded_as", "bundled", raising=False)
    for module in (load, stored):
        monkeypatch.setattr(module, "load_encoder", lambda *_, **__: fake_encoder)
    pairs = [Pair(f"{each}.fr and.fr {each}2.fr", f"{each}.en and.en {each}2.en", "fr", "en") for each in TOPICS]
    write_pairs(pairs[:10], tmp_path / "first.tmx")
    write_pairs(pairs, tmp_path / "all.tsv")
    return tmp_path


def test_a_memory_is_built_from_tmx_extended_and_searched(cli, tmx):
    built = cli("memory", "build", tmx / "first.tmx", "-o", tmx / "m", "--json")
    assert (built.code, built.result["pairs"], built.result["languages"]) == (0, 10, {"fr": 10, "en": 10})
    assert "10 of 10 pairs kept (tmx)" in built.err
    added = cli("memory", "add", tmx / "m", tmx / "all.tsv", "--json")
    assert (added.result["pairs"], added.result["new"]) == (12, 2)
    asked = ("fire.fr and.fr fire2.fr", "bird.en bird2.en")
    found = cli("memory", "search", tmx / "m", *asked, "-k", 2, "--json", "--quiet").result
    best = [each["matches"][0] for each in found]
    assert [each["translation"] for each in best] == ["fire.en and.en fire2.en", "bird.fr and.fr bird2.fr"]
    assert [(each["exact"], each["score"] is None) for each in best] == [(True, True), (False, False)]
    shown = cli("memory", "search", tmx / "m", "-", "--to", "en", "-k", 1, stdin="fire.fr and.fr fire2.fr\n\n")
    assert shown.out.splitlines()[1].split()[3:6] == ["exact", "1.000", "en"]


def test_what_is_no_memory_or_no_pair_of_languages_is_refused(cli, tmx):
    for command in (("search", tmx / "none", "text"), ("add", tmx / "none", tmx / "all.tsv")):
        assert "none is no folder; `interlingua memory build` writes one" in cli("memory", *command).err
    done = cli("memory", "build", tmx / "first.tmx", "-o", tmx / "m", "--languages", "fr")
    assert (done.code, "two names, such as en,fr" in done.err) == (2, True)
    (tmx / "empty.tsv").write_text("")
    assert cli("memory", "build", tmx / "empty.tsv", "-o", tmx / "m").code == 1
    assert not (tmx / "m").exists()


@pytest.fixture
def bitext(tmp_path):
    texts = [("red sun", "soleil rouge"), ("the sun", "le soleil"), ("red wine", "vin rouge"), ("one", "un")]
    write_pairs([Pair(*each, "en", "fr") for each in texts], tmp_path / "pairs.tsv")
    return tmp_path


def test_a_dictionary_grows_from_sentence_pairs(cli, bitext):
    done = cli("lexicon", bitext / "pairs.tsv", "-o", bitext / "d.tsv", "--json")
    assert (done.code, done.result["pairs"], done.result["sentence pairs"]) == (0, 2, 4)
    assert set(SeedDictionary.read(bitext / "d.tsv").pairs) == {("red", "rouge"), ("sun", "soleil")}
    (bitext / "seed.tsv").write_text("red\tvin\n")
    shown = cli("lexicon", bitext / "pairs.tsv", "--dictionary", bitext / "seed.tsv", "-o", bitext / "d.tsv")
    assert SeedDictionary.read(bitext / "d.tsv").pairs == (("red", "vin"), ("sun", "soleil"))
    assert "2 pairs, 1 of them found" in shown.err
    assert "association" in shown.out


def test_words_are_those_of_the_vectors_and_the_direction_is_chosen(cli, bitext):
    for name, word in (("fr", "soleil"), ("en", "sun")):
        (bitext / f"{name}.vec").write_text(f"1 2\n{word} 1 0\n")
    vectors = ("--vectors", f"fr={bitext}/fr.vec", f"en={bitext}/en.vec", "--languages", "fr,en")
    assert cli("lexicon", bitext / "pairs.tsv", "-o", bitext / "d.tsv", *vectors).code == 0
    assert SeedDictionary.read(bitext / "d.tsv").pairs == (("soleil", "sun"),)


def test_sentences_without_common_words_give_no_dictionary(cli, bitext):
    done = cli("lexicon", bitext / "pairs.tsv", "--at-least", 9, "-o", bitext / "d.tsv")
    assert (done.code, "stand together 9 times" in done.err) == (1, True)
    assert not (bitext / "d.tsv").exists()
    assert cli("lexicon", bitext / "pairs.tsv", "--languages", "fr", "-o", bitext / "d.tsv").code == 2


def test_a_bad_record_of_a_bitext_is_skipped_by_the_option_that_its_error_names(cli, tmx):
    with (tmx / "all.tsv").open("a", encoding="utf-8") as file:
        file.write("no pair\n")
    for command in (("memory", "build", tmx / "all.tsv", "-o", tmx / "m"), ("mine", "--filter", tmx / "all.tsv", "-o",
                     tmx / "kept.tmx")):  # fmt: skip
        refused = cli(*command)
        assert (refused.code, "line 14:" in refused.err, "use --skip-malformed" in refused.err) == (1, True, True)
        done = cli(*command, "--skip-malformed", "--json")
        assert (done.code, "12 of 13 pairs kept (tsv); dropped: 1 malformed (at 14)" in done.err) == (0, True)
    assert cli("memory", "add", tmx / "m", tmx / "all.tsv", "--skip-malformed", "--json").result["new"] == 0


def test_the_languages_of_a_bitext_are_chosen_to_filter_it(cli, tmx):
    """Units of three languages say no pair; the error names the option that chooses one."""
    unit = "".join(f'<tuv xml:lang="{each}"><seg>sun.{each} {{n}}.{each}</seg></tuv>' for each in ("fr", "en", "de"))
    units = "".join(f"<tu>{unit.format(n=each)}</tu>\n" for each in TOPICS)
    (tmx / "three.tmx").write_text(f'<tmx version="1.4"><body>\n{units}</body></tmx>')
    command = ("mine", "--filter", tmx / "three.tmx", "-o", tmx / "kept.tsv")
    assert "choose two with --languages A,B" in cli(*command).err
    assert cli(*command, "--languages", "de,fr", "--json").result["pairs of unlike lengths or equal texts"] == 0
    assert (tmx / "kept.tsv").read_text().count("\tde\tfr\t") > 5
    for option in (("--languages", "de,fr"), ("--skip-malformed",)):
        assert "are for --filter" in cli("mine", "de=a", "fr=b", "-o", tmx / "x.tsv", *option).err


def test_pairs_of_unnamed_languages_are_refused(cli, tmp_path, fake_encoder, monkeypatch):
    monkeypatch.setattr(load, "load_encoder", lambda *_, **__: fake_encoder)
    (tmp_path / "pairs.tsv").write_text("sun.en\tsun.fr\nmoon.en\tmoon.fr\n", encoding="utf-8")
    found = cli("memory", "build", tmp_path / "pairs.tsv", "-o", tmp_path / "memory")
    assert found.code == 2
    assert "pairs.tsv does not say of which languages its pairs are" in found.err
    assert "--languages en,fr" in found.err
    named = cli("memory", "build", tmp_path / "pairs.tsv", "--languages", "en,fr", "-o", tmp_path / "memory", "--json")
    assert named.result["languages"] == {"en": 2, "fr": 2}
