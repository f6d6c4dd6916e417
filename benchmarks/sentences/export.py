"""The exported model in an environment without this project: equal vectors, read by sentence-transformers alone.

    python -m interlingua.benchmarks.sentences.export
    python -m interlingua.benchmarks.sentences.export --environment FOLDER

Spaces of sixteen languages, learned on NTREX-128 with the bundled encoder, are exported. A fresh virtual environment
gets torch and sentence-transformers in the versions of constraints.txt and nothing else; there, in another process that
cannot import this project, plain ``SentenceTransformer(folder)`` encodes fifty sentences of five languages. The figure
is the largest difference of any component from ours, with both computing in float32. *Half precision* compares our own
vectors in bfloat16 with those in float32, mapped by the same space: what a user sees who encodes with this project on a
processor with bfloat16 and with the exported model elsewhere. With --environment the virtual
environment is made there, or used again where there is one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import LSAR, Centring, SharedSpace
from interlingua.align.sentence import ContrastiveHead
from interlingua.benchmarks.harness.datasets import TATOEBA_LANGUAGES, read_ntrex
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.export.model import to_sentence_transformers

from .encoder_agreement import SENTENCES

COMMAND = "python -m interlingua.benchmarks.sentences.export"
GOAL = 1e-5
_CODES = {"zho": "cmn"}  # what `SENTENCES` calls Chinese, and Tatoeba's languages do
_SCRIPT = """
import importlib.util, json, sys
import numpy as np
folder, wanted, output = sys.argv[1:]
for name in ("interlingua", "align", "pipelines"):
    if importlib.util.find_spec(name) is not None:
        sys.exit(f"this environment is not clean: it has {name}")
from sentence_transformers import SentenceTransformer
import sentence_transformers, torch
model = SentenceTransformer(folder, device="cpu")
with open(wanted, encoding="utf-8") as file:
    wanted = json.load(file)
vectors = {}
for language, texts in wanted["texts"].items():
    for role in wanted["roles"]:
        task = {"task": language} if wanted["routed"] else {}
        vectors[f"{language} {role}"] = model.encode(texts, prompt_name=role, show_progress_bar=False, **task)
np.savez(output, **vectors)
print(json.dumps({"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}))
"""


def make_environment(folder: Path) -> Path:
    """Return the Python of a virtual environment with torch and sentence-transformers alone, made if it is not there.

    Raises
    ------
    subprocess.CalledProcessError
        If a package cannot be installed.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        constraints = Path(__file__).resolve().parents[2] / "constraints.txt"
        install = [str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints)]
        subprocess.run([*install, "torch", "sentence-transformers"], check=True, stdout=sys.stderr)
    return python


def vectors_elsewhere(
    python: Path, folder: Path, texts: Mapping[str, list[str]], *, roles: tuple[str, ...], routed: bool
) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Encode with the model in `folder` in a process that knows nothing of this project.

    Returns
    -------
    vectors : dict
        ``LANGUAGE ROLE`` -> (n, d) array.
    versions : dict
        Of the libraries there.

    Raises
    ------
    subprocess.CalledProcessError
        If the model does not load there; the message is on standard error.
    """
    with tempfile.TemporaryDirectory() as place:
        wanted, output = Path(place) / "wanted.json", Path(place) / "vectors.npz"
        content = {"texts": dict(texts), "roles": list(roles), "routed": routed}
        wanted.write_text(json.dumps(content), encoding="utf-8")
        surroundings = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "INTERLINGUA"))
        }
        # -I: neither the folder nor a variable brings another package in
        done = subprocess.run(
            [str(python), "-I", "-c", _SCRIPT, str(folder), str(wanted), str(output)],
            cwd=place,
            env=surroundings | {"HF_HUB_OFFLINE": "1"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        with np.load(output) as file:
            return {name: file[name] for name in file.files}, json.loads(done.stdout.splitlines()[-1])


def run(environment: Path | None = None) -> list[dict[str, Any]]:
    """Return the result rows: the largest difference for each exported space."""
    texts = {_CODES.get(language, language): list(each) for language, each in SENTENCES.items()}
    learned = load_encoder()
    vectors = {language: learned.encode(read_ntrex(language)) for language in (*TATOEBA_LANGUAGES, "eng")}
    spaces: dict[str, Callable[[], SharedSpace]] = {
        "centring, a map a language (Router)": lambda: Centring().fit(vectors, encoder=learned.identity).space_,
        "LSAR, one map for all languages": lambda: LSAR().fit(vectors, encoder=learned.identity).space_,
        "contrastive head with a hidden layer (Router)": lambda: (
            ContrastiveHead(kind="mlp", rank=64, steps=50).fit(vectors, encoder=learned.identity).space_
        ),
    }
    exact = load_encoder(device="cpu", dtype="float32")
    rows = half_precision(spaces["centring, a map a language (Router)"](), exact, texts)
    with tempfile.TemporaryDirectory() as place:
        python = make_environment(environment or Path(place) / "environment")
        for number, (method, fit) in enumerate(spaces.items()):
            with watch() as running:
                space = fit()
                folder = to_sentence_transformers(space, Path(place) / f"model-{number}", exact)
                worst, versions = _difference(python, folder, space, exact, texts)
            stack = ", ".join(f"{name} {version}" for name, version in versions.items())
            rows.append(
                row(
                    task="export to sentence-transformers",
                    data=f"NTREX-128 means, own sentences in {len(texts)} languages",
                    method=f"{method}; read by {stack}",
                    metric="largest difference",
                    value=worst,
                    n=sum(map(len, texts.values())),
                    command=COMMAND,
                    seconds=running.seconds,
                    peak_mb=peak_mb(),
                )
            )
    return rows


def half_precision(space: SharedSpace, exact: Encoder, texts: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Return how far vectors computed in bfloat16 lie from those in float32, behind the same maps."""
    half = load_encoder(device="cpu", dtype="bfloat16")
    with watch() as running:
        pairs = [
            [space.transform(encoder.encode(each), language) for encoder in (exact, half)]
            for language, each in texts.items()
        ]
    ours, theirs = (np.concatenate(each) for each in zip(*pairs, strict=True))
    figures = {
        "largest difference": float(np.abs(ours - theirs).max()),
        "least cosine": float(np.einsum("ij,ij->i", ours, theirs).min()),
    }
    return [
        row(
            task="half precision",
            data=f"NTREX-128 means, own sentences in {len(texts)} languages",
            method="bfloat16 beside float32, centred",
            metric=metric,
            value=value,
            n=len(ours),
            command=COMMAND,
            seconds=running.seconds,
            peak_mb=peak_mb(),
        )
        for metric, value in figures.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring; exit 1 if a difference is above 1e-5."""
    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.sentences.export", add_help=False)
    parser.add_argument("--environment", type=Path)
    options, rest = parser.parse_known_args(arguments)
    worst: list[float] = []

    def measure() -> list[dict[str, Any]]:
        rows = run(options.environment)
        worst.extend(each["value"] for each in rows if each["task"] != "half precision")
        return rows

    return run_benchmark("export", measure, rest) or int(max(worst) > GOAL)


def _difference(
    python: Path, folder: Path, space: SharedSpace, encoder: Encoder, texts: Mapping[str, list[str]]
) -> tuple[float, dict[str, str]]:
    roles = ("symmetric", "passage")
    theirs, versions = vectors_elsewhere(python, folder, texts, roles=roles, routed=len(space.maps) > 1)
    worst = 0.0
    for language, each in texts.items():
        for role in roles:
            ours = space.transform(encoder.encode(each, role=role), language)  # type: ignore[arg-type]  # of `roles`
            worst = max(worst, float(np.abs(ours - theirs[f"{language} {role}"]).max()))
    return worst, versions


if __name__ == "__main__":
    sys.exit(main())
