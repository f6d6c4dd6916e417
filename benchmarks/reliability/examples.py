"""A small example of every kind of file and folder that is read, and what is read of it."""

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.word import align
from interlingua.align.word.similarity import Analogies, SimilarityJudgements
from interlingua.index import Collection, CollectionStore, create_index, load_index, save_index

from .example import ENGLISH, FRENCH, ROWS, WIDTH, Example, sample_rows, text_example
from .more_examples import more_examples

_LISTS = {"threads": 1, "n_lists": 2, "train_size": 100}
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "flat": {},
    "faiss-flat": {"threads": 1},
    "hnsw": {"threads": 1, "M": 8, "ef_construction": 20},
    "ivf-flat": _LISTS,
    "ivf-pq": _LISTS,
    "ivf-rabitq": _LISTS,
}


def digest(value: Any) -> str:
    """Return a hash of what was read, of any shape."""
    found = hashlib.blake2b(digest_size=16)
    for part in _parts(value):
        found.update(part)
    return found.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _parts({key: getattr(value, key) for key in value.__dataclass_fields__})
    elif isinstance(value, Mapping):
        yield b"{"
        for key, each in value.items():
            yield from _parts(key)
            yield from _parts(each)
    elif isinstance(value, list | tuple):
        yield b"["
        for each in value:
            yield from _parts(each)
    else:
        yield f"{type(value).__name__}:{value!r}".encode("utf-8", "surrogatepass")


def _of_collection(collection: Collection) -> Any:
    found = collection.search(sample_rows(1)[:3], 4)
    ids = collection.ids
    return [ids, collection.get(ids), found.ids, found.scores, collection.attributes, collection.attachments]


def _collection(kind: str, *, journal: bool = False) -> Example:
    def make(folder: Path) -> Path:
        made = Collection.create(WIDTH, "cosine", kind, dict(_KINDS[kind]) or None)
        made.add([f"r{row}" for row in range(ROWS)], sample_rows(), [{"n": row, "é": "ü"} for row in range(ROWS)])
        made.attributes, made.attachments = {"a": "é"}, {"m.bin": b"\0\1"}
        made.save(folder / "it")
        if journal:
            with CollectionStore(folder / "it", threads=1) as store:
                store.upsert(["r1", "new"], sample_rows(2)[:2], [{"n": -1}, {"n": -2}])
                store.remove(["r2"])
        return folder / "it"

    def earlier(path: Path) -> list[Any]:
        states = [_of_collection(Collection.load(path, journal=False, threads=1))]
        file = next(path.glob("journal-*.log"))
        whole = file.read_bytes()
        size = len(whole)
        for end in range(size):  # every cut gives one of a few states
            if whole[end : end + 4] and end % 64 == 0:
                file.write_bytes(whole[:end])
                states.append(_of_collection(Collection.load(path, threads=1)))
        file.write_bytes(whole)
        return states

    return Example(
        make, lambda path: _of_collection(Collection.load(path, threads=1)), earlier=earlier if journal else None
    )


def _index(kind: str) -> Example:
    def make(folder: Path) -> Path:
        made = create_index(kind, WIDTH, "cosine", dict(_KINDS[kind]) or None)
        made.add(np.arange(ROWS), sample_rows())
        save_index(made, folder / "it")
        return folder / "it"

    def read(path: Path) -> Any:
        found = load_index(path, threads=1)
        hits = found.search(sample_rows(1)[:3], 4)
        return [len(found), hits.ids, hits.scores]

    return Example(make, read)


def _words(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    concepts = rng.normal(size=(len(ENGLISH), WIDTH))
    vectors = np.concatenate([concepts, concepts + 0.3 * rng.normal(size=concepts.shape) + 0.2]).astype(np.float32)
    path = folder.parent / "words.vec"  # beside: what is altered is the folder
    Embeddings((*ENGLISH, *FRENCH), vectors).write(path)
    return path


def _passages() -> list[Any]:
    from interlingua.pipelines import Passage

    return [
        Passage(f"{language}{n}", f"{words[n]} {words[n - 1]}", language)
        for language, words in (("en", ENGLISH), ("fr", FRENCH))
        for n in range(len(words))
    ]


def _pairs() -> list[Any]:
    from interlingua.pipelines.texts.pairs import Pair

    return [Pair(one, other, "en", "fr") for one, other in zip(ENGLISH, FRENCH)]


def _pipeline(build: Callable[[Path], Any], load: Callable[[Path], Any]) -> Example:
    def make(folder: Path) -> Path:
        build(_words(folder)).save(folder / "it")
        return folder / "it"

    return Example(make, load)


def _search(words: Path) -> Any:
    from interlingua.pipelines import CrossLingualSearch

    return CrossLingualSearch.build(_passages(), encoder_name=str(words), neighborhood=3)


def _of_search(path: Path) -> Any:
    from interlingua.pipelines import CrossLingualSearch

    found = CrossLingualSearch.load(path)
    return [[(hit.id, hit.text, hit.score) for hit in hits] for hits in found.search(["sun moon", "chat"], 3)]


def _memory(words: Path) -> Any:
    from interlingua.pipelines import TranslationMemory

    return TranslationMemory.build(_pairs(), encoder_name=str(words))


def _of_memory(path: Path) -> Any:
    from interlingua.pipelines import TranslationMemory

    found = TranslationMemory.load(path).search(["sun moon", "chat"], 3)
    return [[(hit.pair, hit.cosine, hit.confidence) for hit in hits] for hits in found]


def _answers(words: Path) -> Any:
    from interlingua.pipelines import QuestionAnswerer

    return QuestionAnswerer.build(_passages(), split=False, encoder_name=str(words))


def _of_answers(path: Path) -> Any:
    from interlingua.pipelines import QuestionAnswerer

    found = QuestionAnswerer.load(path)
    asked = found.answer(["sun moon", "chat"], precision=None)
    return [sorted(found.passages), [each and (each.sentence, each.score) for each in asked]]


def _entities(words: Path) -> Any:
    from interlingua.pipelines.link import Entity, EntityIndex

    made = [Entity(word, {"en": word, "fr": other}) for word, other in zip(ENGLISH, FRENCH)]
    return EntityIndex.build(made, calibrate=False, encoder_name=str(words))


def _of_entities(path: Path) -> Any:
    from interlingua.pipelines.link import EntityIndex

    found = EntityIndex.load(path)
    return [found.entities, [[(each.entity.id, each.score) for each in best] for best in found.link(["sun", "chat"])]]


def _classifier(words: Path) -> Any:
    from interlingua.pipelines import CrossLingualClassifier

    texts = [f"{one} {other}" for one in ENGLISH for other in ENGLISH]
    labels = ["sky" if text.split()[0] in ENGLISH[:3] else "ground" for text in texts]
    return CrossLingualClassifier(str(words)).fit(
        texts, labels, language="en", unlabelled={"fr": [each.text for each in _passages() if each.language == "fr"]}
    )


def _of_classifier(path: Path) -> Any:
    from interlingua.pipelines import CrossLingualClassifier

    found = CrossLingualClassifier.load(path)
    return [found.labels, found.predict_proba(["chat soleil", "pierre"], language="fr")]


def _hub(folder: Path) -> Path:
    from interlingua.pipelines import HubCorrectedCollection

    made = HubCorrectedCollection.create(sample_rows(3), kind="flat", neighborhood=3)
    made.add([f"r{row}" for row in range(ROWS)], sample_rows())
    made.save(folder / "it")
    return folder / "it"


def _of_hub(path: Path) -> Any:
    from interlingua.pipelines import HubCorrectedCollection

    found = HubCorrectedCollection.load(path)
    hits = found.search(sample_rows(1)[:3], 4)
    return [hits.ids, hits.scores]


def _two_languages() -> tuple[Embeddings, Embeddings, SeedDictionary]:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    names = [f"w{row}" for row in range(ROWS)]
    pairs = SeedDictionary(tuple((f"en{name}", f"fr{name}") for name in names))
    english = Embeddings(tuple(f"en{name}" for name in names), source, space="en")
    return english, Embeddings(tuple(f"fr{name}" for name in names), source @ turn, space="fr"), pairs


def _space(folder: Path) -> Path:
    english, french, pairs = _two_languages()
    align(english, french, pairs, method="procrustes", on_failure="warn").save(folder / "it.space")
    return folder / "it.space"


def _of_space(path: Path) -> Any:
    space = SharedSpace.load(path)
    mapped = [space.transform(sample_rows()[:3], name) for name in space.languages]
    return [space.languages, space.method, space.encoder, dict(space.scores), mapped]


def _vectors(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        Embeddings((*ENGLISH, *FRENCH), sample_rows()[: len(ENGLISH + FRENCH)], space="en").write(path)
        return path

    return make


def _of_vectors(path: Path) -> Any:
    found = Embeddings.read(path)
    return [found.labels, found.vectors, found.space]


def _fasttext(folder: Path) -> Path:
    rng, d, buckets = np.random.default_rng(0), 5, 20
    words = ["</s>", *ENGLISH]
    parts = [struct.pack("<ii", 793712314, 12), struct.pack("<12id", d, 5, 5, 1, 5, 1, 2, 1, buckets, 2, 4, 100, 1e-4)]
    parts += [struct.pack("<3i2q", len(words), len(words), 0, 100, -1)]
    parts += [word.encode() + b"\0" + struct.pack("<qb", 7, 0) for word in words]
    rows = rng.normal(size=(len(words) + buckets, d)).astype("<f4")
    parts += [struct.pack("<?2q", False, *rows.shape), rows.tobytes()]
    parts += [struct.pack("<?2q", False, len(words), d), np.zeros((len(words), d), "<f4").tobytes()]
    (folder / "it.bin").write_bytes(b"".join(parts))
    return folder / "it.bin"


def _npy(folder: Path) -> Path:
    from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

    write_vectors(folder / "it.npy", VectorFile(sample_rows()[:20], origin=Origin("e5", "fr", "passage", "")))
    return folder / "it.npy"


def _of_npy(path: Path) -> Any:
    from interlingua.pipelines.texts.vectors import read_vectors

    found = read_vectors(path)
    return [found.vectors, found.origin]


class _Rows:
    """What a run of mining asks of its encoder."""

    identity, dimension = "rows", WIDTH

    def encode(self, texts: Any, *, progress: bool = False) -> Any:
        return sample_rows()[: len(texts)]


def _work(folder: Path) -> Path:
    _of_work(folder / "it")
    return folder / "it"


def _of_work(path: Path) -> Any:
    from interlingua.pipelines.mine.mining import encode_resumable

    encoder: Any = _Rows()
    return np.array(encode_resumable(FRENCH, encoder, path / "0-fr"))


def _ranking(folder: Path) -> Path:
    from interlingua.align.word import MultiStep
    from interlingua.align.word.reranking.ranking import Reranker

    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcdef"), 5)) for _ in range(300)})
    vectors = rng.normal(size=(len(words), WIDTH)).astype(np.float32)
    english, other = (
        Embeddings(tuple(words), vectors, "en"),
        Embeddings(tuple(map(str.upper, words)), vectors + 0.1, "xx"),
    )
    pairs = np.stack([np.arange(150), np.arange(150)], axis=1)
    space = MultiStep(shrinkage=0.3).fit(english.vectors, other.vectors, pairs, names=("en", "xx")).space_
    Reranker(n_candidates=5).fit(space, english, other, pairs).ranking_.save(folder / "it.ranking")
    return folder / "it.ranking"


def _of_ranking(path: Path) -> Any:
    from interlingua.align.word.reranking.ranking import CandidateRanking

    return CandidateRanking.load(path)


def _state(folder: Path) -> Path:
    from interlingua.align.word.methods.self_learning import SelfLearning

    english, french, _ = _two_languages()
    pairs = np.stack([np.arange(30), np.arange(30)], axis=1)
    SelfLearning().fit(english.vectors, french.vectors, pairs).state_.save(folder / "it.state")
    return folder / "it.state"


def _of_state(path: Path) -> Any:
    from interlingua.align.word.methods.self_learning import SelfLearningState

    return SelfLearningState.load(path)


def _parquet(folder: Path) -> Path:
    made = Collection.create(WIDTH)
    made.add([f"r{row}" for row in range(ROWS)], sample_rows(), [{"n": row} for row in range(ROWS)])
    made.to_parquet(folder / "it.parquet")
    return folder / "it.parquet"


def _texts() -> dict[str, Example]:
    from interlingua.pipelines.answer.respond import read_exchanges
    from interlingua.pipelines.graphs import read_graph
    from interlingua.pipelines.link.sources import read_entity_table, read_wikidata
    from interlingua.pipelines.texts.labelled import read_conll, read_labelled
    from interlingua.pipelines.texts.lines import UniqueLines
    from interlingua.pipelines.texts.pairs import read_pairs
    from interlingua.pipelines.texts.passages import read_passage_file

    def pairs(path: Path) -> Any:
        return [asdict(each) for each in read_pairs(path, languages=("en", "fr"), keep=("identical", "duplicates"))]

    def graph(path: Path) -> Any:
        return asdict(read_graph(path))

    def labelled(path: Path) -> Any:
        return read_labelled(path, "en")

    both = list(zip(ENGLISH, FRENCH))
    numbered = list(enumerate(both))
    tuv = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'
    units = "".join(f"<tu>{tuv.format('en', one)}{tuv.format('fr', other)}</tu>\n" for one, other in both)
    names = {"en": {"value": "sun"}, "fr": {"value": "soleil"}}
    wikidata = "".join(json.dumps({"id": f"Q{n}", "labels": names}) + ",\n" for n in range(6))
    triples = "".join(
        f'<http://e/{one}> <http://e/is> <http://e/{n}> .\n<http://e/{one}> <http://e/n> "{other}"@fr .\n'
        for n, (one, other) in numbered
    )
    tabs = "".join(f"{one}\t{other}\n" for one, other in both)
    quoted = "".join(f'"{one}, {other}",x\n' for one, other in both)
    pairs_lines = "".join(json.dumps({"en": one, "fr": other}) + "\n" for one, other in both)
    passages = "".join(json.dumps({"text": one, "id": other, "n": 1}) + "\n" for one, other in both)
    entities = "".join(f'Q{n},{one},"{other}|x"\n' for n, (one, other) in numbered)
    words = "".join(f"{n}\t{one}\t{one}\tNOUN\n" for n, (one, _) in enumerate(both, 1))
    judged = "".join(f"{one}\t{other}\t{n}.5\n" for n, (one, other) in numbered)
    fours = "".join(f"{one} {other} {other} {one}\n" for one, other in both)
    return {
        "pairs as TSV": text_example("a.tsv", f"en\tfr\n{tabs}", pairs),
        "pairs as JSON lines": text_example("a.jsonl", pairs_lines, pairs),
        "pairs as TMX": text_example(
            "a.tmx", f'<?xml version="1.0"?>\n<tmx version="1.4"><body>{units}</body></tmx>\n', pairs
        ),
        "labelled CSV": text_example("a.csv", f"text,category\n{quoted}", labelled),
        "labelled TSV": text_example("a.tsv", f"text\tcategory\n{tabs}", labelled),
        "CoNLL-U": text_example("a.conllu", words, lambda path: read_conll(path, "en")),
        "exchanges": text_example("a.tsv", f"question\tanswer\n{tabs}", read_exchanges),
        "passages": text_example("a.jsonl", passages, read_passage_file),
        "entities": text_example("a.csv", f"id,name:en,aliases\n{entities}", read_entity_table),
        "Wikidata": text_example("a.json", f"[\n{wikidata}]\n", lambda path: list(read_wikidata(path))),
        "N-Triples": text_example("a.nt", triples, graph),
        "Turtle": text_example("a.ttl", f"@prefix e: <http://e/> .\n{triples}", graph),
        "triples as TSV": text_example("a.tsv", "".join(f"{one}\tis\t{other}\n" for one, other in both), graph),
        "lines": text_example("a.txt", "\n".join(ENGLISH + FRENCH) + "\n", lambda path: list(UniqueLines(path))),
        "dictionary": text_example("a.txt", tabs, lambda path: SeedDictionary.read(path).pairs),
        "judgements": text_example("a.tsv", judged, SimilarityJudgements.read),
        "analogies": text_example("a.txt", f": s\n{fours}", Analogies.read),
    }


def examples() -> dict[str, Example]:
    """Return the examples by name."""
    return {
        **{f"collection, {kind}": _collection(kind) for kind in _KINDS},
        "collection with journal": _collection("flat", journal=True),
        **{f"index, {kind}": _index(kind) for kind in _KINDS},
        "hub-corrected collection": Example(_hub, _of_hub),
        "search": _pipeline(_search, _of_search),
        "memory": _pipeline(_memory, _of_memory),
        "answers": _pipeline(_answers, _of_answers),
        "index of entities": _pipeline(_entities, _of_entities),
        "classifier": _pipeline(_classifier, _of_classifier),
        "space": Example(_space, _of_space),
        "ranking": Example(_ranking, _of_ranking),
        "state of a fit": Example(_state, _of_state),
        "work of mining": Example(_work, _of_work),
        "vectors as .npz": Example(_vectors("it.npz"), _of_vectors),
        "vectors as .safetensors": Example(_vectors("it.safetensors"), _of_vectors),
        "vectors as .npy, with note": Example(_npy, _of_npy),
        "vectors as .vec": Example(_vectors("it.vec"), _of_vectors, own=False),
        "vectors as .vec.gz": Example(_vectors("it.vec.gz"), _of_vectors, own=False),
        "vectors as .bin": Example(_vectors("it.bin"), _of_vectors, own=False),
        "fastText model": Example(_fasttext, _of_vectors, own=False),
        "parquet": Example(_parquet, lambda path: _of_collection(Collection.from_parquet(path)), own=False),
        **_texts(),
        **more_examples(),
    }
