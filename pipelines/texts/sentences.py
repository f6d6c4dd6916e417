"""Sentences of a text, by the rules of its language."""

from interlingua.align.arrays import require

from .passages import UNDETERMINED

#: ISO 639-3 and 639-2 codes of languages with rules of their own, as their two letters.
_TWO_LETTERS = {
    "amh": "am", "ara": "ar", "arb": "ar", "arm": "hy", "asm": "as", "ben": "bn", "bul": "bg", "cat": "ca",
    "ces": "cs", "cmn": "zh", "dan": "da", "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "est": "et",
    "eus": "eu", "fas": "fa", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gle": "ga", "glg": "gl",
    "guj": "gu", "heb": "he", "hin": "hi", "hun": "hu", "hye": "hy", "ind": "id", "isl": "is", "ita": "it",
    "jpn": "ja", "kan": "kn", "kat": "ka", "kaz": "kk", "khm": "km", "kor": "ko", "lav": "lv", "lit": "lt",
    "mal": "ml", "mar": "mr", "mya": "my", "nld": "nl", "nob": "no", "nor": "no", "ori": "or", "pan": "pa",
    "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru", "slk": "sk", "slv": "sl", "spa": "es", "srp": "sr",
    "swa": "sw", "swe": "sv", "swh": "sw", "tam": "ta", "tel": "te", "tha": "th", "tur": "tr", "ukr": "uk",
    "urd": "ur", "vie": "vi", "zho": "zh",
}  # fmt: skip


def sentence_bounds(text: str, language: str = UNDETERMINED) -> list[tuple[int, int]]:
    """Return where each sentence begins and ends, without the white space around it.

    The rules, with the abbreviations of each language, are those of the library sentencex (extra `text`). A language
    is named as in ``de``, ``deu``, ``de-AT`` or ``deu_Latn``; one without rules of its own is split by English ones.

    Raises
    ------
    MissingExtraError
        Without sentencex.
    """
    name = language.replace("_", "-").split("-")[0].lower()
    known = "en" if name in ("", UNDETERMINED) else _TWO_LETTERS.get(name, name)
    found, at = [], 0
    for part in require("sentencex", extra="text").segment(known, text):
        sentence = part.strip()
        if not sentence:
            continue
        start = text.index(sentence, at)
        at = start + len(sentence)
        found.append((start, at))
    return found


def split_sentences(text: str, language: str = UNDETERMINED) -> list[str]:
    """Return the sentences of a text, see `sentence_bounds`.

    Examples
    --------
    >>> split_sentences("Dr. Wu kam um 9 Uhr. Alle warteten.", "deu")
    ['Dr. Wu kam um 9 Uhr.', 'Alle warteten.']
    """
    return [text[first:last] for first, last in sentence_bounds(text, language)]
