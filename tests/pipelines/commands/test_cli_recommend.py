import json

from interlingua.pipelines.commands.main import main


def test_recommend_says_kind_reason_and_memory(capsys):
    assert main(["index", "recommend", "1000000", "384", "--memory", "1GB", "--recall", "0.95"]) == 0
    said = capsys.readouterr().out
    assert "hnsw" in said
    assert "668 MB" in said
    assert "kept as bytes" in said
    assert main(["index", "recommend", "1000", "384", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["memory_bytes"]) == ("faiss-flat", 1000 * (4 * 384 + 8))


def test_what_fits_nowhere_and_a_size_that_is_none_are_refused(capsys):
    assert main(["index", "recommend", "1000000", "384", "--memory", "100MB"]) == 1
    assert "map the index from disk" in capsys.readouterr().err
    assert main(["index", "recommend", "10", "384", "--memory", "lots"]) == 2
    assert "such as 4GB" in capsys.readouterr().err
