"""What is done to a shard: encode it, then map it and fill its part of the index."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace, fold_csls
from interlingua.index import Metric
from interlingua.index.checks import check_vectors
from interlingua.index.faiss_config import CONFIGS
from interlingua.index.faiss_library import build_trained, load_faiss
from interlingua.index.flat import write_array
from interlingua.index.folder import read_folder, write_folder

from ..encoder import Encoder
from ..encoder_loading import load_encoder
from ..encoder_names import encode_named
from ..hubness import measure_hubness, typical_hubness
from ..language_centres import map_by_language
from .sources import Shard, read_passages_of, read_vectors_of

__all__ = ["Settings", "Work", "encode_shard", "fill_shard", "folded", "read_rows", "train_quantiser"]

_BATCH = 4096


@dataclass(frozen=True)
class Settings:
    """All that decides what the collection will hold; equal settings and input, equal collection.

    Attributes
    ----------
    encoder_name, encoder : str
        What `load_encoder` takes, and the identity of what it gives; both empty for vectors.
    space : str
        Fingerprint of a saved space, the name of a method, or empty.
    language, ranking, kind, neighborhood, seed, sample_size
        See `build_index`.
    config : str
        Of the index, as JSON; empty for the default of the kind.
    """

    encoder_name: str
    encoder: str
    space: str
    language: str
    ranking: str
    kind: str
    config: str
    neighborhood: int
    seed: int
    sample_size: int

    @property
    def vectors_only(self) -> bool:
        """Whether the input is vectors, which are kept as they are."""
        return not self.encoder


@dataclass(frozen=True)
class Work:
    """Where a build keeps its shards, and what it is to do; small enough to be sent to every worker."""

    folder: str
    settings: Settings
    shards: tuple[Shard, ...]
    device: str = "auto"
    cache: bool = False

    def place(self, stage: str, shard: int | None = None) -> Path:
        """Return the folder of a stage, or of a shard in it."""
        base = Path(self.folder) / stage
        return base if shard is None else base / f"{shard:06d}"

    def done(self, stage: str, shard: int) -> bool:
        """Tell whether the shard's output is there, whole, and of these settings and this input."""
        folder = self.place(stage, shard)
        if not (folder / "manifest.json").is_file():
            return False
        return bool(read_folder(folder, lambda contents, _: contents["recipe"] == self.recipe(shard)))

    def recipe(self, shard: int) -> dict[str, Any]:
        """Return what a shard's output depends on: hash of its input, encoder, space, and all settings."""
        spans = [asdict(span) for span in self.shards[shard]]
        return {
            "input": sha256(json.dumps(spans, sort_keys=True).encode()).hexdigest(),
            "encoder": self.settings.encoder,
            "space": self.settings.space,
            "settings": sha256(json.dumps(asdict(self.settings), sort_keys=True).encode()).hexdigest(),
        }


def encode_shard(work: Work, number: int) -> None:
    """Write ids, texts and raw vectors of a shard, whole or not at all."""
    settings = work.settings
    if settings.vectors_only:
        ids, vectors = read_vectors_of(work.shards[number])
        vectors = check_vectors(vectors, vectors.shape[1], Metric.COSINE)
        language = {"language": settings.language} if settings.language else {}
        rows: list[tuple[str, dict[str, Any]]] = [(id, dict(language)) for id in ids]
    else:
        encoder = _encoder(settings.encoder_name, work.device, work.cache)
        if encoder.identity != settings.encoder:
            raise ValueError(f"the encoder of this worker is {encoder.identity!r}, not {settings.encoder!r}")
        passages = list(read_passages_of(work.shards[number], settings.language or None))
        rows = [(each.id, {**each.metadata, "text": each.text, "language": each.language}) for each in passages]
        parts = [np.empty((0, encoder.dimension), np.float32)]
        for start in range(0, len(passages), _BATCH):
            some = passages[start : start + _BATCH]
            names = [f"the passage {each.id!r}" for each in some]
            parts.append(encode_named(encoder, [each.text for each in some], names, "passage"))
        vectors = np.concatenate(parts)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    _write(work, "encoded", number, {"vectors.npy": lambda path: write_array(vectors, path), "rows.jsonl": lines})


def fill_shard(work: Work, number: int) -> None:
    """Map a shard's vectors, and write them, or the shard's part of the inverted lists, whole or not at all."""
    settings = work.settings
    rows = read_rows(work, number)
    vectors = np.load(_files(work.place("encoded", number))["vectors.npy"], mmap_mode="r", allow_pickle=False)
    languages = [row.get("language", "") for _, row in rows]
    parts = (
        folded(work, np.array(vectors[start : start + _BATCH]), languages[start : start + _BATCH])
        for start in range(0, len(vectors), _BATCH)
    )
    if settings.kind not in ("ivf-flat", "ivf-pq", "ivf-rabitq"):
        made = [*parts]
        _write(work, "filled", number, {"vectors.npy": lambda path: write_array(np.concatenate(made), path)})
        return
    faiss = load_faiss()
    index = faiss.read_index(str(_files(work.place("common"))["quantiser.faiss"]))
    for part in parts:
        index.add(part)
    _write(work, "filled", number, {"part.faiss": lambda path: faiss.write_index(index, str(path))})


def folded(work: Work, raw: NDArray[np.float32], languages: list[str]) -> NDArray[np.float32]:
    """Return vectors as the index holds them: mapped, and folded for CSLS; those of ``.npy`` files as they are."""
    if work.settings.vectors_only:
        return raw
    space, background, typical = _common(str(work.place("common")), _digest_of(work), work.settings.neighborhood)
    vectors = map_by_language(space, raw, languages)
    hubness = np.zeros(len(vectors), np.float32)
    if background:
        hubness = measure_hubness(vectors, languages, background, work.settings.neighborhood)
        hubness[np.isnan(hubness)] = typical
    result: NDArray[np.float32] = fold_csls(vectors, hubness)
    return result


def train_quantiser(work: Work, sample: NDArray[np.float32], config: dict[str, Any]) -> bytes:
    """Return an empty FAISS index of inverted lists that has learned its cells from the sample (n, d)."""
    faiss = load_faiss()
    metric = Metric.COSINE if work.settings.vectors_only else Metric.IP
    index = build_trained(CONFIGS[work.settings.kind](**config), sample.shape[1], metric, sample)
    # subtle: FAISS merges no lists that also know where each vector lies; the merged index gets that at the end
    lists = faiss.extract_index_ivf(index)
    lists.set_direct_map_type(faiss.DirectMap.NoMap)
    content: bytes = faiss.serialize_index(index).tobytes()
    return content


def read_rows(work: Work, number: int) -> list[tuple[str, dict[str, Any]]]:
    """Return id and metadata of each record of an encoded shard."""
    with _files(work.place("encoded", number))["rows.jsonl"].open(encoding="utf-8", newline="\n") as lines:
        return [(id, row) for id, row in map(json.loads, lines)]


def _write(work: Work, stage: str, number: int, files: dict[str, Any]) -> None:
    contents = {"type": f"shard-{stage}", "shard": number, "recipe": work.recipe(number)}
    write_folder(work.place(stage, number), contents=contents, files=files)


def _files(folder: Path) -> dict[str, Path]:
    return read_folder(folder, lambda _, files: files)


def _digest_of(work: Work) -> str:
    return sha256((work.place("common") / "manifest.json").read_bytes()).hexdigest()


@cache
def _encoder(name: str, device: str, cached: bool) -> Encoder:
    return load_encoder(name, device=device, cache=cached)


@cache
def _common(
    folder: str, digest: str, neighborhood: int
) -> tuple[SharedSpace | None, dict[str, NDArray[np.float32]], float]:
    """Return space, background and typical hubness; once a worker, for `digest` names what the folder holds."""

    def parse(contents: dict[str, Any], files: dict[str, Path]) -> Any:
        space = SharedSpace.load(files["passages.space"]) if "passages.space" in files else None
        background = {
            language: np.load(files[f"background-{number}.npy"], allow_pickle=False)
            for number, language in enumerate(contents["background"])
        }
        return space, background, typical_hubness(background, neighborhood)

    result: tuple[SharedSpace | None, dict[str, NDArray[np.float32]], float] = read_folder(Path(folder), parse)
    return result
