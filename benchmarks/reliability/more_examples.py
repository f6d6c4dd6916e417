"""Examples of what other programs keep, and of readers that are neither a folder nor a table of texts."""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.index import Collection

from .example import ENGLISH, FRENCH, ROWS, WIDTH, Example, sample_rows, text_example

#: What another program must be installed for, to write its example.
_PROGRAMS = {"chroma": "chromadb", "lancedb": "lancedb", "qdrant": "qdrant_client", "sqlite-vec": "sqlite_vec",
             "langchain": "langchain_community"}  # fmt: skip
_PLACES = {"faiss": "it.faiss", "langchain": "it", "chroma": "it", "qdrant": "it", "lancedb": "it.lance",
           "sqlite-vec": "it.db", "parquet": "it.parquet"}  # fmt: skip


def _collection() -> Collection:
    made = Collection.create(WIDTH)
    made.add([f"r{row}" for row in range(ROWS)], sample_rows(), [{"text": f"t {row}", "n": row} for row in range(ROWS)])
    return made


def _store(kind: Any) -> Example:
    def make(folder: Path) -> Path:
        from interlingua.pipelines.stores import write_store

        write_store(_collection(), folder / _PLACES[kind], kind)
        return folder / _PLACES[kind]

    def read(path: Path) -> Any:
        from interlingua.pipelines.stores import read_store

        found = read_store(path)
        return [found.ids, found.vectors, found.metadata, found.metric]

    return Example(make, read, own=False)


def _bridge(folder: Path) -> Path:
    from interlingua.align.bridge import TextVectors, fit_bridge

    rng = np.random.default_rng(0)
    source = sample_rows()
    target = source @ np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    noise = 0.3 * rng.normal(size=source.shape).astype(np.float32)
    texts = [TextVectors(short=each + noise, long=each) for each in (source, target)]
    fit_bridge(*texts, least=0.0).save(folder / "it.bridge")
    return folder / "it.bridge"


def _of_bridge(path: Path) -> Any:
    from interlingua.align.bridge import Bridge

    found = Bridge.load(path)
    return [found.languages, found.transform(sample_rows()[:3])]


def _pair_of_graphs(folder: Path) -> Path:
    (folder / "it").mkdir()
    for side, words in ((1, ENGLISH), (2, FRENCH)):
        rows = "".join(f"{word}\tis\t{words[number - 1]}\n" for number, word in enumerate(words))
        (folder / "it" / f"rel_triples_{side}").write_text(rows, encoding="utf-8")
        values = "".join(f"{word}\tname\t{word.title()}\n" for word in words)
        (folder / "it" / f"attr_triples_{side}").write_text(values, encoding="utf-8")
    links = "".join(f"{one}\t{other}\n" for one, other in zip(ENGLISH, FRENCH))
    (folder / "it" / "ent_links").write_text(links, encoding="utf-8")
    return folder / "it"


def _of_pair(path: Path) -> Any:
    from interlingua.pipelines.graphs import read_graph_pair

    found = read_graph_pair(path)
    return [asdict(found.left), asdict(found.right), dict(found.links)]


def _moses(folder: Path) -> Path:
    (folder / "it").mkdir()
    for name, words in (("en", ENGLISH), ("fr", FRENCH)):
        (folder / "it" / f"it.{name}").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return folder / "it"


def _of_moses(path: Path) -> Any:
    from interlingua.pipelines.texts.pairs import read_pairs

    return [asdict(each) for each in read_pairs((path / "it.en", path / "it.fr"), keep=("identical", "duplicates"))]


def _static(folder: Path) -> Path:
    from interlingua.align import Embeddings

    words = tuple(sorted({*ENGLISH, *FRENCH}))
    Embeddings(words, sample_rows()[: len(words)]).write(folder / "it.vec")
    return folder / "it.vec"


def _of_static(path: Path) -> Any:
    from interlingua.pipelines import load_encoder

    return load_encoder(str(path)).encode(["sun moon", "chat"])


def _graph_text(name: str, content: str) -> Example:
    from interlingua.pipelines.graphs import read_graph

    return text_example(name, content, lambda path: asdict(read_graph(path)))


def _rdf_xml() -> str:
    rows = "".join(
        f'<rdf:Description rdf:about="http://e/{one}"><e:is rdf:resource="http://e/{two}"/>'
        f'<e:name xml:lang="fr">{other}</e:name></rdf:Description>\n'
        for one, two, other in zip(ENGLISH, ENGLISH[1:], FRENCH)
    )
    head = (
        '<?xml version="1.0"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">\n'
    )
    return f"{head}{rows}</rdf:RDF>\n"


def _json_ld() -> str:
    rows = [
        {"@id": f"http://e/{one}", "http://e/is": {"@id": f"http://e/{two}"},
         "http://e/name": {"@value": other, "@language": "fr"}}
        for one, two, other in zip(ENGLISH, ENGLISH[1:], FRENCH)
    ]  # fmt: skip
    return json.dumps(rows, ensure_ascii=False)


def _texts() -> dict[str, Example]:
    from interlingua.pipelines.bridge.texts import read_bridge_texts
    from interlingua.pipelines.bridge.verify import read_questions
    from interlingua.pipelines.serve.run import read_keys
    from interlingua.pipelines.texts.corpus import read_corpus
    from interlingua.pipelines.texts.parallel import read_parallel_texts
    from interlingua.pipelines.texts.passages import Passage

    passages = [Passage(other, one, "en") for one, other in zip(ENGLISH, FRENCH)]
    lines = "".join(json.dumps({"text": f"{one} {other}.", "title": one}) + "\n" for one, other in zip(ENGLISH, FRENCH))
    asked = "".join(f"{one}?\ten\t{other}\n" for one, other in zip(ENGLISH, FRENCH))

    keys = "".join(f"{one}-0123456789abcdef\n" for one in ENGLISH)

    def corpus(path: Path) -> Any:
        found, held = read_corpus({"en": path}, held_out=1)
        return [found.counts, {name: list(each) for name, each in found.sources.items()}, held]

    readers: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
        "texts of a bridge": ("a.jsonl", lines, lambda path: asdict(read_bridge_texts(path, titles="title"))),
        "questions to a bridge": ("a.tsv", f"text\tlanguage\tanswer\n{asked}",
                                  lambda path: [asdict(each) for each in read_questions(path, passages)]),
        "translations of a lexicon": ("a.csv", "en,fr\n" + "".join(f"{one},{other}\n" for one, other in
                                      zip(ENGLISH, FRENCH)), read_parallel_texts),
        "keys of the service": ("keys.txt", keys, lambda path: vars(read_keys("127.0.0.1", path))["_digests"]),
        "corpus": ("a.txt", "".join(f"{one} {other}\n" for one, other in zip(ENGLISH, FRENCH)), corpus),
    }  # fmt: skip
    return {name: text_example(*each) for name, each in readers.items()}


def more_examples() -> dict[str, Example]:
    """Return the examples by name; those of programs that are not installed are left out."""
    stores = [kind for kind in _PLACES if kind not in _PROGRAMS or find_spec(_PROGRAMS[kind])]
    return {
        **{f"store, {kind}": _store(kind) for kind in stores},
        "bridge": Example(_bridge, _of_bridge),
        "pair of graphs": Example(_pair_of_graphs, _of_pair, own=False),
        "pairs as Moses' files": Example(_moses, _of_moses, own=False),
        "words as an encoder": Example(_static, _of_static, own=False),
        "RDF/XML": _graph_text("a.rdf", _rdf_xml()),
        "JSON-LD": _graph_text("a.jsonld", _json_ld()),
        **_texts(),
    }
