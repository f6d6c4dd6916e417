"""The texts of the bridge that comes along are read as they stand."""

import gzip

from interlingua.benchmarks.sentences.packed_bridge import free_texts, read_glosses, read_jargon

JARGON = """00-database-info
    The original data is available from somewhere, and this is a header of some length.
adware
 n.

    Software which is free to download and use but includes pop-up banner ads
    somewhere. See also {-ware}.

AFAIK
 //, n.

    Too short.
"""
NOUNS = """  1 This software and database is being provided to you, the LICENSEE
02084071 05 n 02 dog 0 domestic_dog 0 000 | a beast of the genus Canis that is kept; "the dog barked"
00000001 04 n 01 post 0 000 | the position
00000002 04 n 01 governor 0 000 | the head of a state or of a province
00000003 04 n 01 Einstein 0 000 | physicist born in Germany who formulated a theory
"""


def test_entries_and_glosses_become_short_and_long_texts(tmp_path):
    (tmp_path / "j.dz").write_bytes(gzip.compress(JARGON.encode()))
    sentence = "Software which is free to download and use but includes pop-up banner ads somewhere."
    assert read_jargon(tmp_path / "j.dz") == [(sentence, f"adware: {sentence} See also -ware.")]
    for kind, text in (("noun", NOUNS), ("verb", ""), ("adj", "")):
        (tmp_path / f"data.{kind}").write_text(text, encoding="utf-8")
    found = dict(read_glosses(tmp_path, 10))
    assert set(found) == {"a beast of the genus Canis that is kept", "the head of a state or of a province"}
    shown = found["a beast of the genus Canis that is kept"]
    assert shown == 'dog, domestic dog: a beast of the genus Canis that is kept; "the dog barked"'
    texts = free_texts(tmp_path / "j.dz", tmp_path)
    assert (len(texts), texts.language) == (3, "en")
