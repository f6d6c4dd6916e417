import pytest

from interlingua.index import recommend
from interlingua.pipelines.commands.main import main
from interlingua.pipelines.search import capacity_plan
from interlingua.pipelines.search.capacity import Assumptions


def test_memory_is_the_index_and_its_rows():
    plan = capacity_plan(10**8, 384, Assumptions(row_bytes=100))
    assert plan.memory_gb * 1e9 == pytest.approx(recommend(10**8, 384).memory_bytes + 1e10)


def test_encoding_is_shared_by_all_cores():
    plan = capacity_plan(10**6, 384, Assumptions(cores=10, sentences_per_second=100))
    assert plan.encode_hours == pytest.approx(1000 / 3600)


def test_more_than_a_machine_holds_goes_to_a_cluster():
    small, large = (capacity_plan(n, 384, Assumptions(machine_bytes=100e9)) for n in (10**8, 10**9))
    assert (small.engine, small.machines) == ("FAISS, one machine", 1)
    assert large.engine == "Milvus cluster"
    assert large.machines == -(-large.memory_gb // 100)


def test_costs_grow_with_the_vectors():
    plans = [capacity_plan(10**power) for power in (6, 8, 9, 10)]
    for name in ("memory_gb", "disk_gb", "encode_hours", "build_hours"):
        values = [getattr(each, name) for each in plans]
        assert values == sorted(values)


def test_a_rate_must_be_positive():
    with pytest.raises(ValueError, match="cores must be positive"):
        Assumptions(cores=0)


def test_the_command_prints_the_table(capsys):
    assert main(["index", "plan", "1e6", "1e9", "--dim", "384"]) == 0
    out = capsys.readouterr().out
    assert "1,000,000,000" in out
    assert "Milvus cluster" in out
