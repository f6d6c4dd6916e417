"""What an encoder of the service has in common: it is another one's, but for how it is asked."""

from collections.abc import Mapping
from typing import Any

from interlingua.pipelines.encoders.base import Encoder


class PassedOnEncoder:
    """Another encoder's identity and whatever else it has; `encode` is for a subclass to say.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_encoder", "for_count"):
            raise AttributeError(name)  # subtle: for_count would give the encoder beneath, and go past this one
        return getattr(self._encoder, name)

    @property
    def identity(self) -> str:
        """That of the encoder."""
        return self._encoder.identity

    @property
    def dimension(self) -> int:
        """That of the encoder."""
        return self._encoder.dimension

    @property
    def prompts(self) -> Mapping[str, str]:
        """Those of the encoder."""
        return self._encoder.prompts
