"""Other tools for word alignment and this one: the same files, the same run, the same scoring.

    python -m interlingua.benchmarks peers --vecmap DIR --fasttext DIR --muse DIR

Each DIR is a checkout of that tool's repository (artetxem/vecmap, facebookresearch/fastText, facebookresearch/MUSE);
those not given are left out. Nothing of them is part of this project.

English and French word vectors as in the benchmark `bli`, written as text. No peer can map between two dimensions:
for them, and for the rows "100d" of this project, French is reduced to its 100 principal directions; the rows "300d"
are what that costs.
Every run is a process of its own; CPU seconds and peak memory are the whole
process's, reading the files and writing the result included. Where this project is given 5k or 1k pairs, its command
fits twice, to score itself on pairs held out; the peers fit once. All outputs are scored here by CSLS.

VecMap's self-learning is held to the 4,000 most frequent words and to 10 iterations without gain before it raises the
keep probability, instead of 20,000 and 50, which takes far longer. "25 pairs, 20,000 words" has both projects on 20,000
words of each side, VecMap with all its defaults; the CPU seconds of a run stopped by --cpu-limit are those up to there.
"""

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, Normalization, SeedDictionary, SharedSpace
from interlingua.align.arrays import unit_rows
from interlingua.align.word.confidence import THRESHOLD
from interlingua.align.word.evaluation import gold_rows, lexicon_score
from interlingua.benchmarks.harness.datasets import read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.harness.processes import run_measured

from .bli import most_frequent

#: What is given, and the file of its pairs.
_FULL = "25 pairs, 20,000 words"
_GIVEN = {"5k pairs": "5k.tsv", "1k pairs": "1k.tsv", "25 pairs": "25.tsv", _FULL: "25.tsv"}
_SECONDS = 1200.0
_STOPPED = -24  # SIGXCPU

Mapped = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Entry:
    """One run of one tool.

    Attributes
    ----------
    name : str
        Tool and setting.
    given : str
        What it learns from.
    command : sequence of str
    load : callable
        Returns both vocabularies as the tool mapped them.
    directory : path, optional
        Where the command runs.
    space : path, optional
        The space that it writes, which may say that the alignment has failed.
    """

    name: str
    given: str
    command: Sequence[str]
    load: Callable[[], Mapped]
    directory: Path | None = None
    space: Path | None = None


def run(
    vecmap: Path | None = None,
    muse: Path | None = None,
    fasttext: Path | None = None,
    only: str = "",
    limit: float = _SECONDS,
    cpu_limit: int | None = None,
) -> Iterator[Case]:
    """Run every entry whose name or data holds `only`; the peers' are run from checkouts of them."""
    peers = {"vecmap": vecmap, "muse": muse, "fasttext": fasttext}
    test = read_lexicon("en-fr", "test")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = write_files(folder)
        pairs, coverage = test.index_pairs(source, target)
        for entry in entries(folder, {name: path for name, path in peers.items() if path is not None}):
            if only not in f"{entry.given}, {entry.name}":
                continue
            used = run_measured(entry.command, directory=entry.directory, limit=limit, cpu_limit=cpu_limit)
            values: dict[str, float] = {} if math.isnan(used.cpu) else {"CPU s": used.cpu, "peak MB": used.peak_mb}
            if used.code == 0:
                score = lexicon_score(*entry.load(), gold_rows(pairs), n_asked=coverage.n_sources)
                values |= {
                    "P@1 %": 100 * score.precision_at_1,
                    "P@5 %": 100 * score.precision_at_5,
                    "MRR %": 100 * score.mrr,
                }
            label = entry.name
            if used.code:
                label += " (stopped)" if used.code == _STOPPED else f" (ended with {used.code}, no result)"
            if used.code == 0 and entry.space and SharedSpace.load(entry.space).scores.get("confidence", 1) < THRESHOLD:
                label += " (refused)"
            values = values or {"stopped after s": used.seconds}
            figures = dict(sorted(values.items(), key=lambda each: "%" not in each[0]))
            yield Case(task="lexicon induction", data=f"en-fr, {entry.given}", method=label, figures=figures,
                       n=coverage.n_sources_covered, seconds=used.seconds, peak_mb=used.peak_mb)  # fmt: skip


def write_files(folder: Path) -> tuple[Embeddings, Embeddings]:
    """Write vectors and dictionaries as text, and return both vocabularies at their full dimension."""
    source, target = read_vectors("en"), read_vectors("fr")
    reduced = unit_rows(target.vectors) @ principal_directions(unit_rows(target.vectors), source.dimension)
    source.write(folder / "en.vec")
    target.write(folder / "fr300.vec")
    Embeddings(target.labels, np.asarray(reduced, np.float32), "fr").write(folder / "fr100.vec")
    for part in ("5k", "1k"):
        covered = _covered(read_lexicon("en-fr", part), source, target)
        covered.write(folder / f"{part}.tsv")
        # fastText's reader takes one blank and no tab
        blanks = "".join(f"{word} {translation}\n" for word, translation in covered.pairs)
        (folder / f"{part}.txt").write_text(blanks, encoding="utf-8")
    most_frequent(read_lexicon("en-fr", "5k"), source, target, 25).write(folder / "25.tsv")
    return source, target


def principal_directions(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the (d, count) leading eigenvectors of the covariance of the rows."""
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)  # eigenvalues rise
    return np.asarray(vectors[:, ::-1][:, :count], np.float32)


def entries(folder: Path, peers: dict[str, Path]) -> Iterator[Entry]:
    """Yield this project's runs and those of the peers given, by name: "vecmap", "fasttext", "muse"."""
    yield from _ours(folder)
    if "vecmap" in peers:
        yield from _vecmap(folder, peers["vecmap"].resolve())
    if "fasttext" in peers:
        yield from _fasttext(folder, peers["fasttext"].resolve())
    if "muse" in peers:
        yield from _muse(folder, peers["muse"].resolve())


def _ours(folder: Path) -> Iterator[Entry]:
    """Yield this project's runs, by its command."""
    cases = [
        (given, method)
        for given in ("5k pairs", "1k pairs")
        for method in ("procrustes", "multi-step", "self-learning")
    ]
    cases += [(given, "auto") for given in ("25 pairs", "identical strings", "no pairs")]
    for dimension in (100, 300):
        for given, method in [*cases, (_FULL, "auto")] if dimension == 100 else cases:
            space = folder / f"{given}-{method}-{dimension}.space"
            start = ["--dictionary", str(folder / _GIVEN[given])] if given in _GIVEN else ["--unsupervised"]
            if given == "identical strings":
                start = ["--seeds", "identical"]
            files = [f"en={folder / 'en.vec'}", f"fr={folder / f'fr{dimension}.vec'}"]
            yield Entry(
                f"interlingua {method}, {dimension}d",
                given,
                [sys.executable, "-m", "interlingua.pipelines.commands.main", "align", *files, *start,
                 "--method", method, "--on-failure", "warn", "-o", str(space)],
                lambda space=space, dimension=dimension: _through(space, folder, dimension),  # type: ignore[misc] # bound
                space=space,
            )  # fmt: skip


def _vecmap(folder: Path, peer: Path) -> Iterator[Entry]:
    settings = {
        "5k pairs": ["--supervised", str(folder / "5k.tsv")],
        "1k pairs": ["--supervised", str(folder / "1k.tsv")],
        "25 pairs": ["--semi_supervised", str(folder / "25.tsv"), "--vocabulary_cutoff", "4000",
                     "--stochastic_interval", "10"],
        _FULL: ["--semi_supervised", str(folder / "25.tsv")],
        "identical strings": ["--identical", "--vocabulary_cutoff", "4000", "--stochastic_interval", "10"],
        "no pairs": ["--unsupervised", "--vocabulary_cutoff", "4000", "--stochastic_interval", "10"],
    }  # fmt: skip
    inputs = [str(folder / "en.vec"), str(folder / "fr100.vec")]
    outputs = [str(folder / "vecmap.en.vec"), str(folder / "vecmap.fr.vec")]
    for given, options in settings.items():
        how = options[0].removeprefix("--").replace("_", "-") + (" 4000" if "4000" in options else "")
        yield Entry(
            f"VecMap {how}, 100d",
            given,
            [sys.executable, "map_embeddings.py", *options, *inputs, *outputs],
            lambda: (_unit(Path(outputs[0])), _unit(Path(outputs[1]))),
            peer,
        )


def _fasttext(folder: Path, peer: Path) -> Iterator[Entry]:
    output = folder / "fasttext.en.vec"
    for given in ("5k pairs", "1k pairs"):
        pairs = str(folder / f"{given.split()[0]}.txt")
        # the training pairs stand in for the validation pairs, which the tool demands and only prints a score of
        yield Entry(
            "fastText RCSLS centred, 100d",
            given,
            [sys.executable, "align.py", "--src_emb", str(folder / "en.vec"), "--tgt_emb", str(folder / "fr100.vec"),
             "--dico_train", pairs, "--dico_test", pairs, "--output", str(output), "--center",
             "--lr", "25"],  # its example's rate: 55.2 on 5k pairs, where its default of 1 gives 51.8
            lambda: (_unit(output), _centred(folder / "fr100.vec")),
            peer / "alignment",
        )  # fmt: skip


def _muse(folder: Path, peer: Path) -> Iterator[Entry]:
    for given in ("5k pairs", "1k pairs"):
        pairs = str(folder / _GIVEN[given])
        number = given.split()[0]
        yield Entry(
            "MUSE Procrustes, 100d",
            given,
            [sys.executable, "supervised.py", "--cuda", "False", "--emb_dim", "100", "--n_refinement", "0",
             "--export", "", "--src_lang", "en", "--tgt_lang", "fr", "--src_emb", str(folder / "en.vec"),
             "--tgt_emb", str(folder / "fr100.vec"), "--dico_train", pairs, "--dico_eval", pairs,
             "--exp_path", str(folder), "--exp_name", "muse", "--exp_id", number],
            lambda number=number: _by_muse(folder, folder / "muse" / number / "best_mapping.pth"),  # type: ignore[misc] # bound
            peer,
        )  # fmt: skip


def _through(space: Path, folder: Path, dimension: int) -> Mapped:
    fitted = SharedSpace.load(space)
    english, french = (Embeddings.read(folder / name) for name in ("en.vec", f"fr{dimension}.vec"))
    return fitted.transform(english.vectors, "en"), fitted.transform(french.vectors, "fr")


def _by_muse(folder: Path, mapping: Path) -> Mapped:
    import torch

    matrix = np.asarray(torch.load(mapping, weights_only=False), np.float32)  # an array, pickled by the run before
    english = Embeddings.read(folder / "en.vec").vectors
    return unit_rows(english @ matrix.T), _unit(folder / "fr100.vec")


def _unit(path: Path) -> NDArray[np.float32]:
    return np.asarray(unit_rows(Embeddings.read(path).vectors), np.float32)


def _centred(path: Path) -> NDArray[np.float32]:
    vectors = Embeddings.read(path).vectors
    return np.asarray(Normalization.fit(vectors, "unit-centre-unit").transform(vectors), np.float32)


def _covered(dictionary: SeedDictionary, source: Embeddings, target: Embeddings) -> SeedDictionary:
    rows, _ = dictionary.index_pairs(source, target)
    return SeedDictionary(tuple((source.labels[s], target.labels[t]) for s, t in rows.tolist()))
