"""Build one collection from many files, shard by shard, in one process or on a Ray cluster.

What is done to a shard: encode it, then map it and fill its part of the index.

Put the parts of all shards into one index.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from hashlib import sha256
from math import sqrt
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.files import refuse_links, replacing
from interlingua.index import Collection, FaissIndex, VectorIndex, create_index
from interlingua.index.collection.metadata import MetadataTable
from interlingua.index.engines.base import IndexSpec, Metric, check_vectors
from interlingua.index.engines.config import CONFIGS
from interlingua.index.engines.flat import write_array
from interlingua.index.engines.scan import load_faiss
from interlingua.index.engines.training import build_trained, sample_size
from interlingua.index.folder import read_folder, refuse_foreign, write_folder
from interlingua.pipelines.encoders.base import Encoder, identity_for
from interlingua.pipelines.encoders.fingerprint import check_space
from interlingua.pipelines.encoders.load import lasting_name, load_encoder
from interlingua.pipelines.stored import EncoderNote

from .encoded import encode_passages
from .languages import (
    LanguageMethod,
    check_languages,
    check_method,
    map_by_language,
    remove_languages,
    shift_to_questions,
)
from .parts import SearchParts, learned_files, learned_from, write_search
from .ranked import (
    CorrectedRows,
    IndexKind,
    folds,
    hubness_of,
    laid_out,
    ranked_spec,
    sample_languages,
    typical_hubness,
)
from .runners import LocalRunner, Runner
from .search import Ranking
from .shard_sources import Shard, cut_shards, read_passages_of, read_vectors_of

_BATCH = 4096
_LAYOUT = 2  # of a shard's output: since 2, what ranks a row lies beside it too


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

    @property
    def metric(self) -> Metric:
        """Of the index."""
        return Metric.COSINE if self.settings.vectors_only else ranked_spec(self.settings.kind, 1)[1]

    def columns(self, dimension: int) -> int:
        """Return how many numbers the index holds of a vector of `dimension`."""
        return dimension if self.settings.vectors_only else ranked_spec(self.settings.kind, dimension)[0]

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
            "layout": _LAYOUT,
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
        if identity_for(encoder, settings.encoder) != settings.encoder:
            raise ValueError(f"the encoder of this worker is {encoder.identity!r}, not {settings.encoder!r}")
        passages = list(read_passages_of(work.shards[number], settings.language or None))
        rows = [(each.id, {**each.metadata, "text": each.text, "language": each.language}) for each in passages]
        parts = [np.empty((0, encoder.dimension), np.float32)]
        for start in range(0, len(passages), _BATCH):
            parts.append(encode_passages(encoder, passages[start : start + _BATCH]))
        vectors = np.concatenate(parts)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    _write(work, "encoded", number, {"vectors.npy": lambda path: write_array(vectors, path), "rows.jsonl": lines})


def fill_shard(work: Work, number: int) -> None:
    """Map a shard's vectors, and write them, or the shard's part of the inverted lists, whole or not at all."""
    settings = work.settings
    rows = read_rows(work, number)
    vectors = np.load(_files(work.place("encoded", number))["vectors.npy"], mmap_mode="r", allow_pickle=False)
    languages = [row.get("language", "") for _, row in rows]
    made, means = [np.empty((0, work.columns(vectors.shape[1])), np.float32)], [np.empty(0, np.float32)]
    index = None
    if not folds(settings.kind):
        faiss = load_faiss()
        index = faiss.read_index(str(_files(work.place("common"))["quantiser.faiss"]))
    for start in range(0, len(vectors), _BATCH):
        some = slice(start, start + _BATCH)
        part, own = ranked(work, np.array(vectors[some]), languages[some])
        means.append(own)
        if index is None:
            made.append(part)
        else:
            index.add(part)
    files: dict[str, Any] = {"means.npy": lambda path: write_array(np.concatenate(means), path)}
    if index is None:
        files["vectors.npy"] = lambda path: write_array(np.concatenate(made), path)
    else:
        files["part.faiss"] = lambda path: faiss.write_index(index, str(path))
    _write(work, "filled", number, files)


def ranked(
    work: Work, raw: NDArray[np.float32], languages: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mapped vectors as the index holds them, and the r (n,) of each; those of ``.npy`` files as they are."""
    if work.settings.vectors_only:
        return raw, np.zeros(len(raw), np.float32)
    kind, neighborhood = work.settings.kind, work.settings.neighborhood
    space, background, typical = _common(str(work.place("common")), _digest_of(work), neighborhood)
    vectors = map_by_language(space, raw, languages)
    means = hubness_of(vectors, languages, background, neighborhood, lambda: typical)
    return check_vectors(
        laid_out(vectors, means, folded=folds(kind)), work.columns(vectors.shape[1]), work.metric
    ), means


def train_quantiser(work: Work, sample: NDArray[np.float32], config: dict[str, Any]) -> bytes:
    """Return an empty FAISS index of inverted lists that has learned its cells from the sample (n, d)."""
    faiss = load_faiss()
    index = build_trained(CONFIGS[work.settings.kind](**config), sample.shape[1], work.metric, sample)
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


def _bytes_of(files: dict[str, Path]) -> dict[str, bytes]:
    """Return the content of the files of what was learned; the quantiser, which is large, is none of them."""
    return {name: path.read_bytes() for name, path in files.items() if not name.endswith(".faiss")}


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
        space, _, background = learned_from(_bytes_of(files), contents["background"], folder)
        return space, background, typical_hubness(background, neighborhood)

    result: tuple[SharedSpace | None, dict[str, NDArray[np.float32]], float] = read_folder(Path(folder), parse)
    return result


def merge_shards(work: Work, config: dict[str, Any] | None, dimension: int) -> VectorIndex:
    """Return the index of all shards under the numbers 0 to n - 1, in the order of the input.

    Inverted lists are merged by FAISS; a flat index and a graph take the shards' vectors one shard after the other, as
    graphs cannot be merged. Needs the memory of the index, and of one shard.
    """
    settings = work.settings
    if folds(settings.kind):
        index = create_index(settings.kind, dimension, work.metric, config)
        total = 0
        parts = [
            np.load(_files(work.place("filled", number))["vectors.npy"], mmap_mode="r", allow_pickle=False)
            for number in range(len(work.shards))
        ]
        if isinstance(index, FaissIndex):
            _teach(index, parts)
        for vectors in parts:
            if len(vectors):
                index.add(np.arange(total, total + len(vectors)), vectors)
                total += len(vectors)
        return index
    folder = work.place("merged")
    n_vectors = _write_merged(work, folder)
    spec = IndexSpec(settings.kind, dimension, work.metric, config or {})
    read: VectorIndex = FaissIndex.read(_files(folder), spec, CONFIGS[settings.kind](**(config or {})))
    if len(read) != n_vectors:
        raise ValueError(f"the merged index holds {len(read)} vectors instead of {n_vectors}; build it again")
    return read


def _teach(index: FaissIndex, parts: Sequence[NDArray[np.float32]]) -> None:
    """Have an empty index that keeps vectors as bytes learn their range from a sample of all parts."""
    total = sum(map(len, parts))
    if size := sample_size(index.config, total):
        step = max(1, total // size)
        index.learn(np.concatenate([np.array(part[::step]) for part in parts if len(part)]))


def _write_merged(work: Work, folder: Path) -> int:
    faiss = load_faiss()
    merged = faiss.read_index(str(_files(work.place("common"))["quantiser.faiss"]))
    for number in range(len(work.shards)):
        part = faiss.read_index(str(_files(work.place("filled", number))["part.faiss"]))
        lists, more = faiss.extract_index_ivf(merged), faiss.extract_index_ivf(part)
        lists.merge_from(more, lists.ntotal)
        if hasattr(merged, "refine_index"):
            faiss.downcast_index(merged.refine_index).merge_from(faiss.downcast_index(part.refine_index), 0)
            merged.base_index.ntotal = lists.ntotal
        merged.ntotal = lists.ntotal
    if work.settings.kind == "ivf-flat":
        merged.set_direct_map_type(faiss.DirectMap.Array)
    total = int(merged.ntotal)
    files: dict[str, Any] = {
        "index.faiss": lambda path: faiss.write_index(merged, str(path)),
        "ids.npy": lambda path: write_array(np.arange(total), path),
    }
    write_folder(folder, contents={"type": "merged"}, files=files)
    return total


_PLAN = "plan.json"


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes
    ----------
    records, shards : int
        In all.
    encoded, filled : int
        Shards that this run encoded and filled; the others were there from an earlier run.
    config : mapping
        Of the index; empty for the default of its kind.
    """

    records: int
    shards: int
    encoded: int
    filled: int
    config: Mapping[str, Any]


def build_index(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    encoder_name: str | Path | None = None,
    space: SharedSpace | LanguageMethod | None = "auto",
    language: str | None = None,
    ranking: Ranking = "csls",
    kind: IndexKind = "flat",
    config: Mapping[str, Any] | None = None,
    neighborhood: int = 10,
    seed: int = 0,
    sample_size: int = 200_000,
    shards: int | None = None,
    runner: Runner | None = None,
    resume: bool = False,
    device: str = "auto",
    cache: bool = False,
    callback: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Encode, map and index files into one collection.

    Every shard is encoded; a sample of all records teaches the space, the background of CSLS and the cells of inverted
    lists; every shard is mapped and filled; FAISS merges the parts. The result depends on the input and the settings,
    not on the number of shards nor on who runs them. Shards are kept in ``OUTPUT.parts`` until the collection is there;
    each is written whole or not at all.

    Texts become a collection for `CrossLingualSearch.load`, the same as `CrossLingualSearch.build` makes of them while
    they are at most `sample_size`. Vectors (``.npy``) become a plain collection of metric ``cosine``. A record without
    an id is called by its line or row, after its file's name and a colon where there are several files.

    Parameters
    ----------
    inputs : sequence of paths
        See `cut_shards`.
    output : str or Path
        The folder to write.
    encoder_name, neighborhood, seed
        As in `CrossLingualSearch.build`.
    space : SharedSpace, str or None
        How to remove language, learned from a sample of the texts.

        Or a space, or None; all as in `CrossLingualSearch.build`.
    language : str, optional
        Of texts that name none, or of all vectors.
    ranking : {"csls", "cosine"}
        With CSLS a text that is near to everything in its language is ranked lower.
    kind : str
        Of the index; "flat" is exact, and `interlingua index recommend` chooses one.
    config : mapping, optional
        Of the index. Inverted lists by default get 4 sqrt(n) cells, 50 vectors a cell to learn from, and search 1/32.
    sample_size : int
        Records in the sample; inverted lists take as many as their `train_size` if that is more.
    shards : int, optional
        How many; by default one for each 16 MB of text, see `cut_shards`.
    runner : Runner, optional
        `RayRunner()`, for example; by default this process.
    resume : bool
        Go on where the same build, of the same settings and input, was cut off.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device.
    cache : bool
        Keep the vectors of each text on disk, beside those of the shards.
    callback : callable, optional
        Called with "encoded" or "filled", the number of shards done, and of all.

    Raises
    ------
    ValueError
        If input or settings are not as above, an id is there twice, or `resume` finds a build of other settings.
    FileExistsError
        If an unfinished build is there and `resume` is not set.
    """
    target = Path(output).absolute()
    refuse_foreign(target)
    if kind not in get_args(IndexKind):
        raise ValueError(f"a build over shards makes {', '.join(get_args(IndexKind))}, but the kind is {kind!r}")
    if ranking not in get_args(Ranking):
        raise ValueError(f"ranking must be csls or cosine, but is {ranking!r}")
    if neighborhood < 1 or sample_size < 1:
        raise ValueError(f"neighborhood ({neighborhood}) and sample_size ({sample_size}) must be at least 1")
    if isinstance(space, str):
        check_method(space)
    cut = cut_shards(inputs, shards)
    note = EncoderNote("")
    if not str(inputs[0]).endswith(".npy"):
        encoder = load_encoder(encoder_name, device=device, cache=cache)
        note = EncoderNote.of(encoder, lasting_name(encoder_name, encoder))
        if isinstance(space, SharedSpace):
            check_space(space, encoder)
    settings = Settings(
        encoder_name=note.name,
        encoder=note.identity,
        space=space.fingerprint if isinstance(space, SharedSpace) else space or "",
        language=language or "",
        ranking=ranking,
        kind=kind,
        config=json.dumps(dict(config), sort_keys=True) if config else "",
        neighborhood=neighborhood,
        seed=seed,
        sample_size=sample_size,
    )
    work = Work(str(target) + ".parts", settings, tuple(cut), device, cache)
    _begin(work, resume)
    runner = runner or LocalRunner()
    encoded = _run(work, "encoded", encode_shard, runner, callback)
    chosen, dimension, total = _prepare(work, space)
    filled = _run(work, "filled", fill_shard, runner, callback)
    table = MetadataTable()
    for number in range(len(work.shards)):
        records = read_rows(work, number)
        ids = [id for id, _ in records]
        table.append(ids, table.check(ids, [row for _, row in records]))
    collection = Collection(merge_shards(work, chosen, dimension), table)
    _save(work, collection, target, note)
    shutil.rmtree(work.folder)
    return BuildReport(total, len(work.shards), encoded, filled, chosen or {})


def _begin(work: Work, resume: bool) -> None:
    """Note what the build is to do, or check that the note of an earlier one says the same."""
    plan = {"settings": asdict(work.settings), "shards": [[asdict(span) for span in shard] for shard in work.shards]}
    path = Path(work.folder) / _PLAN
    refuse_links(*path.parent.glob("*"), *path.parent.glob("*/*"))
    if path.is_file():
        if not resume:
            raise FileExistsError(f"{work.folder} holds an unfinished build; resume it, or remove that folder")
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key, value in plan["settings"].items() if before["settings"].get(key) != value]  # type: ignore[attr-defined]
        changed += ["input or number of shards"] * (before["shards"] != plan["shards"])
        if changed:
            raise ValueError(
                f"the unfinished build in {work.folder} has another {', '.join(changed)}; give what it was begun with, "
                "or remove that folder"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, "w", links="replace") as file:
        file.write(json.dumps(plan, ensure_ascii=False, indent=1) + "\n")


def _run(
    work: Work,
    stage: str,
    function: Callable[[Work, int], None],
    runner: Runner,
    callback: Callable[[str, int, int], None] | None,
) -> int:
    waiting = [number for number in range(len(work.shards)) if not work.done(stage, number)]
    for count, _ in enumerate(runner.run(partial(function, work), waiting), start=1):
        if callback is not None:
            callback(stage, len(work.shards) - len(waiting) + count, len(work.shards))
    return len(waiting)


def _prepare(work: Work, space: SharedSpace | str | None) -> tuple[dict[str, Any] | None, int, int]:
    """Learn from a sample what all shards share; return the index' configuration, its dimension, and n."""
    settings = work.settings
    sizes, languages, seen = [], [], set[str]()
    for number in range(len(work.shards)):
        rows = read_rows(work, number)
        sizes.append(len(rows))
        languages += [row.get("language", "") for _, row in rows]
        repeated = next((id for id, _ in rows if id in seen or seen.add(id)), None)  # type: ignore[func-returns-value]
        if repeated is not None:
            raise ValueError(f"ids must be different, but {repeated!r} is there twice; give each record its own")
    total = sum(sizes)
    if not total:
        raise ValueError("the input holds no text; give one record a line")
    config = _configured(settings, total)
    size = max(settings.sample_size, config["train_size"] if config and not folds(settings.kind) else 0)
    rng = np.random.default_rng(settings.seed)
    chosen = np.arange(total) if total <= size else np.sort(rng.choice(total, size, replace=False, shuffle=False))
    raw, spoken = _rows_at(work, sizes, chosen), [languages[row] for row in chosen.tolist()]
    recipe = {"recipes": [work.recipe(number) for number in range(len(work.shards))]}
    files: dict[str, bytes] = {}
    background: dict[str, NDArray[np.float32]] = {}
    if not settings.vectors_only:
        if isinstance(space, str):
            space = remove_languages(raw, spoken, settings.encoder, space)
            encoder = load_encoder(settings.encoder_name, device=work.device, cache=work.cache)
            question_space = None if space is None else shift_to_questions(space, encoder)
        else:
            question_space = space
        if space is not None:
            check_languages(space, languages)
        if settings.ranking == "csls":
            mapped = map_by_language(space, raw, spoken)
            background = sample_languages(mapped, spoken, neighborhood=settings.neighborhood, seed=settings.seed)
        files |= learned_files(space, question_space, background)
    place = work.place("common")
    if (place / "manifest.json").is_file() and _contents(place)["recipe"] == recipe:
        kept = _contents(place)
        return kept["config"], kept["dimension"], total
    contents: dict[str, Any] = {"type": "shared", "recipe": recipe, "background": list(background), "config": config}
    write_folder(place, contents={**contents, "dimension": 0, "recipe": {}}, files=files)
    n_taught = len(raw) if not folds(settings.kind) else 1
    taught, _ = ranked(work, raw[:n_taught], spoken[:n_taught])
    if not folds(settings.kind) and config:
        step = rng.permutation(len(taught))[: config["train_size"]]
        files["quantiser.faiss"] = train_quantiser(work, taught[np.sort(step)], config)
    write_folder(place, contents={**contents, "dimension": int(taught.shape[1])}, files=files)
    return config, int(taught.shape[1]), total


def _configured(settings: Settings, total: int) -> dict[str, Any] | None:
    given: dict[str, Any] = json.loads(settings.config) if settings.config else {}
    if folds(settings.kind):
        return given or None
    cells = given.get("n_lists") or max(1, min(round(4 * sqrt(total)), 262_144, total // 39))
    usual = {"n_lists": cells, "nprobe": max(1, cells // 32), "train_size": min(total, 50 * cells)}
    return {**usual, **given}


def _rows_at(work: Work, sizes: list[int], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the raw vectors at ascending positions of the whole input."""
    stops = np.cumsum([0, *sizes])
    parts = []
    for number in range(len(work.shards)):
        own = chosen[(chosen >= stops[number]) & (chosen < stops[number + 1])] - stops[number]
        if len(own):
            path = read_folder(work.place("encoded", number), lambda _, files: files["vectors.npy"])
            parts.append(np.array(np.load(path, mmap_mode="r", allow_pickle=False)[own]))
    return np.concatenate(parts)


def _save(work: Work, collection: Collection, target: Path, note: EncoderNote) -> None:
    settings = work.settings
    if settings.vectors_only:
        collection.attributes = {"pipeline": "vectors"}
        collection.save(target)
        return

    def parse(contents: dict[str, Any], files: dict[str, Path]) -> SearchParts:
        learned = learned_from(_bytes_of(files), contents["background"], work.folder)
        return SearchParts(collection, *learned, settings.neighborhood, rows.attachments())

    rows = CorrectedRows(collection)
    shards = [_files(work.place("filled", number))["means.npy"] for number in range(len(work.shards))]
    rows.take_means(np.concatenate([np.load(each, allow_pickle=False) for each in shards]))
    made = read_folder(work.place("common"), parse)
    write_search(target, made, note)


def _contents(folder: Path) -> dict[str, Any]:
    return read_folder(folder, lambda contents, _: contents)
