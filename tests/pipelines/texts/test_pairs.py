"""Sentence pairs: every format gives the same pairs, what is left out is counted, broken files name the line."""

import gzip
import itertools
import json

import pytest

from interlingua.pipelines.texts.pairs import BitextError, Pair, read_pairs, tidy_pairs, write_pairs

SUN = Pair("the sun", "le soleil", "en", "fr")
SEA = Pair("the sea", "la mer", "en", "fr")
BOTH = [SUN, SEA]

TMX = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>the
   sun</seg></tuv><tuv xml:lang="fr"><seg>le <hi>soleil</hi><ph>{1}</ph></seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>the sea</seg></tuv><tuv xml:lang="fr"><seg>la mer</seg></tuv></tu>
</body></tmx>
"""
FILES = {
    "two.tsv": "en\tfr\nthe sun\tle soleil\nthe sea\tla mer\n",
    "wide.tsv": "id\tsource\ttarget\tsource_language\ttarget_language\n1\tthe sun\tle soleil\ten\tfr\n"
    "2\tthe sea\tla mer\ten\tfr\n",
    "crlf.txt": "\ufeffen\tfr\r\nthe sun \t le  soleil\r\nthe sea\tla mer\r\n",
    "memory.tmx": TMX,
    "keys.jsonl": '{"en": "the sun", "fr": "le soleil"}\n\n{"en": "the sea", "fr": "la mer"}\n',
    "hub.json": '{"translation": {"en": "the sun", "fr": "le soleil"}}\n{"id": "2", "translation": {"en": "the sea", '
    '"fr": "la mer"}}\n',
}


def write(path, text):
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_the_same_pairs(tmp_path, name, zipped):
    path = write(tmp_path / (name + ".gz" * zipped), FILES[name])
    pairs = read_pairs(path)
    assert list(pairs) == BOTH
    assert (pairs.report.n_read, pairs.report.n_kept, pairs.report.foreign) == (2, 2, 0)
    assert list(read_pairs(str(path), languages=("en", "fr"))) == BOTH


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_moses_files_are_found_by_their_prefix_or_named(tmp_path, ending):
    english = write(tmp_path / f"news.en-fr.en{ending}", "the sun\nthe sea\n")
    french = write(tmp_path / f"news.en-fr.fr{ending}", "le soleil\nla mer\n")
    write(tmp_path / "news.en-fr.ids", "1\n2\n")
    for path, languages in (
        ([english, french], None),
        (tmp_path / "news.en-fr", None),
        (tmp_path / "news.en-fr", ("en", "fr")),
    ):
        pairs = read_pairs(path, languages=languages)
        assert list(pairs) == BOTH
        assert pairs.report.format == "moses"
    assert list(read_pairs(tmp_path / "news.en-fr", languages=("fr", "en"))) == [pair.swapped for pair in BOTH]


def test_the_pair_in_a_prefix_says_which_is_the_source(tmp_path):
    write(tmp_path / "news.fr-en.en", "the sun\n")
    write(tmp_path / "news.fr-en.fr", "le soleil\n")
    assert list(read_pairs(tmp_path / "news.fr-en")) == [SUN.swapped]


@pytest.mark.parametrize("name", FILES)
def test_languages_choose_the_direction(tmp_path, name):
    assert list(read_pairs(write(tmp_path / name, FILES[name]), languages=("fr", "en"))) == [SUN.swapped, SEA.swapped]


def test_a_variant_of_a_language_is_found_by_its_name_in_a_memory_of_many(tmp_path):
    many = TMX.replace('"en"', '"en-GB"').replace(
        "</body>",
        '<tu><tuv xml:lang="de"><seg>Meer</seg></tuv><tuv xml:lang="fr"><seg>mer</seg></tuv></tu></body>',
    )
    path = write(tmp_path / "many.tmx", many)
    pairs = read_pairs(path, languages=("en", "fr"))
    assert list(pairs) == BOTH
    with pytest.raises(BitextError, match=r"line 7: the unit has de, fr, not en-GB, fr"):
        list(read_pairs(path))


@pytest.mark.parametrize("name", ["mixed.tsv", "mixed.jsonl"])
def test_records_of_other_languages_are_left_out_and_counted(tmp_path, name):
    german = Pair("the sea", "das Meer", "en", "de")
    path = tmp_path / name
    write_pairs([SUN, german, Pair("the moon", "la lune", "en-GB", "fr"), SEA.swapped], path)
    pairs = read_pairs(path, languages=("en", "fr"))
    assert list(pairs) == [SUN, Pair("the moon", "la lune", "en", "fr"), SEA]
    assert (pairs.report.n_read, pairs.report.n_kept, pairs.report.foreign) == (4, 3, 1)
    assert "3 of 4 pairs kept" in pairs.report.summary()
    assert "dropped: 1 of other languages" in pairs.report.summary()
    assert list(read_pairs(path, languages=("de", "en"))) == [german.swapped]
    assert len(list(read_pairs(path))) == 4


@pytest.mark.parametrize("name", ["untagged.tsv", "untagged.jsonl"])
def test_records_that_name_no_language_get_the_wanted_ones(tmp_path, name):
    path = tmp_path / name
    write_pairs([Pair("the sun", "le soleil", "", ""), Pair("the sea", "la mer", "en", "")], path)
    assert list(read_pairs(path, languages=("en", "fr"))) == BOTH


def test_units_of_other_languages_in_a_memory_are_counted(tmp_path):
    unit = '<tu><tuv xml:lang="de"><seg>Meer</seg></tuv><tuv xml:lang="fr"><seg>mer</seg></tuv></tu></body>'
    pairs = read_pairs(write(tmp_path / "many.tmx", TMX.replace("</body>", unit)), languages=("en", "fr"))
    assert list(pairs) == BOTH
    assert (pairs.report.n_read, pairs.report.foreign) == (3, 1)


def test_a_language_itself_goes_before_its_variants(tmp_path):
    text = '{"en-GB": "the colour", "en": "the color"}\n'
    assert list(read_pairs(write(tmp_path / "a.jsonl", text), languages=("en", "en-GB"))) == [
        Pair("the color", "the colour", "en", "en-GB")
    ]
    pairs = [Pair("the colour", "the color", "en-GB", "en")]
    write_pairs(pairs, tmp_path / "a.tmx")
    assert list(read_pairs(tmp_path / "a.tmx")) == pairs


@pytest.mark.parametrize("first", ["cat\tgat", "fin\teng", "so-so\tno", "in-my\tto"])
def test_words_are_not_taken_for_the_codes_of_languages(tmp_path, first):
    path = write(tmp_path / "list.tsv", f"{first}\ndog\tgos\nsun\tsol\n")
    pairs = read_pairs(path)
    assert [f"{pair.source}\t{pair.target}" for pair in pairs] == [first, "dog\tgos", "sun\tsol"]
    expected = f"first line taken as a pair, not as a header: {first.replace(chr(9), ', ')}"
    assert pairs.report.summary().endswith(expected)
    promised = read_pairs(path, header=True)
    assert [pair.source for pair in promised] == ["dog", "sun"]
    assert promised.report.summary().endswith(f"first line taken as the header: {first.replace(chr(9), ', ')}")


@pytest.mark.parametrize("first", ["en\tfr", "pt-BR\tzh_Hans", "es-419\tzh-Hant-TW", "source\ttarget", "Src\tTgt"])
def test_a_header_that_is_recognised_is_reported(tmp_path, first):
    pairs = read_pairs(write(tmp_path / "list.tsv", f"{first}\ndog\tgos\n"))
    assert [pair.target for pair in pairs] == ["gos"]
    assert pairs.report.first_line == f"taken as the header: {first.replace(chr(9), ', ')}"
    plain = read_pairs(write(tmp_path / "plain.tsv", "the sun\tle soleil\n"))
    assert len(list(plain)) == 1
    assert plain.report.first_line == ""


def test_without_a_header_the_first_line_is_a_pair(tmp_path):
    path = write(tmp_path / "bare.tsv", "the sun\tle soleil\nno\tja\n")
    assert [(pair.source, pair.source_language) for pair in read_pairs(path)] == [
        ("the sun", "source"),
        ("no", "source"),
    ]
    assert next(iter(read_pairs(path, languages=("en", "fr")))) == SUN
    yes = write(tmp_path / "yes.tsv", "ja\tda\nnein\tnjet\n")
    assert [pair.source for pair in read_pairs(yes, header=False)] == ["ja", "nein"]


def test_what_is_left_out_is_counted_and_can_be_kept(tmp_path):
    path = write(tmp_path / "dirty.tsv", "a\tb\n \tb\na\t\nOK\t OK\na\tb\nb\ta\n")
    pairs = read_pairs(path)
    assert [(pair.source, pair.target) for pair in pairs] == [("a", "b"), ("b", "a")]
    report = pairs.report
    assert (report.n_read, report.n_kept, report.empty, report.identical, report.duplicates) == (6, 2, 2, 1, 1)
    assert report.summary().endswith("2 of 6 pairs kept (tsv); dropped: 2 empty, 1 identical, 1 duplicate")
    assert len(list(read_pairs(path, keep=("identical", "duplicates")))) == 4


def test_pairs_are_read_anew_for_each_pass_and_no_further_than_asked(tmp_path):
    path = write(tmp_path / "long.tsv", "a\tb\nc\td\ne\n")
    pairs = read_pairs(path, limit=2)
    assert list(pairs) == list(pairs)
    assert pairs.report.n_read == 2
    unlimited = read_pairs(path)
    assert len(list(itertools.islice(unlimited, 2))) == 2
    with pytest.raises(BitextError, match=r"line 3: expected 2 columns between tabs, found 1"):
        list(unlimited)


@pytest.mark.parametrize("name", ["out.tsv", "out.jsonl", "out.tmx", "out.tsv.gz", "out.txt"])
def test_written_pairs_are_read_back(tmp_path, name):
    pairs = [Pair("a < b & \"c\" 'd'", "火\u00a0も", "en", "ja"), SUN] if "tmx" not in name else [
        Pair("a < b & \"c\" 'd'", "火\u00a0も", "en", "fr"), SUN]  # fmt: skip
    assert write_pairs(iter(pairs), tmp_path / name) == 2
    assert list(read_pairs(tmp_path / name)) == pairs


def test_what_would_not_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "out.tsv"
    with pytest.raises(ValueError, match="no tab"):
        write_pairs([Pair("a\tb", "c")], path)
    assert not path.exists()
    for pairs, message in (
        ([Pair("a", "b", "en", "en")], "two different language names"),
        ([Pair("a", "b", "en", "")], "two different language names"),
        ([SUN, Pair("sun", "Sonne", "en", "de")], "one language pair, in one direction; got en-fr and en-de"),
        ([SUN, SEA.swapped], "one language pair, in one direction; got en-fr and fr-en"),
    ):
        with pytest.raises(ValueError, match=message):
            write_pairs(pairs, tmp_path / "out.tmx")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="tsv, jsonl, tmx"):
        write_pairs([SUN], tmp_path / "out.docx")


@pytest.mark.parametrize("mark", ["\x00", "\x02", "\x0b", "\x1f", "\ufffe", "\ud800"])
@pytest.mark.parametrize("name", ["out.tmx", "out.tsv", "out.jsonl", "out"])
def test_control_characters_are_blanks_in_every_format(tmp_path, mark, name):
    given = [SUN, Pair(f"a{mark}b", f"{mark}c{mark}", "en", "fr")]
    pairs = given if name == "out.tmx" else tidy_pairs(given)
    write_pairs(pairs, tmp_path / name, format="moses" if name == "out" else None)
    assert list(read_pairs(tmp_path / name)) == [SUN, Pair("a b", "c", "en", "fr")]


@pytest.mark.parametrize("text", ["a&#x1F;b", "a&#31;b", "a\x1fb", "a&#xD800;b", "a&#xFFFFFFF;b", "a\ufffeb"])
def test_what_xml_cannot_hold_is_read_as_a_blank_and_costs_no_memory(tmp_path, text):
    path = write(tmp_path / "a.tmx", TMX.replace("the sea", text))
    assert [each.source for each in read_pairs(path)] == ["the sun", "a b"]


def test_names_of_characters_are_read_wherever_a_piece_of_the_file_ends(tmp_path, monkeypatch):
    from interlingua.pipelines.texts import tmx

    path = write(tmp_path / "a.tmx", TMX.replace("the sea", "caf&eacute;&nbsp;&amp;&#x2003;&#39;&lt;&hellip;"))
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(tmx, "_CHUNK", size)
        assert [each.source for each in read_pairs(path)][1] == "caf\u00e9\u00a0&\u2003'<\u2026"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("declared", ["UTF-8", "ISO-8859-1", "utf-16", None])
def test_a_byte_order_mark_says_more_than_a_stale_declaration(tmp_path, encoding, declared):
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    path = tmp_path / "a.tmx"
    path.write_bytes(TMX.replace('<?xml version="1.0"?>', head).replace("la mer", "la forêt").encode(encoding))
    assert [each.target for each in read_pairs(path)] == ["le soleil", "la forêt"]


def test_a_declared_encoding_is_used_and_an_unknown_one_named(tmp_path):
    text = TMX.replace('<?xml version="1.0"?>', '<?xml version="1.0" encoding="windows-1252"?>').replace("mer", "forêt")
    path = tmp_path / "a.tmx"
    path.write_bytes(text.encode("cp1252"))
    assert [each.target for each in read_pairs(path)][1] == "la forêt"
    path.write_text(text.replace("windows-1252", "UTF-inf"), encoding="utf-8")
    with pytest.raises(BitextError, match=r"a\.tmx, line 1: the encoding 'UTF-inf' is unknown"):
        list(read_pairs(path))


def test_a_unit_without_a_language_is_one_malformed_record(tmp_path):
    unit = "<tu><tuv><seg>a</seg></tuv><tuv xml:lang='fr'><seg>b</seg></tuv></tu></body>"
    path = write(tmp_path / "a.tmx", TMX.replace("</body>", unit))
    pairs = read_pairs(path, on_malformed="skip")
    assert (len(list(pairs)), pairs.report.malformed) == (2, 1)


BROKEN = {
    "columns.tsv": ("a\tb\nc\td\te\n", r"line 2: expected 2 columns between tabs, found 3 \(name the columns"),
    "latin.tsv": ("a\tb\ncaf\xe9\td\n".encode("latin-1"), "line 2: the text must be UTF-8"),
    "list.jsonl": ('{"en": "a", "fr": "b"}\n["a", "b"]\n', "line 2: the object must hold"),
    "cut.jsonl": ('{"en": "a", "fr": "b"}\n{"en": "a", "fr\n', "line 2: each line must be a JSON object"),
    "array.json": ('[\n {"en": "a", "fr": "b"}\n]\n', "line 1: .*one array in the file is not read"),
    "null.jsonl": ('{"source": "a", "target": null}\n', "line 1: the object must hold"),
    "half.jsonl": ('{"source": "a", "target": "\\ud800"}\n', "line 1: the object must hold"),
    "cut.tmx": (TMX[:300], "line [0-9]+: the file is no well-formed XML"),
    "other.tmx": ("<html>\n</html>", "line 1: the root must be <tmx>, but is <html>"),
    "nolang.tmx": ("<tmx><body>\n<tu><tuv><seg>a</seg></tuv></tu></body></tmx>", "line 2: each <tuv> needs"),
    "one.tmx": ('<tmx><tu><tuv xml:lang="en"><seg>a</seg></tuv></tu></tmx>', "line 1: the unit has the languages en;"),
    "cut.tsv.gz": (gzip.compress(b"a\tb\n" * 999)[:-12], "after line [0-9]+: the compressed file is damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_named_by_its_line(tmp_path, name):
    data, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(BitextError, match=message) as raised:
        list(read_pairs(path))
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["columns.tsv", "list.jsonl", "null.jsonl"])
def test_malformed_records_can_be_skipped_and_are_named(tmp_path, name):
    path = write(tmp_path / name, BROKEN[name][0])
    pairs = read_pairs(path, on_malformed="skip")
    kept = len(list(pairs))
    assert pairs.report.malformed == 1
    assert pairs.report.malformed_lines == [kept + 1]
    assert pairs.report.n_read == kept + 1


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY lol "lol">',
        '<!ENTITY outside SYSTEM "file:///etc/passwd">',
        '<!ENTITY % outside SYSTEM "http://127.0.0.1/x.dtd"> %outside;',
    ],
)
def test_entities_are_refused(tmp_path, declaration):
    text = f'<?xml version="1.0"?>\n<!DOCTYPE tmx [{declaration}]>\n{TMX.partition("tmx14.dtd")[2][3:]}'
    with pytest.raises(BitextError, match=r"line 2: the file uses the entity '(lol|outside)', which is refused"):
        list(read_pairs(write(tmp_path / "bomb.tmx", text)))


def test_an_entity_of_an_outside_dtd_does_not_vanish_from_a_text(tmp_path):
    path = write(tmp_path / "outside.tmx", TMX.replace("la mer", "la &sea;"))
    with pytest.raises(BitextError, match=r"line 6: the file uses the entity 'sea'"):
        list(read_pairs(path))


def test_sides_of_unequal_length_are_refused(tmp_path):
    write(tmp_path / "x.en", "a\nb\n")
    write(tmp_path / "x.fr", "a b\n")
    with pytest.raises(BitextError, match=r"x\.fr ends after line 1, but .*x\.en goes on"):
        list(read_pairs(tmp_path / "x"))


def test_what_cannot_be_read_is_refused_at_once(tmp_path):
    write(tmp_path / "y.docx", "")
    with pytest.raises(ValueError, match="cannot be told by its name"):
        read_pairs(tmp_path / "y.docx")
    with pytest.raises(FileNotFoundError, match=r"found: none"):
        read_pairs(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"nothing\.en"):
        read_pairs(tmp_path / "nothing", languages=("en", "fr"))
    with pytest.raises(IsADirectoryError):
        read_pairs(tmp_path)
    with pytest.raises(ValueError, match="two different names"):
        read_pairs(tmp_path / "y.docx", languages=("en", "en"))


def test_a_named_column_is_found_among_others_once_a_header_is_promised(tmp_path):
    path = write(tmp_path / "z.tsv", "score\ten\tfr\n0.9\tthe sun\tle soleil\n")
    assert list(read_pairs(path, header=True)) == [SUN]
    assert list(read_pairs(path, languages=("en", "fr"))) == [SUN]
    with pytest.raises(BitextError, match="line 1: the header must name"):
        list(read_pairs(path, languages=("en", "de"), header=True))


def test_a_million_lines_are_not_held(tmp_path):
    import tracemalloc

    path = tmp_path / "big.jsonl"
    with path.open("w") as file:
        for number in range(4000):
            file.write(json.dumps({"en": f"{number} " + "x" * 100, "fr": "y"}) + "\n")
    tracemalloc.start()
    assert sum(1 for _ in read_pairs(path, keep=("duplicates",))) == 4000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2e6


def test_an_endless_segment_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    from interlingua.pipelines.texts import tmx

    path = write(tmp_path / "bomb.tmx.gz", TMX.replace("la mer", "x\n" * 300))
    monkeypatch.setattr(tmx, "MOST_BYTES", 400)
    with pytest.raises(BitextError, match=r"bomb\.tmx\.gz, line [0-9]+: a unit may have at most 400 characters"):
        list(read_pairs(path))


@pytest.mark.parametrize(
    ("endless", "told"),
    [
        ('<tmx version="' + "x" * 300_000, "a tag or comment may have at most 1,000 bytes"),
        ("<tmx><!--" + "x" * 300_000, "a tag or comment may have at most 1,000 bytes"),
        ("<tmx " + "a='1' " * 50_000, "a tag or comment may have at most 1,000 bytes"),
        ("<?" + "x" * 300_000, "a tag or comment may have at most 1,000 bytes"),
        ("<tmx>" + "<a>" * 2000, "elements may lie in each other at most 1000 deep"),
        ("<tmx><tu>" + "<tuv xml:lang='en'><seg/></tuv>" * 400, "a unit may have at most 400 characters"),
    ],
)
def test_mark_up_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, endless, told):
    from interlingua.pipelines.texts import tmx

    monkeypatch.setattr(tmx, "MOST_BYTES", 400)
    monkeypatch.setattr(tmx, "_LONGEST_MARKUP", 1000)
    path = write(tmp_path / "bomb.tmx", endless)
    with pytest.raises(BitextError, match=rf"bomb\.tmx, line 1: {told}; is this a translation memory"):
        list(read_pairs(path))


def test_measures_stand_beside_the_pairs(tmp_path):
    measures = {"score": [0.5, 1 / 3], "confidence": [1, 0]}
    assert write_pairs([SUN, SEA], tmp_path / "a.tsv", measures=measures) == 2
    lines = (tmp_path / "a.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "source\ttarget\tsource_language\ttarget_language\tscore\tconfidence"
    assert [line.split("\t")[4:] for line in lines[1:]] == [["0.5000", "1.0000"], ["0.3333", "0.0000"]]
    assert list(read_pairs(tmp_path / "a.tsv")) == [SUN, SEA]
    assert write_pairs([SUN, SEA], tmp_path / "b", format="moses", measures=measures) == 2
    assert list(read_pairs(tmp_path / "b", languages=("en", "fr"))) == [SUN, SEA]
    assert (tmp_path / "b.scores").read_text() == "0.5000\t1.0000\n0.3333\t0.0000\n"
    with pytest.raises(ValueError, match="of one language pair"):
        write_pairs([SUN, SEA.swapped], tmp_path / "c", format="moses")
    with pytest.raises(ValueError, match="no pair to write"):
        write_pairs([], tmp_path / "c", format="moses")
    assert not list(tmp_path.glob("c*"))
