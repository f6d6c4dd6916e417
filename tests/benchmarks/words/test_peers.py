"""Peers run as processes of their own, and are measured and scored like this project."""

import sys

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary
from interlingua.benchmarks.harness.measure import result_rows
from interlingua.benchmarks.harness.processes import run_measured
from interlingua.benchmarks.words import peers

#: Stands in for a peer: both sides are mapped as they are, but for the order of two columns of the source.
PEER = """
import sys
options, files = sys.argv[1:-4], sys.argv[-4:]
if options[0] == "--unsupervised":
    sys.exit(3)
for read, write in zip(files[:2], files[2:]):
    lines = open(read, encoding="utf-8").read().splitlines()
    if read == files[0]:
        rows = [line.split(" ") for line in lines[1:]]
        lines[1:] = [" ".join([row[0], row[2], row[1], *row[3:]]) for row in rows]
    open(write, "w", encoding="utf-8").write("\\n".join(lines) + "\\n")
"""


@pytest.fixture
def data(monkeypatch):
    """English of 20 dimensions, and French that is English with two columns swapped and one more of noise."""
    rng = np.random.default_rng(0)
    english = rng.normal(size=(150, 20)).astype(np.float32)
    english -= english.mean(axis=0)
    french = np.concatenate([english[:, [1, 0, *range(2, 20)]], 1e-3 * rng.normal(size=(150, 1))], axis=1).astype(
        np.float32
    )
    labels = tuple(f"w{i}" for i in range(150))
    spaces = {"en": Embeddings(labels, english, "en"), "fr": Embeddings(labels, french, "fr")}
    monkeypatch.setattr(peers, "read_vectors", lambda name: spaces[name])
    every = SeedDictionary(tuple((word, word) for word in (*labels, "absent")))
    monkeypatch.setattr(peers, "read_lexicon", lambda pair, part: every)
    # principal directions turn the plane too; here the peer must find French as it is
    monkeypatch.setattr(peers, "principal_directions", lambda rows, count: np.eye(21, 20, dtype=np.float32))


def test_a_peer_is_run_measured_and_scored(data, tmp_path, monkeypatch):
    (tmp_path / "map_embeddings.py").write_text(PEER)
    monkeypatch.setattr(peers, "_ours", lambda folder: ())
    rows = result_rows(peers.run(vecmap=tmp_path, only="5k pairs"), "")
    values = {each["metric"]: each["value"] for each in rows}
    assert values["P@1 %"] == 100.0
    assert {each["method"] for each in rows} == {"VecMap supervised, 100d"}
    assert {each["n"] for each in rows} == {150}
    assert 0 < values["CPU s"] < 30
    assert 5 < values["peak MB"] < 100


def test_a_peer_that_fails_is_reported_without_a_score(data, tmp_path, monkeypatch):
    (tmp_path / "map_embeddings.py").write_text(PEER)
    monkeypatch.setattr(peers, "_ours", lambda folder: ())
    rows = result_rows(peers.run(vecmap=tmp_path, only="no pairs"), "")
    assert {each["method"] for each in rows} == {"VecMap unsupervised 4000, 100d (ended with 3, no result)"}
    assert {each["metric"] for each in rows} == {"CPU s", "peak MB"}


def test_a_peer_stopped_at_its_cpu_seconds_says_so(data, tmp_path, monkeypatch):
    (tmp_path / "map_embeddings.py").write_text("while True: pass")
    monkeypatch.setattr(peers, "_ours", lambda folder: ())
    rows = result_rows(peers.run(vecmap=tmp_path, only="25 pairs, 20,000 words", cpu_limit=1), "")
    assert {each["method"] for each in rows} == {"VecMap semi-supervised, 100d (stopped)"}
    assert {each["metric"]: each["value"] for each in rows}["CPU s"] > 0.9


def test_principal_directions_are_those_of_the_largest_variance():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 3)) * [1, 5, 2] + 7).astype(np.float32)
    found = peers.principal_directions(rows, 2)
    _, _, vt = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.T @ vt[:2].T), np.eye(2), atol=1e-4)


def test_cpu_seconds_memory_and_output_are_those_of_the_command_alone():
    held = np.ones(40_000_000)  # 320 MB here, none there
    small = run_measured([sys.executable, "-S", "-c", "print(5)"])
    assert (small.code, small.output) == (0, "5\n")
    assert 2 < small.peak_mb < 100 < held.nbytes / 1e6
    large = run_measured([sys.executable, "-S", "-c", "x = bytearray(150_000_000)"])
    assert 150 < large.peak_mb < 200
    busy = run_measured([sys.executable, "-S", "-c", "import time\nwhile time.process_time() < 0.2: pass"])
    assert 0.2 <= busy.cpu < 0.6


def test_a_command_that_takes_too_long_is_stopped():
    stopped = run_measured([sys.executable, "-S", "-c", "while True: pass"], limit=0.2)
    assert stopped.code == -9
    assert stopped.seconds < 5
    assert np.isnan(stopped.cpu)


def test_a_command_is_stopped_at_its_cpu_seconds_and_they_are_known():
    stopped = run_measured([sys.executable, "-S", "-c", "while True: pass"], cpu_limit=1)
    assert stopped.code == -24
    assert 0.9 < stopped.cpu < 1.5


def test_a_command_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        run_measured(["no-such-command"])
