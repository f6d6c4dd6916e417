import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

from interlingua.align import SharedSpace
from interlingua.align.language import Centring
from interlingua.pipelines.encoders.transformer import TransformerEncoder


@pytest.fixture
def exported(tmp_path, write_tiny_model):
    """A tiny encoder and a space of its vectors, as files."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    write_tiny_model(folder, {"query": "query: ", "passage": "passage: "})
    encoder = TransformerEncoder(folder, device="cpu", dtype="float32")
    vectors = {"de": encoder.encode(["a", "b c"]), "fr": encoder.encode(["c d", "e"])}
    Centring().fit(vectors, encoder=encoder.identity).space_.save(tmp_path / "two.space")
    return folder, tmp_path / "two.space", encoder


def test_the_written_model_gives_the_vectors_of_the_space(cli, exported, tmp_path):
    from sentence_transformers import SentenceTransformer

    folder, space, encoder = exported
    done = cli("export", space, "--encoder", folder, "-o", tmp_path / "out", "--json")
    assert done.result["languages"] == ["de", "fr"]
    assert done.result["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    vectors = SentenceTransformer(str(tmp_path / "out")).encode(["f g"], task="fr")
    expected = SharedSpace.load(space).transform(encoder.encode(["f g"]), "fr")
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_the_result_says_how_to_call_it(cli, exported, tmp_path):
    folder, space, _ = exported
    assert 'encode(texts, task="de")' in cli("export", space, "--encoder", folder, "-o", tmp_path / "all").out
    one = cli("export", space, "--encoder", folder, "--language", "fr", "-o", tmp_path / "one").out
    assert "encode(texts)" in one


def test_errors_are_one_line_and_leave_nothing(cli, exported, tmp_path):
    folder, space, _ = exported
    for arguments, said in (
        (("--encoder", folder, "--language", "sw"), "has no language 'sw'; it has: de, fr"),
        (("--encoder", tmp_path / "nothing"), "no folder at"),
    ):
        failed = cli("export", space, *arguments, "-o", tmp_path / "out")
        assert failed.code == 1
        assert said in failed.err
        assert failed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_word_vectors_are_refused_in_one_line(cli, exported, word_files, tmp_path):
    failed = cli("export", exported[1], "--encoder", word_files.en, "-o", tmp_path / "out")
    assert failed.code == 1
    assert "only sentence-transformers models can be exported" in failed.err
