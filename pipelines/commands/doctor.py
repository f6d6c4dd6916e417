"""The command `doctor`: what a store of vectors holds, and what is here to work with."""

from __future__ import annotations

import os
from typing import Annotated, Any

from cyclopts import Parameter, validators

from .arguments import UsageError, require_searchable
from .command import ENCODING, EncoderName, command
from .output import Output, flat_rows, table

_KEY = "OPENAI_API_KEY"


@command(loading=ENCODING)
def doctor(
    console: Output,
    loading: dict[str, Any],
    store: str | None = None,
    *,
    encoder: EncoderName = None,
    endpoint: Annotated[str | None, Parameter(metavar="URL")] = None,
    model: str | None = None,
    text_field: str | None = None,
    texts_compared: Annotated[int, Parameter(name="--texts", validator=validators.Number(gte=1))] = 20,
    fail: bool = False,
) -> None:
    """Tell what a store of vectors holds, and what is wrong with it; without one, what is installed here.

    Parameters
    ----------
    store : str, optional
        A collection, or another program's store, as for `search`.
    encoder : str, optional
        The model that should have made the vectors: 20 stored texts are encoded by it and compared.
    endpoint : str, optional
        The same of a server of the form of OpenAI's /v1/embeddings; its key is read from OPENAI_API_KEY.
    model : str, optional
        What the endpoint calls the model.
    text_field : str, optional
        The metadata that hold the texts.
    texts_compared : int
        Stored texts that are encoded and compared; of a share of 2 %, 20 show one in three times, 230 nearly always.
    fail : bool
        Exit with 1 where something is wrong.

    Examples
    --------
    ::

        interlingua doctor STORE --encoder all-MiniLM-L6-v2
    """
    if store is None:
        if encoder or endpoint:
            raise UsageError("--encoder and --endpoint are compared with a store; name one")
        from interlingua.pipelines.doctor.machine import about_machine

        here = about_machine()
        console.result(here, lambda: [table("", "", rows=flat_rows(here))])
        return
    if encoder is not None and endpoint is not None:
        raise UsageError("a store is compared with one encoder; give --encoder or --endpoint")
    if endpoint is not None and model is None:
        raise UsageError("--endpoint needs --model, the name of the model there")
    from interlingua.pipelines.doctor import examine
    from interlingua.pipelines.doctor.encoding import ways_of, ways_of_endpoint
    from interlingua.pipelines.doctor.rows import stored_rows
    from interlingua.pipelines.stores import without_password

    require_searchable(store)
    ways: Any = None
    if encoder is not None:
        from interlingua.pipelines.encoders.load import load_encoder

        with console.working("loading the encoder"):
            made = load_encoder(encoder, **{**loading, "cache": False})
        ways = ways_of(made)
    elif endpoint is not None:
        ways = ways_of_endpoint(endpoint, str(model), os.environ.get(_KEY, ""))
    with console.working("examining"):
        ids, vectors, texts, metric = stored_rows(store, text_field)
        found = examine(ids, vectors, texts, ways, count=texts_compared, metric=metric)
    named = without_password(store)
    about = {"store": named, "metric": metric, **found.about()}
    shown = {key: value for key, value in about.items() if key != "problems" and value not in (None, [])}
    verdict = [f"- {each}" for each in found.problems] or ["nothing is wrong that can be seen"]
    console.result(about, lambda: [table("", "", rows=flat_rows(shown)), *verdict])
    if fail and found.problems:
        raise ValueError(f"{named}: {len(found.problems)} problems")
