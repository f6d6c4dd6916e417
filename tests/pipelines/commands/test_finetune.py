"""`train finetune` and `tune` on tiny files and a tiny model."""

import json
import shlex

import pytest

pytest.importorskip("torch")
pytest.importorskip("optuna")

from interlingua.pipelines.commands.app import build_app
from interlingua.pipelines.commands.finetune import LabelledFiles, _command_line
from interlingua.pipelines.commands.main import main
from interlingua.pipelines.train.settings import FineTuning


@pytest.fixture
def files(tmp_path):
    def write(name, upper=False, n=16):
        rows = [(" ".join("abc" if i % 2 else "xyz"), "early" if i % 2 else "late") for i in range(n)]
        lines = ["category\ttext", *(f"{label}\t{text.upper() if upper else text}" for text, label in rows)]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    write("low.tsv")
    write("cap.tsv", upper=True)
    (tmp_path / "cap.txt").write_text("A B C\n\nX Y Z\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def model(files):
    transformers = pytest.importorskip("transformers")
    import string

    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[UNK]", *string.ascii_letters]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
        )
        transformers.BertModel(config).save_pretrained(files / "model")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")  # noqa: S106
    fast.save_pretrained(files / "model")
    return files / "model"


def run(*arguments):
    return main([str(each) for each in arguments])


def base(files, model):
    return ["--train", f"low={files / 'low.tsv'}", "--encoder", model, "--epochs", 1, "--dtype", "float32", "--quiet"]


def parsed(command):
    """Return the options that a command line sets."""
    words = shlex.split(command)
    assert words[:3] == ["interlingua", "train", "finetune"]
    _, bound, _ = build_app().parse_args(words[1:], exit_on_error=False, print_error=False)
    return bound.arguments


def test_finetune_prints_both_trainings_and_the_curve(files, model, capsys):
    arguments = ["train", "finetune", *base(files, model), "--test", f"cap={files / 'cap.tsv'}", "--json"]
    arguments += ["--adversarial", "reversal", "--others", f"cap={files / 'cap.txt'}", "-o", files / "out"]
    arguments += ["--few-shot", f"cap={files / 'cap.tsv'}", "--seeds", 1]
    assert run(*arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert [each["adversarial"] for each in result["summary"]] == ["none", "reversal"]
    assert [each["shots"] for each in result["few_shot"]] == [0, 8, 16]
    assert result["few_shot"][0]["accuracy"] == result["scores"][0]["accuracy"]
    assert run(*(each for each in arguments if each != "--json"), "--resume") == 0
    shown = capsys.readouterr().out
    assert "plain" in shown
    assert "reversal" in shown
    assert "few-shot" in shown


def test_a_dry_run_writes_nothing(files, model, capsys):
    assert run("train", "finetune", *base(files, model), "--dry-run", "--json", "-o", files / "out", "--seeds", 3) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["runs"] == 3
    assert result["variants"][0]["steps"] == 1
    assert result["seconds"] == pytest.approx(3 * result["variants"][0]["seconds"])
    assert not (files / "out").exists()


def test_words_come_from_conll_files(files, model, capsys):
    (files / "low.conll").write_text("a E\nx L\n\nb E\n\ny L\nc E\n", encoding="utf-8")
    arguments = ["train", "finetune", "--train", f"low={files / 'low.conll'}", "--encoder", model, "--epochs", 1]
    assert run(*arguments, "--test", f"low={files / 'low.conll'}", "--json", "--quiet", "-o", files / "out") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["n"] == 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--adversarial", "reversal"], "needs texts of other languages, without labels: --others"),
        (["--few-shot", "sw=x.tsv"], "x.tsv"),
        (["--label-column", "topic"], "no column 'topic'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(files, model, capsys, more, said):
    assert run("train", "finetune", *base(files, model), *more, "-o", files / "out") in (1, 2)
    (line,) = capsys.readouterr().err.strip().split("\n")
    assert said in line


def test_few_shot_needs_a_test(files, model, capsys):
    arguments = [
        "train",
        "finetune",
        *base(files, model),
        "--few-shot",
        f"cap={files / 'cap.tsv'}",
        "-o",
        files / "out",
    ]
    assert run(*arguments) == 2
    assert "--test cap=FILE" in capsys.readouterr().err


def test_few_shot_of_a_resumed_run_needs_the_model_of_its_first_seed(files, model, capsys):
    arguments = ["train", "finetune", *base(files, model), "--test", f"cap={files / 'cap.tsv'}", "-o", files / "out"]
    assert run(*arguments, "--seeds", 2) == 0
    arguments += ["--few-shot", f"cap={files / 'cap.tsv'}", "--resume", "--seeds", 1, "--seed"]
    assert run(*arguments, 1) == 2
    assert "the first seed, 1, but" in capsys.readouterr().err
    assert run(*arguments, 0) == 0


def test_a_revision_is_one_of_a_model_on_the_hub(files, model, capsys):
    assert run("train", "finetune", *base(files, model), "--revision", "v1", "-o", files / "out") == 2
    assert "name that model with --encoder" in capsys.readouterr().err
    with pytest.raises(ValueError, match="leave the revision out, or name such a model"):
        FineTuning(encoder=str(model), revision="v1")
    source = FineTuning(encoder="someone/tiny", revision="v1").source()
    assert (source.name, source.revision) == ("someone/tiny", "v1")


def test_tune_prints_trials_the_warning_and_a_command_that_parses(files, model, capsys):
    arguments = ["tune", *base(files, model)[:-1], "--dev", f"low={files / 'low.tsv'}", "--trials", 2, "--json"]
    assert run(*arguments, "--search-layer", 1, 2, "-o", files / "study.db") == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert len(result["trials"]) == 2
    assert "unstable guide" in said.err
    settings = parsed(result["command"])
    assert settings["layer"] == result["best"]["parameters"]["layer"]
    assert settings["learning_rate"] == pytest.approx(result["best"]["parameters"]["learning_rate"], rel=1e-3)
    assert (settings["train"], settings["encoder"]) == (f"low={files / 'low.tsv'}", str(model))
    assert (settings["epochs"], settings["dtype"], settings["seed"]) == (1.0, "float32", 0)
    assert run(*arguments, "--search-layer", 1, 2, "-o", files / "study.db") == 1
    assert "holds a study; resume it" in capsys.readouterr().err
    assert run(*arguments, "--search-layer", 1, 2, "-o", files / "study.db", "--resume", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["trials"] == result["trials"]


def test_tune_judges_in_the_language_of_the_training(files, model, capsys):
    assert run("tune", *base(files, model), "--dev", f"cap={files / 'cap.tsv'}") == 2
    assert "judged in the language of the training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--search-learning-rate", "3e-4", "2e-5"], 2, "--search-learning-rate takes the lowest and the highest"),
        (["--search-warmup", "0.3", "0.1"], 2, "--search-warmup takes the lowest and the highest"),
        (["--search-warmup", "0.3", "1.1"], 2, "--search-warmup takes shares of the steps"),
        (["--search-adversarial-weight", "0.1", "1"], 2, "choose one with --adversarial"),
        (["--search-layer", "1", "3"], 1, "layer must be between 1 and 2"),
        (["--frozen-layers", "2"], 1, "frozen_layers must be below 2"),
    ],
)
def test_what_tune_refuses_leaves_no_study(files, model, capsys, more, code, said):
    arguments = ["tune", *base(files, model), "--dev", f"low={files / 'low.tsv'}", "-o", files / "study.db"]
    assert run(*arguments, *more) == code
    (line,) = capsys.readouterr().err.strip().split("\n")
    assert said in line
    assert not (files / "study.db").exists()


def test_tune_looks_at_its_file_before_all_else(capsys, tmp_path):
    arguments = ["tune", "--train", "low=nowhere.tsv", "--dev", "low=nowhere.tsv", "-o"]
    assert run(*arguments, tmp_path / "none" / "study.db") == 1
    assert "create it first" in capsys.readouterr().err


def test_a_command_line_says_every_kind_of_option():
    values = {
        "train": "en=x y.tsv", "words": True, "others": ["cap=a b.txt", "de=c.txt"], "text": 0, "label": "topic",
        "pooling": "cls", "prompt": "a b: ", "freeze_embeddings": False, "adversarial": "alternating",
        "frozen_layers": 6, "batch_size": 8, "adversarial_weight": 0.25,
    }  # fmt: skip
    made = parsed(_command_line(values, 3))
    assert made == {**values, "seed": 3, "output": "MODEL"}
    kept = parsed(_command_line({"train": "en=x.tsv", "words": False, "freeze_embeddings": True}, 0))
    assert kept == {"train": "en=x.tsv", "seed": 0, "output": "MODEL"}


def test_other_languages_are_read_as_texts_or_as_words(files):
    named = LabelledFiles(train="en=x.tsv", others=[f"cap={files / 'cap.txt'}"])
    assert named.read_others() == {"cap": ["A B C", "X Y Z"]}
    for words in (LabelledFiles(train="en=x.conll", others=named.others),
                  LabelledFiles(train="en=x.tsv", words=True, others=named.others)):  # fmt: skip
        assert words.read_others() == {"cap": [["A", "B", "C"], ["X", "Y", "Z"]]}
