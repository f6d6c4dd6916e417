"""Files and folders that an earlier version wrote are read, and answer as they did then."""

import hashlib
import json
import shutil
import warnings
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import ANY_LANGUAGE, AlignmentWarning, Embeddings, SeedDictionary, SharedSpace
from interlingua.align.word import align
from interlingua.align.word.reranking.ranking import CandidateRanking
from interlingua.index import (
    Collection,
    CollectionReader,
    CollectionStore,
    UnsupportedOperation,
    load_index,
    restore,
    verify,
)
from interlingua.pipelines import (
    CrossLingualClassifier,
    CrossLingualSearch,
    HubCorrectedCollection,
    QuestionAnswerer,
    TranslationMemory,
    load_encoder,
    translate_words,
)
from interlingua.pipelines.link import EntityIndex
from interlingua.pipelines.mine import mine_bitext
from interlingua.pipelines.texts import read_pairs
from interlingua.pipelines.texts.labelled import Labelled
from interlingua.pipelines.texts.vectors import read_vectors
from interlingua.pipelines.train import TextClassifier, tune

HERE = Path(__file__).parent
EXAMPLES, INPUTS = HERE / "ae92bc0", HERE / "inputs"
QUESTIONS = ("the sun and the gold", "le chien et la maison", "jua na dhahabu", "bread of the king")


def encoder():
    return load_encoder(INPUTS / "words.vec")


def lines(name):
    return (INPUTS / name).read_text(encoding="utf-8").splitlines()


def plain(value):
    """Return what JSON can hold, numbers rounded to five digits."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return round(value, 5) if np.isfinite(value) else str(value)
    return value


def probe(dimension, n=3):
    """Return the same rows on every machine: sines of whole numbers."""
    return np.sin(np.arange(1, n * dimension + 1, dtype=np.float64)).reshape(n, dimension).astype(np.float32)


def of_space(path):
    space = SharedSpace.load(path)
    names = [*space.languages, *(["anything"] if ANY_LANGUAGE in space.maps else [])]
    hidden = next((each.hidden for each in space.maps.values() if each.hidden is not None), None)
    return {
        "languages": space.languages,
        "method": space.method,
        "encoder": space.encoder,
        "dimension": space.dimension,
        "scores": dict(space.scores),
        "provenance": sorted(space.provenance),
        "fingerprint": space.fingerprint,
        "written_again": SharedSpace.from_bytes(space.to_bytes()).fingerprint,
        "of_the_file": hashlib.sha256(path.read_bytes()).hexdigest(),
        "steps": {name: each.normalization.steps for name, each in space.maps.items()},
        "hidden_units": None if hidden is None else hidden.bias.size,
        "mapped": {name: space.transform(probe(space.map_of(name).input_dimension), name) for name in names},
    }


def of_word_space(path):
    space = SharedSpace.load(path)
    english, french = (Embeddings.read(INPUTS / f"{name.upper()}.vec", space=name) for name in ("en", "fr"))
    found = translate_words(space, english, french, ["sun", "queen", "ship", "no-word"], k=3)
    return of_space(path) | {"translations": [[each.found_as, each.translations] for each in found]}


def of_ranked_space(path):
    space, ranking = SharedSpace.load(path), CandidateRanking.load(path.parent / f"{path.name}.ranking")
    source, target = (Embeddings.read(INPUTS / f"{name.upper()}.vec", space=name) for name in ("la", "it"))
    found = translate_words(space, source, target, lines("la-it.test.tsv")[0].split()[:1], k=3, ranking=ranking)
    return of_space(path) | {"translations": [[each.found_as, each.translations] for each in found]}


def of_ranking(path):
    ranking = CandidateRanking.load(path)
    return {
        "languages": ranking.languages,
        "space": ranking.space_fingerprint,
        "scores": dict(ranking.scores),
        "candidates": ranking.n_candidates,
    }


def of_state(path):
    """Go on with a fit that was interrupted; a state is of a fit from pairs or of one from equal numerals."""
    source, target = (Embeddings.read(INPUTS / f"{name.upper()}.vec", space=name) for name in ("la", "it"))
    given = {"seeds": "numerals"}
    if path.stem == "pairs":
        given = {"dictionary": SeedDictionary.read(INPUTS / "la-it.pairs.tsv")}
    events = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlignmentWarning)
        space = align(
            source,
            target,
            method="self-learning",
            checkpoint=path,
            callback=events.append,
            on_failure="warn",
            **given,
        )
    return {
        "method": space.method,
        "rounds_done": len(events),
        "mapped": {name: space.transform(probe(10), name) for name in space.languages},
    }


def of_collection(path):
    collection = Collection.load(path)
    query = probe(collection.dimension)
    found = collection.search(query, 4)
    answers = {
        "info": collection.info,
        "ids": collection.ids,
        "metadata": collection.get(collection.ids),
        "vectors": collection.vectors(collection.ids),
        "hits": [found.ids, found.scores],
        "filtered": collection.search(query, 4, where={"even": True}).ids,
        "without_journal": len(Collection.load(path, journal=False)),
    }
    checked = verify(path)
    answers["verified"] = [checked.rows, checked.files, checked.changes, checked.problems]
    reader = CollectionReader(path)
    answers["reader"] = [len(reader.collection), reader.refresh()]
    restore(path, path.parent / "restored")
    answers["restored"] = Collection.load(path.parent / "restored").ids
    with CollectionStore(path) as store:  # goes on writing
        store.add(["new"], query[:1], [{"n": 99, "even": False, "language": "en"}])
        answers["nearest_after_add"] = store.search(query[:1], 1).ids
        store.compact()
    answers["after_compact"] = sorted(Collection.load(path).ids)
    return answers


def of_mapped_collection(path):
    collection = Collection.load(path, mapped=True)
    found = collection.search(probe(collection.dimension), 4)
    return {"hits": [found.ids, found.scores], "rows": len(collection)}


def of_index(path):
    index = load_index(path)
    query = probe(index.spec.dimension)
    found = index.search(query, 4)
    index.add(np.array([1000]), query[:1])
    return {
        "rows": len(index),
        "kind": index.spec.kind,
        "metric": str(index.spec.metric),
        "config": index.spec.config,
        "hits": [found.ids, found.scores],
        "after_add": index.search(query[:1], 1).ids,
    }


def of_hub_corrected(path):
    corrected = HubCorrectedCollection.load(path)
    found = corrected.search(probe(corrected.dimension), 4)
    return {
        "rows": len(corrected),
        "sources": corrected.sources_sha256,
        "neighborhood": corrected.neighborhood,
        "hits": [found.ids, found.scores],
    }


def of_search(path):
    search = CrossLingualSearch.load(path, encoder())
    found = search.search(QUESTIONS, 4)
    balanced = search.search(QUESTIONS[:1], 6, balance=True)[0]
    answers = {
        "passages": len(search),
        "languages": search.languages,
        "ranking": search.ranking,
        "method": None if search.space is None else search.space.method,
        "hits": [[(each.id, each.language, each.score, each.cosine) for each in hits] for hits in found],
        "first": [found[0][0].text, dict(found[0][0].metadata)],
        "only_french": [each.id for each in search.search(QUESTIONS[:1], 3, languages=["fr"])[0]],
        "of_page": [each.id for each in search.search(QUESTIONS[:1], 3, where={"page": 0})[0]],
        "balanced": [(each.id, each.score) for each in balanced],
        "guessed": search.guess_languages(encoder().encode(list(QUESTIONS))),
    }
    if verify(path).changes:
        with pytest.raises(UnsupportedOperation, match="has a journal"):
            CrossLingualSearch.load(path, encoder(), mapped=True)
    else:
        mapped = CrossLingualSearch.load(path, encoder(), mapped=True)
        answers["mapped"] = [[each.id for each in hits] for hits in mapped.search(QUESTIONS, 4)]
    search.remove([found[0][0].id])
    search.save(path)
    answers["after_remove"] = [
        [each.id for each in hits] for hits in CrossLingualSearch.load(path, encoder()).search(QUESTIONS, 4)
    ]
    return answers


def of_memory(path):
    memory = TranslationMemory.load(path, encoder())
    found = memory.search([lines("fr.txt")[2], *QUESTIONS], 2)
    answers = {
        "pairs": len(memory),
        "languages": memory.languages,
        "matches": [
            [
                (each.pair.source, each.pair.target, each.matched, each.exact, each.confidence, each.score, each.cosine)
                for each in matches
            ]
            for matches in found
        ],
        "new": memory.add(read_pairs(INPUTS / "more-bitext.tsv")),
    }
    memory.save(path)
    answers["pairs_after_add"] = len(TranslationMemory.load(path, encoder()))
    return answers


def of_classifier(path):
    classifier = CrossLingualClassifier.load(path, encoder=encoder())
    texts = ["le soleil et pierre", "le pain et roi", "le livre"]
    return {
        "labels": classifier.labels,
        "french": classifier.predict(texts, language="fr"),
        "probabilities": classifier.predict_proba(texts, language="fr"),
        "english": classifier.predict(["the sun", "the queen and bread"], language="en"),
    }


def of_answers(path):
    answerer = QuestionAnswerer.load(path, encoder())
    found = answerer.answer(QUESTIONS, 2, precision=None)
    sure = answerer.answer(QUESTIONS, precision=0.35) if answerer.calibration is not None else []
    return {
        "sentences": len(answerer),
        "passages": sorted(answerer.passages),
        "answers": [
            None
            if best is None
            else [
                (each.sentence, each.passage.id, each.language, each.probability, each.score, each.cosine)
                for each in (best, *best.alternatives)
            ]
            for best in found
        ],
        "calibrated": answerer.calibration is not None,
        "sure": [each and each.sentence for each in sure],
    }


def of_entities(path):
    index = EntityIndex.load(path, encoder())
    found = index.link(["soleil", "jua", "house", "milk bread"], k=2, unknown=0.1)
    answers = {
        "entities": [(each.id, each.name) for each in index.entities],
        "types": index.types(),
        "threshold": index.threshold,
        "links": [[(each.entity.id, each.probability, each.score, each.features) for each in best] for best in found],
        "suggested": [each.id for each in index.suggest("so", 3)],
    }
    index.accept("the star king", "E0")
    answers["after_accept"] = EntityIndex.load(path, encoder()).link(["the star king"], k=1)[0][0].entity.id
    return answers


def of_study(path):
    """Resume a study whose trials are all done: nothing is trained."""
    texts = Labelled(("a",) * 50, ("x", "y") * 25, "en")
    found = tune(texts, texts, trials=3, storage=path, resume=True)
    return {
        "trials": [(each.number, each.parameters, each.accuracy, each.seconds) for each in found.trials],
        "best": found.best_trial.number,
        "standard_error": found.standard_error,
    }


def of_vectors(path):
    read = read_vectors(path)
    return {
        "origin": vars(read.origin),
        "shape": read.vectors.shape,
        "first": read.vectors[:2],
        "labels": None if read.embeddings is None else read.embeddings.labels,
    }


def of_pairs(path):
    pairs = read_pairs(path)
    return {"pairs": [astuple(each) for each in pairs], "report": pairs.report.summary().replace(str(path), path.name)}


def of_table(path):
    return {"rows": [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]}


def of_dictionary(path):
    return {"pairs": SeedDictionary.read(path).pairs}


def of_work(path):
    """Go on with the vectors that a run of mining has left; the encoder is asked for nothing but its name."""
    found = mine_bitext(
        INPUTS / "en.txt", INPUTS / "fr-shuffled.txt", languages=("en", "fr"), encoder=encoder(), work=path
    )
    kept = sorted(each.name for each in path.iterdir())
    return {"files": kept, "pairs": [(each.source, each.target) for each in found.pairs], "scores": found.scores}


def of_parquet(path):
    pytest.importorskip("pyarrow")
    collection = Collection.from_parquet(path)
    found = collection.search(probe(collection.dimension), 3)
    return {"info": collection.info, "ids": collection.ids, "hits": [found.ids, found.scores]}


def of_text_classifier(path):
    pytest.importorskip("transformers")
    classifier = TextClassifier.load(path, device="cpu", dtype="float32")
    texts = ["a b c", "query x y z", "moon"]
    return {
        "labels": classifier.shape.labels,
        "predicted": classifier.predict(texts),
        "scores": classifier.scores(texts),
    }


def expected():
    return json.loads((EXAMPLES / "expected.json").read_text(encoding="utf-8"))


def same(now, then, place="it"):
    """Compare with a tolerance for numbers, and say where two values differ."""
    if isinstance(then, dict) and isinstance(now, dict):
        assert sorted(now) == sorted(then), place
        for key, value in then.items():
            same(now[key], value, f"{place}[{key!r}]")
    elif isinstance(then, list) and isinstance(now, list):
        assert len(now) == len(then), place
        for number, value in enumerate(then):
            same(now[number], value, f"{place}[{number}]")
    elif isinstance(then, float) and not isinstance(now, bool) and isinstance(now, int | float):
        assert now == pytest.approx(then, abs=1e-4, rel=1e-4), place
    else:
        assert type(now) is type(then), place
        assert now == then, place


def ask(kind, place):
    return plain(globals()[f"of_{kind}"](place))


@pytest.mark.parametrize("name", sorted(expected()))
def test_a_saved_example_is_read_and_answers_as_before(name, tmp_path):
    example = expected()[name]
    if example["kind"] == "study":
        pytest.importorskip("optuna")
    shutil.copytree(EXAMPLES / name.split("/")[0], tmp_path / "copy")
    place = tmp_path / "copy" / Path(*name.split("/")[1:])
    same(ask(example["kind"], place), example["expected"], name)


def test_every_example_is_asked():
    there = {each.name for each in EXAMPLES.iterdir() if each.is_dir()}
    assert there == {name.split("/")[0] for name in expected()}
