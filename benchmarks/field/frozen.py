"""What a protocol is given: a task, its data, and frozen vectors that may pass through a shared space."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.pipelines import Encoder
from interlingua.pipelines.encoder import Role
from interlingua.pipelines.training import FineTuning

from .tasks import Task

__all__ = ["FrozenVectors", "Work", "name_in_space"]

_CODES = """
af:afr ar:ara bg:bul bn:ben de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra gu:guj he:heb hi:hin ht:hat
hu:hun id:ind it:ita ja:jpn jv:jav ka:kat kk:kaz ko:kor lt:lit ml:mal mr:mar ms:msa my:mya nl:nld pa:pan pl:pol pt:por
qu:que ro:ron ru:rus sw:swh ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd vi:vie yo:yor zh:cmn
"""
_THREE = {pair[:2]: pair[3:] for pair in _CODES.split()}
_TWO = {three: two for two, three in _THREE.items()}
_OTHER = {"cmn": "zho", "zho": "cmn", "ara": "arb", "arb": "ara", "swh": "swa", "swa": "swh"}


@dataclass(frozen=True)
class FrozenVectors:
    """An encoder, and a shared space that its vectors are mapped into if there is one."""

    encoder: Encoder
    space: SharedSpace | None = None

    def __post_init__(self) -> None:
        if self.space is not None:
            self.space.check_encoder(self.encoder.identity)

    def encode(self, texts: Sequence[str], language: str, role: Role = "symmetric") -> NDArray[np.float32]:
        """Return unit vectors of texts of one language, (n, d).

        Raises
        ------
        ValueError
            If the space has no map for the language.
        """
        vectors = self.encoder.encode(texts, role=role)
        if self.space is None:
            return vectors
        return np.asarray(self.space.transform(vectors, name_in_space(self.space, language)), np.float32)


@dataclass(frozen=True)
class Work:
    """One task to predict.

    Attributes
    ----------
    module : module
        `xtreme` or `xglue`.
    task : Task
    data : path
    languages : tuple of str
    vectors : FrozenVectors
    model : str, optional
        A model of transformers: a reader for questions, an encoder-decoder for texts to be written.
    steps : int
        That an encoder-decoder is trained for.
    tuning : FineTuning, optional
        How the encoder is fine-tuned for labels, grades and tags; None leaves it frozen.
    """

    module: ModuleType
    task: Task
    data: str | os.PathLike[str]
    languages: tuple[str, ...]
    vectors: FrozenVectors
    model: str | None = None
    steps: int = 1000
    tuning: FineTuning | None = None


def name_in_space(space: SharedSpace, language: str) -> str:
    """Return what a space calls a language: the name given, or its ISO 639 codes of two or three letters.

    Raises
    ------
    ValueError
        If it has no such language.
    """
    bare = language.split("_")[0]
    three = _THREE.get(bare, bare)
    names = (
        language,
        bare,
        three,
        _OTHER.get(three, three),
        _TWO.get(bare, bare),
        _TWO.get(_OTHER.get(bare, ""), bare),
    )
    for name in names:
        if space.covers(name):
            return name
    raise ValueError(f"the space has no map for {language!r}; it has: {', '.join(space.languages)}")
