"""audit, with its picture, and the space that it advises."""

import json

import numpy as np
import pytest

from interlingua.align import SharedSpace
from interlingua.align.language import REMOVAL_METHODS, language_bias
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.audit.measure import AuditVectors, audit
from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

NAMES = ("en", "zh", "ar")
N = 60


def parallel(push, seed=0, d=16):
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(N, d))
    rows = {name: meaning + push * np.eye(d)[i] + 0.3 * rng.normal(size=(N, d)) for i, name in enumerate(NAMES)}
    return {name: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for name, x in rows.items()}


@pytest.fixture
def files(tmp_path):
    """One file a language, as `encode` writes them, strongly pushed apart; row i is the same text in all."""
    for name, rows in parallel(push=6.0).items():
        write_vectors(tmp_path / f"{name}.npy", VectorFile(rows, origin=Origin("e5", name, "passage")))
    return [tmp_path / f"{name}.npy" for name in NAMES]


def test_the_first_lines_name_the_trouble_and_the_way_out(cli, files):
    done = cli("audit", *files, "--parallel", "--quiet")
    assert done.code == 0
    first, second, third, advice = done.out.splitlines()[:4]
    assert first.startswith("Strong language bias: ")
    assert first.endswith("33 % would be fair.")
    assert "hardly see texts in" in second
    assert third.startswith("Right texts of another language found in the first 5: ")
    assert f"interlingua space fit en={files[0]} zh={files[1]} ar={files[2]} --method centring" in advice


def test_two_languages_can_be_strongly_biased(cli, files):
    assert cli("audit", *files[:2], "--quiet").out.startswith("Strong language bias: 100 % of the first 5 hits")


def test_the_advice_is_a_command_that_mends_it(cli, files, tmp_path):
    compared = cli("audit", *files, "--parallel", "--compare", "--json", "--quiet").result
    advice = compared["advice"].split("interlingua ")[1].split(",")[0].replace("languages.space", str(tmp_path / "s"))
    assert cli(*advice.split(), "--quiet").code == 0
    space = SharedSpace.load(tmp_path / "s")
    assert space.method == compared["recommended"]
    mapped = {name: space.transform(np.load(path), name) for name, path in zip(NAMES, files, strict=True)}
    found = language_bias(
        np.concatenate(list(mapped.values())), [name for name in NAMES for _ in range(N)], [*range(N)] * 3
    )
    assert found.translations.mixed == pytest.approx(
        compared["methods"][space.method]["translations"]["recall_mixed"][0][1], abs=0.1
    )
    assert found.translations.mixed > 0.9 > compared["measures"]["raw"]["recall@5, all languages"]


def test_every_method_is_compared(cli, files):
    done = cli("audit", *files, "--parallel", "--compare", "--json", "--quiet")
    assert set(done.result["methods"]) == set(REMOVAL_METHODS)
    share = "same language in top 5"
    raw = done.result["measures"]["raw"][share]
    assert all(each[share] < raw - 0.3 for name, each in done.result["measures"].items() if name != "raw")


def test_vectors_without_bias_are_left_alone(cli, tmp_path):
    for name, rows in parallel(push=0.0).items():
        np.save(tmp_path / f"{name}.npy", rows)
    done = cli("audit", *(f"{name}={tmp_path / name}.npy" for name in NAMES), "--json", "--quiet")
    assert not done.result["biased"]
    assert done.result["advice"] == "Nothing needs to be done about language."
    assert done.result["raw"]["translations"] is None
    assert done.result["measures"]["raw"]["recall@5, one language"] is None


def test_one_file_with_a_language_for_each_row_is_the_same(cli, files, tmp_path):
    np.save(tmp_path / "all.npy", np.concatenate([np.load(path) for path in files]))
    (tmp_path / "languages.txt").write_text("".join(f"{name}\n" * N for name in NAMES))
    (tmp_path / "ids.txt").write_text("".join(f"{row}\n" for row in range(N)) * 3)
    arguments = ("--languages", tmp_path / "languages.txt", "--ids", tmp_path / "ids.txt", "--json", "--quiet")
    one = cli("audit", tmp_path / "all.npy", *arguments).result
    several = cli("audit", *files, "--parallel", "--json", "--quiet").result
    assert one["raw"]["shares"] == several["raw"]["shares"]
    assert one["raw"]["translations"]["recall_mixed"] == several["raw"]["translations"]["recall_mixed"]


def test_questions_are_asked_of_texts(cli, files, tmp_path):
    for name, rows in parallel(push=6.0, seed=1).items():
        np.save(tmp_path / f"q-{name}.npy", rows)
    for prefix in ("", "q-"):
        for name in NAMES:
            (tmp_path / f"{prefix}{name}.ids").write_text("".join(f"{row}\n" for row in range(N)))
    texts = [f"{name}={path}" for name, path in zip(NAMES, files, strict=True)]
    questions = [f"{name}={tmp_path}/q-{name}.npy" for name in NAMES]
    ids, question_ids = ([f"{name}={tmp_path}/{prefix}{name}.ids" for name in NAMES] for prefix in ("", "q-"))
    done = cli("audit", *texts, "--ids", *ids, "--questions", *questions, "--question-ids", *question_ids, "--json")
    assert done.code == 0
    translations = done.result["raw"]["translations"]
    assert translations["fair_preference"] == pytest.approx(1 / 3)
    assert translations["recall_single"][0][0] is not None
    refused = cli("audit", *texts, "--ids", *ids, "--questions", *questions)
    assert refused.code == 2
    assert "give --question-ids" in refused.err


def test_texts_are_encoded(cli, fake_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.encoders.load.load_encoder", lambda *_, **__: fake_encoder)
    topics = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone")
    rows = [f"{code}\t{topic}.{code} bread.{code}\t{topic}\n" for code in ("en", "sw") for topic in topics]
    (tmp_path / "texts.tsv").write_text("language\ttext\tid\n" + "".join(rows))
    done = cli("audit", tmp_path / "texts.tsv", "--json", "--quiet")
    assert done.code == 0
    assert done.result["raw"]["languages"] == ["en", "sw"]
    assert done.result["biased"]
    assert done.result["raw"]["translations"]["n_queries"] == 16
    assert "LANGUAGE=FILE.npy" in done.result["advice"]


@pytest.mark.parametrize(("ranking", "kind"), [("csls", "flat"), ("cosine", "flat"), ("csls", "ivf-flat")])
def test_a_collection_is_audited(cli, passages, fake_encoder, tmp_path, ranking, kind):
    raw = CrossLingualSearch.build(passages, fake_encoder, space=None, ranking=ranking, kind=kind)
    raw.save(tmp_path / "raw")
    found = cli("audit", tmp_path / "raw", "--id-field", "topic", "--json", "--quiet").result
    vectors = fake_encoder.encode([each.text for each in passages], role="passage")
    expected = language_bias(
        vectors, [each.language for each in passages], [each.metadata["topic"] for each in passages]
    )
    assert found["raw"]["same_language_share"] == pytest.approx(expected.same_language_share, abs=0.01)
    assert found["measures"]["raw"]["recall@5, all languages"] == pytest.approx(expected.translations.mixed, abs=0.02)
    CrossLingualSearch.build(passages, fake_encoder, ranking=ranking).save(tmp_path / "centred")
    centred = cli("audit", tmp_path / "centred", "--json", "--quiet").result
    assert centred["raw"]["same_language_share"] < expected.same_language_share
    assert "--id-field goes with a collection" in cli("audit", "en.npy", "--id-field", "topic").err
    assert "without the field 'page'" in cli("audit", tmp_path / "raw", "--id-field", "page").err


def test_the_picture_is_drawn(cli, files, tmp_path):
    pytest.importorskip("matplotlib")
    done = cli("audit", *files, "--parallel", "--plot", tmp_path / "audit.png", "--json")
    assert done.result["plot"] == str(tmp_path / "audit.png")
    assert (tmp_path / "audit.png").read_bytes().startswith(b"\x89PNG")
    assert "written: " in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("en.npy",), 1, "all rows are in 'en'"),
        (("en.npy", "en.npy"), 2, "'en' has two"),
        (("en.npy", "short.npy", "--parallel"), 1, "one row for each text"),
        (("en.npy", "other.npy"), 1, "come from one encoder"),
        (("en.npy", "zh.npy", "--plot", "a.pdf"), 2, "name it FILE.png"),
        (("en.npy", "zh.npy", "--question-ids", "en=x"), 2, "belong to --questions"),
        (("en.npy", "zh.npy", "--ids", "en=en.ids"), 2, "ids are needed for en, zh, but are given for en"),
        (("bad.tsv",), 1, "bad.tsv has no column 'language'; it has: text, id"),
        (("hole.tsv",), 1, "row 2: every column must be filled"),
        (("en.npy", "--languages", "short.txt"), 1, "for 60 vectors, but has 1 lines"),
        (("en.npy", "zh.npy", "--languages", "short.txt"), 2, "one file of vectors"),
        (("en.npy", "fi=symmetric.npy"), 1, "come from one role, but come from passage, symmetric; encode them alike"),
        (("en.npy", "zh.npy", "--questions", "en=en.npy", "zh=symmetric.npy"), 1, "come from one role"),
        (("en.npy", "zh.npy", "-k", "119"), 1, "at most 119 hits exist"),
        (("en.npy", "none.npy"), 1, "none.npy holds no vector; leave it out"),
        (("none.npy", "--languages", "short.txt"), 1, "none.npy holds no vector"),
        (("text",), 1, "no collection at text; `interlingua index build` makes one"),
    ],
)
def test_misuse_is_named(cli, files, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    np.save("short.npy", np.ones((3, 16), np.float32))
    write_vectors("other.npy", VectorFile(np.ones((5, 16), np.float32), origin=Origin("labse", "fr", "passage")))
    write_vectors("symmetric.npy", VectorFile(np.ones((5, 16), np.float32), origin=Origin("e5", "", "symmetric")))
    np.save("none.npy", np.ones((0, 16), np.float32))
    (tmp_path / "text").mkdir()
    (tmp_path / "short.txt").write_text("en\n")
    (tmp_path / "bad.tsv").write_text("text\tid\na\tb\n")
    (tmp_path / "hole.tsv").write_text("language\ttext\nen\ta\nen\t\n")
    done = cli("audit", *arguments)
    assert done.code == code
    assert said in done.err
    assert len(done.err.splitlines()) <= 25


def test_a_file_under_another_language_than_its_own_is_remarked(cli, files):
    said = f"{files[0]} says that its language is 'en', not 'fi'"
    assert said in cli("audit", f"fi={files[0]}", *files[1:]).err
    assert "says that" not in cli("audit", f"en={files[0]}", *files[1:]).err


def test_questions_may_be_of_another_role_than_the_texts(cli, files, tmp_path):
    for name, rows in parallel(push=6.0, seed=1).items():
        write_vectors(tmp_path / f"q-{name}.npy", VectorFile(rows, origin=Origin("e5", name, "query")))
    questions = [f"{name}={tmp_path}/q-{name}.npy" for name in NAMES]
    assert cli("audit", *files, "--questions", *questions, "--quiet").code == 0
    mixed = [questions[0], *(f"{name}={path}" for name, path in zip(NAMES[1:], files[1:], strict=True))]
    assert "come from one role, but come from passage, query" in cli("audit", *files, "--questions", *mixed).err


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (("other", "query", ""), "the questions come from other and the texts from e5"),
        (("e5", "query", "a1b2"), "the questions were mapped into a shared space, but the texts were not"),
    ],
)
def test_questions_come_from_the_encoder_of_the_texts(cli, files, tmp_path, origin, said):
    encoder, role, space = origin
    for name, rows in parallel(push=6.0, seed=1).items():
        write_vectors(tmp_path / f"q-{name}.npy", VectorFile(rows, origin=Origin(encoder, name, role, space)))
    refused = cli("audit", *files, "--questions", *(f"{name}={tmp_path}/q-{name}.npy" for name in NAMES))
    assert refused.code == 1
    assert said in refused.err


def test_questions_of_another_dimension_are_refused(cli, files, tmp_path):
    for name, rows in parallel(push=6.0, seed=1).items():
        np.save(tmp_path / f"q-{name}.npy", rows[:, :-1])
    refused = cli("audit", *files, "--questions", *(f"{name}={tmp_path}/q-{name}.npy" for name in NAMES))
    assert refused.code == 1
    assert "questions and texts must come from one encoder, but the questions have" in refused.err


def test_as_many_hits_as_there_are_texts_certify_nothing(cli, files):
    assert cli("audit", *files, "-k", "178", "--quiet").code == 0
    refused = cli("audit", *files, "-k", "179", "--quiet")
    assert (refused.code, refused.out) == (1, "")
    assert "at most 179 hits exist" in refused.err
    questions = [f"{name}={path}" for name, path in zip(NAMES, files, strict=True)]
    assert cli("audit", *files, "--questions", *questions, "-k", "179", "--quiet").code == 0
    assert "at most 180 hits exist" in cli("audit", *files, "--questions", *questions, "-k", "180").err


def test_the_colour_bar_is_named_above_it_and_not_beside_the_next_panel(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from interlingua.pipelines.audit.plot import draw_audit

    drawn, close = [], pyplot.close
    monkeypatch.setattr(pyplot, "close", lambda figure: drawn.append(figure) or close(figure))
    rows = parallel(push=2.0)
    draw_audit(
        audit(AuditVectors(np.concatenate(list(rows.values())), tuple(name for name in NAMES for _ in range(N)))),
        tmp_path / "a.png",
    )
    bar = drawn[0].axes[-1]
    assert (bar.get_title(), bar.get_ylabel()) == ("share\nof hits", "")


def test_json_holds_no_nan():
    rows = parallel(push=2.0)
    given = AuditVectors(np.concatenate(list(rows.values())), tuple(name for name in NAMES for _ in range(N)))
    found = audit(given, methods=("leace",))
    assert "NaN" not in json.dumps(found.as_json())
    assert found.recommended == "centring"  # nothing says which is best without ids


def test_a_map_for_all_languages_is_taken_by_every_command(cli, files, tmp_path):
    named = [f"{name}={path}" for name, path in zip(NAMES, files, strict=True)]
    assert cli("space", "fit", *named, "--method", "leace", "-o", tmp_path / "any.space", "--quiet").code == 0
    about = cli("info", tmp_path / "any.space", "--json").result
    assert list(about["languages"]) == ["*"]
    done = cli("map", tmp_path / "any.space", "--language", "sw", files[0], "-o", tmp_path / "mapped.npy", "--quiet")
    assert (done.code, done.err) == (0, "")
    expected = SharedSpace.load(tmp_path / "any.space").transform(np.load(files[0]), "*")
    np.testing.assert_array_equal(np.load(tmp_path / "mapped.npy"), expected)
