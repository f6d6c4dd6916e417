"""Mining and filtering with an encoder whose vectors are known."""

import hashlib
import json

import numpy as np
import pytest

from interlingua.pipelines.mine import filter_bitext, mine_bitext
from interlingua.pipelines.mine.mining import _in_language, encode_resumable
from interlingua.pipelines.texts.lines import UniqueLines, unique_texts
from interlingua.pipelines.texts.pairs import Pair, read_pairs


class Numbered:
    """Encodes "LANGUAGE NUMBER ..." so that equal numbers lie together, and each language has an offset."""

    dimension = 32

    def __init__(self, identity="numbered", noise=0.2, fail_after=None, offset=20):
        self.prompts = {"symmetric": ""}
        self.identity, self.noise, self.fail_after, self.seen = identity, noise, fail_after, 0
        self.offset = offset

    def encode(self, texts, *, role="symmetric", progress=False):
        if self.fail_after is not None and self.seen >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += len(texts)
        rows = []
        for text in texts:
            language, number = text.split()[:2]
            own = int(hashlib.sha256(f"{self.identity} {text}".encode()).hexdigest()[:8], 16)
            meaning = np.random.default_rng(int(number)).normal(size=self.dimension)
            rows.append(meaning + self.noise * np.random.default_rng(own).normal(size=self.dimension))
            rows[-1][0] += self.offset if language == "de" else -self.offset
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def texts():
    german = [f"de {number} Satz" for number in range(300)]
    english = [f"en {number} line" for number in range(250, 550)][::-1]
    return german, english


def right(found):
    return [pair.source.split()[1] == pair.target.split()[1] for pair in found.pairs]


def test_translations_are_found_with_the_lines_where_they_stood(texts):
    found = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(), precision=0.95)
    assert all(right(found)[:50])
    assert 50 <= len(found) <= 60
    assert [texts[0][line - 1] for line in found.lines[:, 0]] == [pair.source for pair in found.pairs]
    assert [texts[1][line - 1] for line in found.lines[:, 1]] == [pair.target for pair in found.pairs]
    assert found.precision >= 0.95


def test_files_are_mined_as_their_lines_are(texts, tmp_path):
    paths = [tmp_path / "a.de", tmp_path / "a.en"]
    for path, lines in zip(paths, texts):
        path.write_text("\ufeff" + "\r\n".join([*lines, "", lines[0]]) + "\r\n", encoding="utf-8")
    found = mine_bitext(*paths, languages=("de", "en"), encoder=Numbered())
    plain = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered())
    assert found.pairs == plain.pairs
    np.testing.assert_array_equal(found.lines, plain.lines)
    assert found.counts["de: lines"] == 302
    assert found.counts["de: distinct"] == 300


def test_an_interrupted_run_goes_on_where_it_stopped(texts, tmp_path, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.mine.mining._SHARD", 100)
    with pytest.raises(KeyboardInterrupt):
        mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(fail_after=200), work=tmp_path / "work")
    again = Numbered()
    found = mine_bitext(*texts, languages=("de", "en"), encoder=again, work=tmp_path / "work")
    assert again.seen == 400
    assert found.pairs == mine_bitext(*texts, languages=("de", "en"), encoder=Numbered()).pairs


def test_a_work_folder_of_other_texts_or_encoder_is_refused(texts, tmp_path):
    encode_resumable(texts[0], Numbered(), tmp_path / "x")
    with pytest.raises(ValueError, match="other texts or of another encoder"):
        encode_resumable(texts[1], Numbered(), tmp_path / "x")
    with pytest.raises(ValueError, match="other texts or of another encoder"):
        encode_resumable(texts[0], Numbered("other"), tmp_path / "x")


def test_approximate_search_finds_the_same_pairs(texts):
    exact = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(), approximate=False)
    near = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(), approximate=True)
    shared = set(exact.pairs) & set(near.pairs)
    assert len(shared) >= 0.9 * len(exact)
    scores = dict(zip(near.pairs, near.scores))
    np.testing.assert_allclose(
        [scores[pair] for pair in exact.pairs if pair in shared],
        [score for pair, score in zip(exact.pairs, exact.scores) if pair in shared],
        rtol=0.1,
    )


def test_several_encoders_err_less_than_one(texts):
    one, other = Numbered("one", noise=1.3), Numbered("other", noise=1.3)
    alone = mine_bitext(*texts, languages=("de", "en"), encoder=one, threshold=0.0)
    both = mine_bitext(*texts, languages=("de", "en"), encoder=[one, other], threshold=0.0)
    assert sum(right(both)) > sum(right(alone))


def test_equal_texts_are_no_translations(texts):
    german, english = texts
    names = [f"xx {number} name" for number in range(1000, 1030)]  # left as they are in both languages
    sides = ([*german, *names], [*english, *names])
    found = mine_bitext(*sides, languages=("de", "en"), encoder=Numbered(offset=0), threshold=1.45)
    assert sum(right(found)) >= 45
    assert all(pair.source != pair.target for pair in found.pairs)
    assert not {pair.source for pair in found.pairs} & set(names)
    pairs = [Pair(f"de {number} Satz", f"en {number} line", "de", "en") for number in range(40)]
    pairs += [Pair(name, name, "de", "en") for name in names]
    kept = filter_bitext(pairs, encoder=Numbered(offset=0), threshold=0.0)
    assert len(kept.pairs) == 40
    assert kept.counts["pairs of unlike lengths or equal texts"] == 30


def test_pairs_of_very_unlike_lengths_are_left_out(texts):
    german = [*texts[0][:-1], f"de 299 {'lang ' * 40}"]
    found = mine_bitext(german, texts[1], languages=("de", "en"), encoder=Numbered(noise=0.0), threshold=0.0)
    assert "299" not in {pair.source.split()[1] for pair in found.pairs}


def test_precision_and_threshold_cut_the_same_ranking(texts):
    everything = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(noise=0.3), threshold=-1.0)
    sure = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(noise=0.3), precision=0.9)
    assert sure.pairs == everything.pairs[: len(sure)]
    assert sure.precision >= 0.9
    assert len(sure) < len(everything)


def test_filter_puts_wrong_pairs_below_right_ones(texts):
    pairs = [Pair(f"de {n} Satz", f"en {n if n % 3 else n + 1000} line", "de", "en") for n in range(300)]
    found = filter_bitext(pairs, encoder=Numbered(noise=0.4))
    assert np.mean(right(found)) > 0.95
    assert sum(right(found)) > 190
    assert abs(found.precision - np.mean(right(found))) < 0.1
    np.testing.assert_array_equal(found.lines[:, 0] - 1, [int(pair.source.split()[1]) for pair in found.pairs])


@pytest.mark.parametrize("kind", ["tsv", "tmx", "jsonl"])
def test_what_is_written_is_read_again(texts, tmp_path, kind):
    found = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered())
    found.write(tmp_path / f"out.{kind}")
    assert tuple(read_pairs(tmp_path / f"out.{kind}")) == found.pairs


def test_moses_files_correspond_line_by_line(texts, tmp_path):
    found = mine_bitext(*texts, languages=("de", "en"), encoder=Numbered())
    found.write(tmp_path / "out", "moses")
    assert [pair.source for pair in read_pairs(tmp_path / "out", languages=("de", "en"))] == [
        pair.source for pair in found.pairs
    ]
    assert len((tmp_path / "out.scores").read_text().splitlines()) == len(found)


def test_languages_are_identified(tmp_path):
    pytest.importorskip("py3langid")
    from interlingua.pipelines.mine.mining import _in_language

    lines = ["Der Hund läuft durch den großen Garten.", "The dog runs through the large garden.", "Ja."]
    assert _in_language(lines, "de").tolist() == [True, False, True]
    with pytest.raises(ValueError, match="no language that can be identified"):
        _in_language(lines, "xx")


def test_wrong_arguments_are_refused_with_the_way_out(texts, tmp_path):
    with pytest.raises(ValueError, match="different languages"):
        mine_bitext(*texts, languages=("de", "de"), encoder=Numbered())
    with pytest.raises(ValueError, match="not both"):
        mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(), precision=0.9, threshold=1.0)
    with pytest.raises(ValueError, match="precision must be"):
        mine_bitext(*texts, languages=("de", "en"), encoder=Numbered(), precision=90)
    with pytest.raises(ValueError, match="3 distinct sentences"):
        mine_bitext(["de 1 a", "de 1 a"], texts[1], languages=("de", "en"), encoder=Numbered())
    with pytest.raises(ValueError, match="one encoder"):
        mine_bitext(*texts, languages=("de", "en"), encoder=[])
    with pytest.raises(ValueError, match="one language pair"):
        filter_bitext([Pair("de 1 a", "en 1 b", "de", "en")] * 2, encoder=Numbered())
    (tmp_path / "bad").write_bytes(b"de 1 a\n\xff\xfe\nde 2 b\n")
    with pytest.raises(ValueError, match="line 2: the text must be UTF-8"):
        list(UniqueLines(tmp_path / "bad"))
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(ValueError, match="holds no text"):
        UniqueLines(tmp_path / "empty")


def test_the_command_mines_and_filters(texts, tmp_path, monkeypatch, capsys):
    from interlingua.pipelines.commands import main as cli

    monkeypatch.setattr("interlingua.pipelines.encoders.load.load_encoder", lambda name=None: Numbered())
    for name, lines in zip(("de", "en"), texts):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    files = [f"{name}={tmp_path / name}" for name in ("de", "en")]
    assert cli.main(["mine", *files, "--precision", "0.95", "-o", str(tmp_path / "out.tsv"), "--json"]) == 0
    assert 50 <= json.loads(capsys.readouterr().out)["pairs"] <= 60
    assert cli.main(["mine", "--filter", str(tmp_path / "out.tsv"), "-o", str(tmp_path / "kept.tmx")]) == 0
    assert len(tuple(read_pairs(tmp_path / "kept.tmx"))) >= 45
    assert cli.main(["mine", files[0], "-o", str(tmp_path / "x.tsv")]) == 2
    assert cli.main(["mine", *files, "--filter", "x", "-o", str(tmp_path / "x.tsv")]) == 2
    assert "or --filter" in capsys.readouterr().err


class Copying(Numbered):
    """As `Numbered`, but what is written alike, but for case and punctuation, has nearly the same vector."""

    def encode(self, texts, *, role="symmetric", progress=False):
        return super().encode(["".join(each for each in text.lower() if each not in '."') for text in texts])


@pytest.mark.parametrize("change", [str, lambda text: f"{text}.", lambda text: f'"{text.upper()}"'])
def test_untranslated_copies_do_not_take_the_place_of_translations(texts, change):
    german, english = texts
    copies = [change(text) for text in german[260:290]]
    found = mine_bitext(german, [*english, *copies], languages=("de", "en"), encoder=Copying(noise=0.4, offset=0))
    alone = mine_bitext(german, english, languages=("de", "en"), encoder=Copying(noise=0.4, offset=0))
    correct = {pair for pair, hit in zip(alone.pairs, right(alone)) if hit}
    assert len(correct) == 50
    assert correct <= set(found.pairs)
    assert not {pair.target for pair in found.pairs} & set(copies)
    assert found.counts["lines that the other text has as well"] == 30


def test_filtering_leaves_out_copies_and_keeps_what_stands_there_twice():
    right_ones = [Pair(f"de {n} Satz", f"en {n} line", "de", "en") for n in range(60)]
    copies = [Pair(each.source, f"{each.source.upper()}!", "de", "en") for each in right_ones[:30]]
    doubled = [each for pair in right_ones for each in (pair, pair)]  # the next pair is the same, and no decoy
    found = filter_bitext([*doubled, *copies], encoder=Copying(noise=0.3, offset=0), precision=0.95)
    assert set(found.pairs) == set(right_ones)
    assert len(found) == 120
    assert len(filter_bitext(copies, encoder=Copying(offset=0))) == 0


@pytest.mark.parametrize("language", ["nb", "no", "nor", "sh", "iw", "fil", "cmn", "zh-Hant", "swh", "pt_BR", "deu"])
def test_languages_are_identified_by_any_of_their_codes(language):
    pytest.importorskip("py3langid")
    assert _in_language(["x"], language).all()


def test_a_text_in_the_language_is_kept_whatever_its_code_and_another_is_not():
    pytest.importorskip("py3langid")
    norwegian = "Jeg har ikke sett ham siden i går, men han kommer nok snart tilbake til byen, sier hun."
    nynorsk = "Eg har ikkje sett han sidan i går, men han kjem nok snart attende til byen, seier ho."
    english = "I have not seen him since yesterday, but he will certainly come back to the city soon, she says."
    assert _in_language([norwegian, english], "nb").tolist() == [True, False]
    assert _in_language([norwegian, nynorsk, english], "nor").tolist() == [True, True, False]
    with pytest.raises(ValueError, match="no language that can be identified"):
        _in_language([english], "tlh")


def test_lines_that_show_nothing_are_no_sentences(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\u200b\neins\n\x02\n\u3000\n\u2060 \n…\n", encoding="utf-8")
    lines = UniqueLines(path)
    assert (list(lines), list(lines.numbers)) == (["eins", "…"], [2, 6])
    assert unique_texts(["\u200b", "a", "\x02 "]) == (["a"], [2])


@pytest.mark.parametrize("damage", ["vectors", "cut vectors", "header", "state", "cut state", "more done", "less done"])
def test_vectors_of_a_work_folder_are_those_that_were_written(tmp_path, damage):
    texts = [f"de {number}" for number in range(40)]
    written = np.array(encode_resumable(texts, Numbered(), tmp_path / "0-de"))
    data, state = tmp_path / "0-de.npy", tmp_path / "0-de.json"
    np.testing.assert_array_equal(encode_resumable(texts, Numbered(fail_after=0), tmp_path / "0-de"), written)
    content = bytearray(data.read_bytes())
    if damage == "vectors":
        content[-9] ^= 1
    elif damage == "header":
        content[5] ^= 64
    data.write_bytes(content[:-4] if damage == "cut vectors" else content)
    told = state.read_text()
    if damage == "cut state":
        state.write_text(told[:-5])
    elif damage in ("more done", "less done"):
        state.write_text(told.replace('"done": 40', '"done": 41' if damage == "more done" else '"done": 0'))
    elif damage == "state":
        state.write_text("[]")
    with pytest.raises(ValueError, match=r"0-de\.(npy|json) .*remove it"):
        encode_resumable(texts, Numbered(), tmp_path / "0-de")


def test_a_work_folder_of_an_earlier_release_has_no_hashes_and_goes_on(tmp_path):
    texts = [f"de {number}" for number in range(40)]
    written = np.array(encode_resumable(texts, Numbered(), tmp_path / "0-de"))
    state = tmp_path / "0-de.json"
    told = json.loads(state.read_text())
    del told["hashes"]
    state.write_text(json.dumps(told))
    np.testing.assert_array_equal(encode_resumable(texts, Numbered(fail_after=0), tmp_path / "0-de"), written)


def test_work_is_not_written_through_a_link(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "0-de.npy").symlink_to("notes.txt")
    with pytest.raises(FileExistsError, match=r"0-de\.npy is a link"):
        encode_resumable(["de 1"], Numbered(), tmp_path / "0-de")
    assert (tmp_path / "notes.txt").read_text() == "mine"
