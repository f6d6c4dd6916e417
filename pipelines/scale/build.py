"""Build one collection from many files, shard by shard, in one process or on a Ray cluster."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.files import replacing
from interlingua.index import Collection, array_to_bytes
from interlingua.index.factory import INDEX_KINDS
from interlingua.index.folder import read_folder, refuse_foreign, write_folder
from interlingua.index.metadata import MetadataTable

from ..encoder_loading import load_encoder
from ..encoder_names import lasting_name
from ..hubness import sample_languages
from ..language_centres import check_languages, map_by_language, shift_to_questions
from ..language_removal import check_method, remove_languages
from ..search_folder import SearchParts, write_search
from .merge import merge_shards
from .runners import LocalRunner, Runner
from .sources import cut_shards
from .stages import Settings, Work, encode_shard, fill_shard, folded, read_rows, train_quantiser

__all__ = ["BuildReport", "build_index"]

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
    space: SharedSpace | str | None = "auto",
    language: str | None = None,
    ranking: str | None = None,
    kind: str = "flat",
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
    encoder_name, space, neighborhood, seed
        As in `CrossLingualSearch.build`.
    language : str, optional
        Of texts that name none, or of all vectors.
    ranking : {"csls", "cosine"}, optional
        By default "csls", but "cosine" for inverted lists, whose cells folding spoils.
    kind : str
        Of the index; not "milvus".
    config : mapping, optional
        Of the index. Inverted lists by default get 4 sqrt(n) cells, 50 vectors a cell to learn from, and search 1/32.
    sample_size : int
        Records in the sample; inverted lists take as many as their `train_size` if that is more.
    shards : int, optional
        How many; see `cut_shards`.
    runner : Runner, optional
        `RayRunner()`, for example; by default this process.
    resume : bool
        Go on where an earlier build of the same settings and input was cut off.
    device, cache
        As in `load_encoder`.
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
    if kind not in INDEX_KINDS or kind == "milvus":
        raise ValueError(f"a build over shards makes {', '.join(INDEX_KINDS[:-1])}, but the kind is {kind!r}")
    lists = kind.startswith("ivf")
    ranking = ranking or ("cosine" if lists else "csls")
    if ranking not in ("csls", "cosine") or (lists and ranking == "csls"):
        raise ValueError(f"ranking must be csls or, for inverted lists, cosine; but is {ranking!r} for {kind}")
    if neighborhood < 1 or sample_size < 1:
        raise ValueError(f"neighborhood ({neighborhood}) and sample_size ({sample_size}) must be at least 1")
    if isinstance(space, str):
        check_method(space)
    cut = cut_shards(inputs, shards)
    name = identity = ""
    if not str(inputs[0]).endswith(".npy"):
        encoder = load_encoder(encoder_name, device=device, cache=cache)
        name, identity = lasting_name(encoder_name, given=False), encoder.identity
        if isinstance(space, SharedSpace):
            space.check_encoder(identity)
    settings = Settings(
        encoder_name=name,
        encoder=identity,
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
    _save(work, collection, target)
    shutil.rmtree(work.folder)
    return BuildReport(total, len(work.shards), encoded, filled, chosen or {})


def _begin(work: Work, resume: bool) -> None:
    """Note what the build is to do, or check that the note of an earlier one says the same."""
    plan = {"settings": asdict(work.settings), "shards": [[asdict(span) for span in shard] for shard in work.shards]}
    path = Path(work.folder) / _PLAN
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
    with replacing(path, "w") as file:
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
    size = max(settings.sample_size, config["train_size"] if config and settings.kind.startswith("ivf") else 0)
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
        if space is not None and question_space is not None:
            check_languages(space, languages)
            files |= {"passages.space": space.to_bytes(), "questions.space": question_space.to_bytes()}
        if settings.ranking == "csls":
            mapped = map_by_language(space, raw, spoken)
            background = sample_languages(mapped, spoken, neighborhood=settings.neighborhood, seed=settings.seed)
        files |= {f"background-{number}.npy": array_to_bytes(each) for number, each in enumerate(background.values())}
    place = work.place("common")
    if (place / "manifest.json").is_file() and _contents(place)["recipe"] == recipe:
        kept = _contents(place)
        return kept["config"], kept["dimension"], total
    contents: dict[str, Any] = {"type": "shared", "recipe": recipe, "background": list(background), "config": config}
    write_folder(place, contents={**contents, "dimension": 0, "recipe": {}}, files=files)
    n_taught = len(raw) if settings.kind.startswith("ivf") else 1
    taught = folded(work, raw[:n_taught], spoken[:n_taught])
    if settings.kind.startswith("ivf") and config:
        step = rng.permutation(len(taught))[: config["train_size"]]
        files["quantiser.faiss"] = train_quantiser(work, taught[np.sort(step)], config)
    write_folder(place, contents={**contents, "dimension": int(taught.shape[1])}, files=files)
    return config, int(taught.shape[1]), total


def _configured(settings: Settings, total: int) -> dict[str, Any] | None:
    given: dict[str, Any] = json.loads(settings.config) if settings.config else {}
    if not settings.kind.startswith("ivf"):
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


def _save(work: Work, collection: Collection, target: Path) -> None:
    settings = work.settings
    if settings.vectors_only:
        collection.attributes = {"pipeline": "vectors"}
        collection.save(target)
        return

    def parse(contents: dict[str, Any], files: dict[str, Path]) -> SearchParts:
        spaces = [
            SharedSpace.load(files[each]) if each in files else None for each in ("passages.space", "questions.space")
        ]
        background = {
            each: np.load(files[f"background-{number}.npy"], allow_pickle=False)
            for number, each in enumerate(contents["background"])
        }
        return SearchParts(spaces[0], spaces[1], background, settings.neighborhood, settings.encoder_name)

    write_search(collection, read_folder(work.place("common"), parse), settings.encoder, target)


def _contents(folder: Path) -> dict[str, Any]:
    return read_folder(folder, lambda contents, _: contents)
