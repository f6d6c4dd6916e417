"""What the blocks of the documents find in their folder: small files under the names that the documents use."""

import dataclasses
import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary
from interlingua.align.word import align
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage, TranslationMemory
from interlingua.pipelines.demo.demo import load_declaration, load_questions
from interlingua.pipelines.encoders import load
from interlingua.pipelines.link import EntityIndex
from interlingua.pipelines.texts.pairs import Pair

FILES = Path(__file__).parents[2] / "docs" / "tutorials" / "files"
_WORDS = [line.split("\t") for line in (FILES / "en-fr.tsv").read_text(encoding="utf-8").splitlines()]
_MORE = [("plant", "plante"), ("cat", "chat"), ("human", "humain"), ("rights", "droits"), ("factory", "usine")]
_PAIRS = [
    ("Where is the station?", "Où est la gare ?"),
    ("Good night.", "Bonne nuit."),
    ("The house is old.", "La maison est vieille."),
    ("The house is new.", "La maison est nouvelle."),
    ("I drink water.", "Je bois de l'eau."),
    ("I drink wine.", "Je bois du vin."),
]
_COUNTRIES = {
    "GEO": ("Georgia", "Country in the Caucasus, capital Tbilisi"),
    "DEU": ("Germany", "Country in Europe, capital Berlin"),
    "CHN": ("China", "Country in Asia, capital Beijing"),
    "EGY": ("Egypt", "Country in Africa, capital Cairo"),
    "RUS": ("Russia", "Country in Europe and Asia, capital Moscow"),
    "FIN": ("Finland", "Country in Europe, capital Helsinki"),
    "KEN": ("Kenya", "Country in Africa, capital Nairobi"),
    "BRA": ("Brazil", "Country in South America, capital Brasília"),
    "JPN": ("Japan", "Country in Asia, capital Tokyo"),
    "FRA": ("France", "Country in Europe, capital Paris"),
    "IND": ("India", "Country in Asia, capital New Delhi"),
    "IRQ": ("Iraq", "Country in Asia, capital Baghdad"),
}
#: Names of the documents that stand for any file, and the file that is there.
_ALSO = {
    "TEXTS.jsonl": "texts.jsonl",
    "PASSAGES.jsonl": "passages.jsonl",
    "QUESTIONS.tsv": "questions.tsv",
    "FAQ.tsv": "faq.tsv",
    "PAIRS.tsv": "pairs.tsv",
    "NEWS.de.txt": "news.de.txt",
    "NEWS.en.txt": "news.en.txt",
    "COUNTRIES.csv": "countries.csv",
    "MENTIONS.csv": "mentions.csv",
    "TRAIN.tsv": "train.tsv",
    "TEST.tsv": "train.tsv",
    "TEXTS.txt": "sw.txt",
    "NEW.txt": "sw.txt",
    "COLLECTION": "manuals",
    "sentences.fr.txt": "news.fr.txt",
    "vectors.npy": "eng.npy",
}
_NAMES = ["Deutschland", "Γεωργία", "Китай", "مصر", "日本", "Ranska", "Atlantis"]
_SPORTS = [
    "The team won the match.",
    "She scored two goals.",
    "The runner broke the record.",
    "Fans filled the stadium.",
    "The coach praised his players.",
]
_POLITICS = ["Parliament passed the law.", "Voters go to the polls.", "The party chose a leader.", "Taxes were raised.",
             "The president met the ministers."]  # fmt: skip
_SWAHILI = [
    "Bunge limepitisha sheria.",
    "Mchezaji alifunga mabao mawili.",
    "Rais alikutana na mawaziri.",
    "Mashabiki walijaza uwanja.",
    "Serikali imeongeza kodi.",
    "Kocha aliwasifu wachezaji.",
    "Uchaguzi ni Jumapili.",
    "Mwanariadha amevunja rekodi.",
    "Chama kimechagua kiongozi mpya.",
    "Timu yetu imeshindwa leo.",
]


@pytest.fixture(scope="module")
def _one_encoder(tmp_path_factory):
    """Load the bundled encoder once, and encode each text once."""
    with pytest.MonkeyPatch.context() as patch:
        first, *others = load.ENCODER_KINDS
        once = dataclasses.replace(first, make=functools.cache(first.make))
        patch.setattr(load, "ENCODER_KINDS", (once, *others))
        patch.setenv("INTERLINGUA_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MPLBACKEND", "Agg")
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def shared(_one_encoder, tmp_path_factory):
    """Return the folder with all files; a page gets a copy of it."""
    folder = tmp_path_factory.mktemp("shared")
    _write_words(folder)
    _write_texts(folder)
    _write_saved(folder)
    for name, same in _ALSO.items():
        (shutil.copytree if (folder / same).is_dir() else shutil.copy)(folder / same, folder / name)
    return folder


def _lines(path, rows):
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _json_lines(path, rows):
    _lines(path, [json.dumps(row, ensure_ascii=False) for row in rows])


def _write_words(folder):
    rng = np.random.default_rng(0)
    pairs = list(dict.fromkeys([(english, french) for english, french in _WORDS] + _MORE))
    english = list(dict.fromkeys(pair[0] for pair in pairs))
    partner = {pair[0]: pair[1] for pair in reversed(pairs)}
    vectors = rng.normal(size=(len(english), 24)).astype("float32")
    for language, words in (("fr", [partner[each] for each in english]), ("ru", [f"{each}ru" for each in english])):
        turn = np.linalg.qr(rng.normal(size=(24, 24)))[0]
        turned = (vectors @ turn + 0.05 * rng.normal(size=vectors.shape)).astype("float32")
        first = {word: words.index(word) for word in words}
        Embeddings(tuple(first), turned[list(first.values())], space=language).write(folder / f"{language}.vec")
    Embeddings(tuple(english), vectors, space="en").write(folder / "en.vec")
    Embeddings.read(folder / "fr.vec").write(folder / "french.bin")
    Embeddings.read(folder / "en.vec").write(folder / "cc.en.300.vec.gz")
    _lines(folder / "en-fr.tsv", ["\t".join(pair) for pair in pairs[:160]])
    _lines(folder / "en-fr.test.tsv", ["\t".join(pair) for pair in pairs[160:200]])
    _lines(folder / "ru-en.tsv", [f"{each}ru\t{each}" for each in english[:100]])
    shutil.copy(folder / "en-fr.tsv", folder / "seed.tsv")
    source, target = Embeddings.read(folder / "en.vec", space="en"), Embeddings.read(folder / "fr.vec", space="fr")
    align(source, target, SeedDictionary.read(folder / "en-fr.tsv"), method="procrustes").save(folder / "en-fr.space")
    for name, mean in (("fin", 0.4), ("eng", -0.4), ("en", -0.4), ("zh", 0.4)):
        np.save(folder / f"{name}.npy", (rng.normal(size=(120, 16)) + mean).astype("float32"))


def _write_texts(folder):
    rights = load_declaration()
    rows = [
        {"id": f"{language}-{number}", "text": text, "language": language, "article": number,
         "year": 2000 + number, "topic": "pumps"}
        for language in ("en", "zh", "sw")
        for number, text in enumerate(rights[language].articles, 1)
    ]  # fmt: skip
    _json_lines(folder / "texts.jsonl", rows)
    _json_lines(folder / "passages.jsonl", [row for row in rows if row["language"] == "en"])
    for language in ("en", "zh"):
        _lines(folder / f"{language}.txt", rights[language].articles)
    _lines(folder / "TITLES.tsv", ["en\tsw", "law\tsheria", "school\tshule", "rest\tmapumziko"])
    _json_lines(folder / "more.jsonl", [{"id": "en-31", "text": "The library opens at nine.", "language": "en"}])
    short = [each.split(".")[0] + "." for each in rights["en"].articles]
    other = [each.split(".")[0] + "." for each in rights["de"].articles]
    for kind in ("news", "report"):
        _lines(folder / f"{kind}.en.txt", short)
        _lines(folder / f"{kind}.de.txt", other)
    for place, lines in (("english", short), ("german", other)):
        (folder / place).mkdir()
        _lines(folder / place / "one.txt", lines[:8])
        _lines(folder / place / "two.txt", lines[12:20])
    _lines(folder / "news.fr.txt", [each.split(".")[0] + "." for each in rights["fr"].articles])
    _lines(folder / "pairs.tsv", ["\t".join(pair) for pair in _PAIRS])
    _lines(folder / "more.tsv", ["The train is late.\tLe train est en retard."])
    _lines(folder / "faq.tsv", ["question\tanswer", "How do I reset my password?\tClick on forgotten password.",
                                "When do you open?\tAt nine."])  # fmt: skip
    asked = [(each.text, rights["en"].articles[each.article - 1]) for each in load_questions() if each.language == "en"]
    _lines(folder / "questions.tsv", ["question\tanswer", *("\t".join(each) for each in asked)])
    countries = [f'{id},{name},"{about}",country' for id, (name, about) in _COUNTRIES.items()]
    _lines(folder / "countries.csv", ["id,name,description,types", *countries])
    _lines(folder / "mentions.csv", ["city", *_NAMES])
    _lines(folder / "names.csv", ["name,note", *(f"{each}," for each in _NAMES)])
    _lines(folder / "train.tsv", ["text\tcategory", *(f"{each}\tsports" for each in _SPORTS),
                                  *(f"{each}\tpolitics" for each in _POLITICS)])  # fmt: skip
    _lines(folder / "sw.txt", _SWAHILI)
    for side, language in (("left", "de"), ("right", "en")):
        towns = [
            ("Köln", "Cologne"),
            ("München", "Munich"),
            ("Nürnberg", "Nuremberg"),
            ("Wien", "Vienna"),
            ("Rhein", "Rhine"),
        ]
        _lines(folder / f"{side}.ttl", [
            f'<http://{side}/{n}> <http://www.w3.org/2000/01/rdf-schema#label> "{pair[side == "right"]}"@{language} ; '
            f"<http://{side}/near> <http://{side}/{(n + 1) % 5}> ."
            for n, pair in enumerate(towns)
        ])  # fmt: skip
    _lines(folder / "known.tsv", [f"http://left/{n}\thttp://right/{n}" for n in (0, 1)])


def _write_saved(folder):
    rows = [json.loads(line) for line in (folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    passages = [
        Passage(row["id"], row["text"], row["language"], {name: row[name] for name in ("article", "year", "topic")})
        for row in rows
    ]
    search = CrossLingualSearch.build(passages)
    search.save(folder / "manuals")
    import pyarrow
    import pyarrow.parquet

    vectors = load.load_encoder().encode([row["text"] for row in rows], role="passage")
    table = pyarrow.table({
        "id": [row["id"] for row in rows],
        "key": [row["id"] for row in rows],
        "year": [row["year"] for row in rows],
        "embedding": pyarrow.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        "language": [row["language"] for row in rows],
        "body": [row["text"] for row in rows],
    })  # fmt: skip
    pyarrow.parquet.write_table(table, folder / "theirs.parquet")
    store = table.drop_columns(["key"]).rename_columns({"embedding": "vector", "body": "text"})
    pyarrow.parquet.write_table(store, folder / "store.parquet")
    words = Collection.create(2, kind="hnsw")
    words.add(["hujambo", "ni hao"], [[1.0, 0.1], [0.9, 0.3]], [{"language": "sw"}, {"language": "zh"}])
    words.save(folder / "words")
    units = "".join(
        f'<tu><tuv xml:lang="en"><seg>{a}</seg></tuv><tuv xml:lang="fr"><seg>{b}</seg></tuv></tu>' for a, b in _PAIRS
    )
    _lines(folder / "projects.tmx", [f'<tmx version="1.4"><header srclang="en"/><body>{units}</body></tmx>'])
    memory = TranslationMemory.build([Pair(a, b, "en", "fr") for a, b in _PAIRS])
    memory.save(folder / "projects.memory")
    EntityIndex.from_table(folder / "countries.csv").save(folder / "countries.index")
