"""Whether the Hugging Face Hub answers, asked once before its client asks many times."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

from interlingua.align.optional import require

__all__ = ["hub_is_reachable"]

_SECONDS = 10.0
_NOT_THERE = (socket.gaierror, ConnectionError, TimeoutError)


def hub_is_reachable() -> bool:
    """Return whether the Hub, or what stands in for it (HF_ENDPOINT), answers at all.

    Its client tries each of a model's files six times before it gives up, a minute in all, with a line each time. False
    too where the client is told to stay offline (HF_HUB_OFFLINE). Whatever else goes wrong is for the client to say.
    """
    constants = require("huggingface_hub.constants", extra="torch")
    if constants.HF_HUB_OFFLINE:
        return False
    request = urllib.request.Request(str(constants.ENDPOINT), method="HEAD")  # noqa: S310 - the user's own endpoint
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True  # an answer, if not a friendly one
    except urllib.error.URLError as error:
        return not isinstance(error.reason, _NOT_THERE)
    except _NOT_THERE:
        return False
    except (OSError, ValueError):
        return True
    return True
