"""Languages are compared and recognised here, and only here: basic filtering of RFC 4647 [1]_.

A range that is asked for finds the tags that are it, or that go on from it: ``fr`` finds ``fr`` and ``fr-FR``,
``fr-FR`` finds no ``fr``, ``*`` finds all. Upper and lower case, ``_`` and ``-`` are the same.

References
----------
.. [1] Phillips and Davis (2006), "Matching of language tags", RFC 4647, section 3.3.1.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

# What an identifier of languages calls a language, or several that it may take it for: codes of ISO 639-2 and 639-3,
# both the terminological and the bibliographic ones, and what was withdrawn or belongs together.
_OTHER_CODES = (
    "iw:he in:id ji:yi jw:jv mo:ro fil:tl cmn:zh zho:zh chi:zh nb:no arb:ar ara:ar afr:af amh:am arg:an asm:as aze:az "
    "azj:az bel:be bul:bg ben:bn bre:br bos:bs cat:ca ces:cs cze:cs cym:cy wel:cy dan:da deu:de ger:de dzo:dz ell:el "
    "gre:el eng:en epo:eo spa:es est:et ekk:et eus:eu baq:eu fas:fa per:fa pes:fa fin:fi fao:fo fra:fr fre:fr gle:ga "
    "glg:gl guj:gu heb:he hin:hi hrv:hr hat:ht hun:hu hye:hy arm:hy ind:id isl:is ice:is ita:it jpn:ja jav:jv kat:ka "
    "geo:ka kaz:kk khm:km kan:kn kor:ko kur:ku kmr:ku kir:ky lat:la ltz:lb lao:lo lit:lt lav:lv lvs:lv mlg:mg plt:mg "
    "mkd:mk mac:mk mal:ml mon:mn khk:mn mar:mr msa:ms may:ms zsm:ms mlt:mt nob:no nep:ne npi:ne nld:nl dut:nl nno:nn "
    "oci:oc ori:or ory:or pan:pa pol:pl pus:ps pbt:ps por:pt que:qu quz:qu ron:ro rum:ro rus:ru kin:rw sme:se sin:si "
    "slk:sk slo:sk slv:sl sqi:sq alb:sq als:sq srp:sr swe:sv swa:sw swh:sw tam:ta tel:te tha:th tgl:tl tur:tr uig:ug "
    "ukr:uk urd:ur uzb:uz uzn:uz vie:vi vol:vo wln:wa xho:xh zul:zu no:no+nn nor:no+nn sh:sr+hr+bs hbs:sr+hr+bs"
)
_IDENTIFIED = dict(each.split(":") for each in _OTHER_CODES.split())

#: The tag of what is said alike in several languages, such as a name; it stands in where a language has nothing.
MULTIPLE = "mul"

#: How a language is named in files, if in lower case.
TAG = re.compile("[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
#: Written like a tag, but the names of columns and files that are no language.
NO_LANGUAGES = frozenset({"doc", "id", "ids", "key", "log", "txt", "url", "xml"})

# ISO 639-1, of which a header is recognised: three letters are too often a word, as in the pair "cat", "gat"
_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_CODES = frozenset(_ISO_639_1.split())
_SCRIPT_OR_REGION = re.compile("([-_]([A-Z][a-z]{3}|[A-Z]{2}|[0-9]{3})){0,2}")


def matches(wanted: str, tag: str) -> bool:
    """Tell whether the range `wanted` finds a tag.

    Examples
    --------
    >>> matches("fr", "fr-FR"), matches("FR_fr", "fr-FR"), matches("fr-FR", "fr"), matches("fr", "fro")
    (True, True, False, False)
    """
    return label_rank(wanted, tag) > 1


def label_rank(wanted: str, tag: str) -> int:
    """Return how well a label in the language `tag` serves who wants `wanted`.

    3: it is that language; 2: the range finds it; 1: it is "mul"; 0: not at all.
    """
    one, other = _subtags(wanted), _subtags(tag)
    if one == other:
        return 3
    return 2 if one == ("*",) or other[: len(one)] == one else int(other == (MULTIPLE,))


def find_language(wanted: str, tags: Collection[str]) -> str | None:
    """Return the first of the tags that is `wanted`, else the first that the range finds, or None.

    Examples
    --------
    >>> find_language("fr", ["fr-CA", "fr"]), find_language("fr", ["en", "fr-CA"]), find_language("fr", ["mul"])
    ('fr', 'fr-CA', None)
    """
    return _best_tag(wanted, tags, 2)


def find_label(wanted: str, tags: Collection[str]) -> str | None:
    """Return the tag of the label to take for `wanted`: as `find_language`, else "mul" where there is one.

    Examples
    --------
    >>> find_label("fr", ["en", "mul"]), find_label("fr", ["en"])
    ('mul', None)
    """
    return _best_tag(wanted, tags, 1)


def matching_languages(wanted: Iterable[str], known: Sequence[str], *, what: str = "text") -> list[str]:
    """Return the known tags that one of the ranges finds, in the order of `known`.

    Parameters
    ----------
    wanted : iterable of str
        None of them asks for nothing, and nothing is returned.
    known : sequence of str
        The tags that there are.
    what : str
        What is in these languages, for the error.

    Raises
    ------
    TypeError
        If `wanted` is one string.
    ValueError
        If ranges are asked for, and none of them finds a tag.

    Examples
    --------
    >>> matching_languages(["fr", "sw"], ["en", "fr-FR", "fr-CA"])
    ['fr-FR', 'fr-CA']
    """
    if isinstance(wanted, str):
        raise TypeError(f"languages must be a list of languages, such as [{wanted!r}], not one string")
    ranges = list(wanted)
    found = [tag for tag in known if any(matches(each, tag) for each in ranges)]
    if ranges and not found:
        there = ", ".join(sorted(known)) or "none"
        raise ValueError(f"there is no {what} in {', '.join(map(repr, ranges))}; there is: {there}")
    return found


def is_code(name: str) -> bool:
    """Tell whether a name is a code of ISO 639-1, with or without a script and a region.

    Examples
    --------
    >>> is_code("pt-BR"), is_code("cat"), is_code("xx")
    (True, False, False)
    """
    return name[:2] in _CODES and _SCRIPT_OR_REGION.fullmatch(name[2:]) is not None


def identified_as(tag: str, known: Collection[str]) -> frozenset[str]:
    """Return the codes by which an identifier of languages knows a language; none where it does not.

    Parameters
    ----------
    tag : str
        Script and region say nothing; codes of three letters and withdrawn ones are understood.
    known : collection of str
        The identifier's codes.

    Examples
    --------
    >>> known = ["bs", "he", "hr", "nn", "no", "pt", "sr", "zh"]
    >>> [sorted(identified_as(each, known)) for each in ("pt-BR", "nob", "iw", "cmn_Hans", "sh", "tlh")]
    [['pt'], ['no'], ['he'], ['zh'], ['bs', 'hr', 'sr'], []]
    """
    code = _subtags(tag)[0]
    return frozenset(_IDENTIFIED.get(code, code).split("+")) & frozenset(known)


def main_script(name: str) -> str:
    """Return the script of most letters, as Unicode's names of characters begin: "LATIN", "CJK", "" without letters.

    Examples
    --------
    >>> main_script("Грузия (Georgia, Грузинская ССР)"), main_script("2001")
    ('CYRILLIC', '')
    """
    written = unicodedata.normalize("NFKC", name)
    found = Counter(unicodedata.name(each, "").partition(" ")[0] for each in written if each.isalpha())
    return found.most_common(1)[0][0] if found else ""


_KANA = ("HIRAGANA", "KATAKANA")


def languages_by_script(texts: Iterable[str], known: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the language of each text where its script alone tells it, else "und".

    Parameters
    ----------
    texts : iterable of str
    known : mapping of str to sequence of str
        Languages, each with some texts in it.

    Examples
    --------
    >>> known = {"en": ["water"], "de": ["Wasser"], "zh": ["水"], "ru": ["вода"]}
    >>> languages_by_script(["孩子上学", "Kinder", "дети"], known)
    ['zh', 'und', 'ru']
    """
    scripts: dict[str, set[str]] = {}
    for language, said in known.items():
        written = Counter(_written(text) for text in said)
        for script, count in written.items():
            if script and 2 * count >= sum(written.values()):  # a few names in another script make no language of it
                scripts.setdefault(script, set()).add(language)
    found = [scripts.get(_written(text), set()) for text in texts]
    return [next(iter(each)) if len(each) == 1 else "und" for each in found]


def _written(text: str) -> str:
    script = main_script(text)
    return _KANA[0] if script in _KANA else script


def _best_tag(wanted: str, tags: Collection[str], least: int) -> str | None:
    if wanted in tags:  # mostly so, and of a mapping known at once
        return wanted
    best = max(tags, key=lambda tag: label_rank(wanted, tag), default=None)
    return best if best is not None and label_rank(wanted, best) >= least else None


@lru_cache(4096)
def _subtags(tag: str) -> tuple[str, ...]:
    return tuple(tag.strip().lower().replace("_", "-").split("-"))
