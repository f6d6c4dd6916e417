"""Read the benchmarks' data sets, which are not part of this project; docs/data.md says where each comes from."""

import gzip
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, SeedDictionary
from interlingua.pipelines.texts.pairs import Pair

TATOEBA_LANGUAGES = (
    "ara",
    "cmn",
    "deu",
    "fin",
    "fra",
    "hin",
    "jpn",
    "kat",
    "rus",
    "spa",
    "swh",
    "tam",
    "tha",
    "tur",
    "vie",
)

#: The names that NTREX-128 gives to Tatoeba's languages, where they differ.
NTREX_CODES = {"ara": "arb", "cmn": "zho-CN", "swh": "swa"}

#: The names that SIB-200 gives to Tatoeba's languages and English.
SIB_CODES = {
    "ara": "arb_Arab",
    "cmn": "zho_Hans",
    "deu": "deu_Latn",
    "eng": "eng_Latn",
    "fin": "fin_Latn",
    "fra": "fra_Latn",
    "hin": "hin_Deva",
    "jpn": "jpn_Jpan",
    "kat": "kat_Geor",
    "rus": "rus_Cyrl",
    "spa": "spa_Latn",
    "swh": "swh_Latn",
    "tam": "tam_Taml",
    "tha": "tha_Thai",
    "tur": "tur_Latn",
    "vie": "vie_Latn",
}


@dataclass(frozen=True)
class AnswerSet:
    """Questions and the sentences that answer them, in one language of XQuAD-R.

    Attributes
    ----------
    questions : dict of str to str
        Question by id; ids are shared across languages.
    sentences : tuple of str
        All sentences of all paragraphs.
    answers : dict of str to int
        Question id to the row of the sentence that holds the answer.
    """

    questions: dict[str, str]
    sentences: tuple[str, ...]
    answers: dict[str, int]


def data_root() -> Path:
    """Return the folder of the data sets: the environment variable INTERLINGUA_DATA, or one beside the project."""
    return Path(os.environ.get("INTERLINGUA_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")


def data_folder(name: str) -> Path:
    """Return the folder of a data set.

    Raises
    ------
    FileNotFoundError
        If it is not there; set the environment variable INTERLINGUA_DATA to the folder that holds the sets.
    """
    root = data_root()
    folder = root / name
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the data set {name!r} is not in {root}; set INTERLINGUA_DATA to the folder that holds it (docs/data.md)"
        )
    return folder


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file; only a line feed ends a line."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def read_parallel(one: Path, other: Path) -> tuple[list[str], list[str]]:
    """Return the lines of two files that correspond row by row.

    Raises
    ------
    ValueError
        If they have not as many lines; names the files.
    """
    lines = read_lines(one), read_lines(other)
    if len(lines[0]) != len(lines[1]):
        raise ValueError(f"{one} has {len(lines[0])} lines, but {other} {len(lines[1])}: rows must correspond")
    return lines


def read_tatoeba(language: str) -> tuple[list[str], list[str]]:
    """Return the sentences of a language and their English translations, row by row (Artetxe and Schwenk 2019)."""
    folder = data_folder("tatoeba-v1")
    return read_parallel(*(folder / f"tatoeba.{language}-eng.{side}" for side in (language, "eng")))


def read_ntrex(language: str) -> list[str]:
    """Return the sentences of NTREX-128 in one of Tatoeba's languages or ``eng``; rows correspond across languages."""
    folder = data_folder("ntrex-128")
    if language == "eng":
        return read_lines(folder / "newstest2019-src.eng.txt")
    return read_lines(folder / f"newstest2019-ref.{NTREX_CODES.get(language, language)}.txt")


def ntrex_pairs() -> list[Pair]:
    """Return NTREX-128 in Tatoeba's languages, each line with its English one."""
    english = read_ntrex("eng")
    return [
        Pair(text, translation, language, "eng")
        for language in TATOEBA_LANGUAGES
        for text, translation in zip(read_ntrex(language), english, strict=True)
        if text.strip() and translation.strip()
    ]


def read_ntrex_documents() -> list[str]:
    """Return the name of the document of each line of NTREX-128."""
    lines = (data_folder("ntrex-128") / "DOCUMENT_IDS.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[0] for line in lines]


def read_sib200(language: str, part: str) -> dict[int, tuple[str, str]]:
    """Return topic and sentence by number, of SIB-200 (Adelani et al. 2024): ``train``, ``dev`` or ``test``.

    The language is named as there, such as ``swh_Latn``; equal numbers are translations, in every part.
    """
    lines = read_lines(data_folder("sib-200") / language / f"{part}.tsv")[1:]
    rows = (line.split("\t") for line in lines if line.strip())
    return {int(number): (topic, text) for number, topic, text in rows}


def read_bible() -> tuple[list[str], list[str]]:
    """Return the New Testament in English and Swahili, verse by verse where both have one (open-bibles)."""
    folder = data_folder("open-bibles")
    # files of our own, without entities
    english = ElementTree.parse(folder / "eng-ylt.zefania.xml")  # noqa: S314
    swahili = ElementTree.parse(folder / "swa-swahili.osis.xml")  # noqa: S314
    verses = {
        (book.get("bsname"), chapter.get("cnumber"), verse.get("vnumber")): " ".join("".join(verse.itertext()).split())
        for book in english.iter("BIBLEBOOK")
        for chapter in book.iter("CHAPTER")
        for verse in chapter.iter("VERS")
    }
    pairs = []
    for verse in swahili.findall(".//{*}verse"):
        book, chapter, number = (verse.get("osisID") or "..").split(".")[:3]
        text = " ".join("".join(verse.itertext()).split())
        other = verses.get((book, chapter, number))
        if text and other:
            pairs.append((other, text))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@cache
def read_vectors(name: str) -> Embeddings:
    """Return word vectors: ``en`` (20,000 words, GloVe), ``fr``, ``ja``, ``ru``, ``en.docs``, ``fr.docs``.

    French is lower-cased, the first of equal words kept; Russian is decoded from its product quantisation.
    """
    folder = data_folder("vectors")
    if name == "ru":
        with np.load(folder / "ru.navec30k.pq.npz", allow_pickle=False) as file:
            codes, index, words = file["pq_codes"], file["pq_index"], file["words"]
        vectors = np.concatenate([codes[part][index[:, part]] for part in range(index.shape[1])], axis=1)
        return _unique([str(word) for word in words], vectors, "ru")
    files = {
        "en": ("en.glove100d.30k.npz", 20000),
        "fr": ("fr.vec20k.npz", None),
        "ja": ("ja.vec20k.npz", None),
        "en.docs": ("en.docs300.15k.npz", None),
        "fr.docs": ("fr.docs300.15k.npz", None),
    }
    file, limit = files[name]
    language = name.split(".")[0]
    read = Embeddings.read(folder / file, limit=limit, space=language)
    return _unique([label.lower() for label in read.labels], read.vectors, language) if name == "fr" else read


def read_lexicon(pair: str, part: str) -> SeedDictionary:
    """Return a dictionary of xling-eval (Glavaš et al. 2019): a pair such as ``en-fr``; ``5k``, ``1k`` or ``test``."""
    name = {"5k": "train.freq.5k", "1k": "train.freq.1k", "test": "test.freq.2k"}[part]
    (path,) = data_folder("xling-eval").joinpath(pair).glob(f"*{name}*")
    return SeedDictionary.read(path)


def read_countries(source: str, target: str) -> SeedDictionary:
    """Return names of countries in two languages, ISO 639-3 codes, lower-cased single words (mledoze/countries)."""
    entries = json.loads((data_folder("countries") / "countries.json").read_text(encoding="utf-8"))
    names = [
        tuple(entry["translations"].get(code, {}).get("common", "").lower() for code in (source, target))
        for entry in entries
    ]
    return SeedDictionary(tuple((left, right) for left, right in names if left and right))


def read_xcopa_texts(language: str) -> list[str]:
    """Return all sentences of XCOPA (Ponti et al. 2020) in ``sw``, ``zh``, ...; rows correspond across languages."""
    folder = data_folder("xcopa") / language
    items = [json.loads(line) for part in ("val", "test") for line in read_lines(folder / f"{part}.{language}.jsonl")]
    return [item[field] for item in items for field in ("premise", "choice1", "choice2")]


def read_xquad_r(language: str) -> AnswerSet:
    """Return the questions and sentences of XQuAD-R in one language (Roy et al. 2020)."""
    return read_answer_set(data_folder("xquad-r") / f"{language}.json")


def read_answer_set(path: Path) -> AnswerSet:
    """Return the questions and sentences of a file of XQuAD-R."""
    content = json.loads(path.read_text(encoding="utf-8"))
    questions: dict[str, str] = {}
    answers: dict[str, int] = {}
    sentences: list[str] = []
    for paragraph in (each for article in content["data"] for each in article["paragraphs"]):
        breaks = paragraph["sentence_breaks"]
        for question in paragraph["qas"]:
            start = question["answers"][0]["answer_start"]
            inside = [row for row, (first, last) in enumerate(breaks) if first <= start < last]
            if inside:
                questions[question["id"]] = question["question"]
                answers[question["id"]] = len(sentences) + inside[0]
        sentences += [paragraph["context"][first:last] for first, last in breaks]
    return AnswerSet(questions, tuple(sentences), answers)


def _unique(words: list[str], vectors: NDArray[np.floating], space: str) -> Embeddings:
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    return Embeddings(tuple(first), np.asarray(vectors, np.float32)[list(first.values())], space)


def read_ddtp(name: str) -> list[dict[str, str]]:
    """Return Debian's package descriptions of a file, such as ``de`` or ``fit-en``: package, title and body of each."""
    with gzip.open(data_folder("ddtp") / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
