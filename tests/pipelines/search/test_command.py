from interlingua.pipelines.commands.main import main


def run(capsys, *arguments):
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def test_what_is_built_over_shards_can_be_searched(corpus, tmp_path, capsys):
    code, out, err = run(
        capsys, "index", "build-shards", *corpus.files, "--encoder", corpus.encoder, "--shards", 3, "-o", tmp_path / "c"
    )
    assert code == 0, err
    assert out.strip().endswith("300 records from 3 shards")
    assert "encoded: 3 of 3 shards" in err
    code, out, err = run(capsys, "search", tmp_path / "c", "w3en w4en", "-k", 3, "--json")
    assert code == 0, err
    assert out.count('"id"') == 3


def test_an_unknown_format_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "a.pdf").write_text("x")
    code, _, err = run(capsys, "index", "build-shards", tmp_path / "a.pdf", "-o", tmp_path / "c")
    assert code == 1
    assert "has no suffix of a format" in err
    assert err.count("\n") == 1


def test_help_names_the_options(capsys):
    assert main(["index", "build-shards", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--ray ADDRESS" in out
    assert "--resume" in out
