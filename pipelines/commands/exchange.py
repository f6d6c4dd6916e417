"""The commands `index export` and `index import`: collections and what other programs keep, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from .arguments import (
    UsageError,
    check_bounds,
    check_collection_folder,
    check_output_file,
    require_collection,
    written_filter,
)
from .command import EncoderName, OutputFolder, Repeated, command, options_of
from .output import Output

if TYPE_CHECKING:
    from interlingua.index import Collection

_COLLECTION = "interlingua.index.collection.collection:Collection"
_Form = Literal["parquet", "faiss", "langchain", "chroma", "qdrant", "lancedb", "sqlite-vec", "pgvector"]


@command(columns=options_of(f"{_COLLECTION}.to_parquet", only=("id", "vector")))
def export(
    console: Output,
    columns: dict[str, Any],
    collection: str,
    file: Annotated[str, Parameter(("--output", "-o"), metavar="OUT.parquet|STORE")],
    *,
    form: Literal["parquet", "faiss", "langchain", "chroma", "qdrant", "lancedb", "sqlite-vec", "pgvector"]
    | None = None,
    where: Annotated[Repeated, Parameter(metavar="FILTER")] = None,
) -> None:
    """Write a collection into a Parquet file, or the store of another program.

    Vectors are written as the encoder and the space made them; what a search is ranked by is the column hubness.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    file : str
        What to write: a Parquet file, or a new store, perhaps STORE#TABLE; postgresql://... for pgvector.
    form : str, optional
        The program; by default told by the ending, else the one that the collection was imported from.
    where : str
        Only rows with this metadata, such as 'year>=2020 and topic in (a, "b c")'; of several, all must hold.

    Examples
    --------
    ::

        interlingua index export COLLECTION OUT.parquet --where language=sw
    """
    from interlingua.pipelines.search.portable import open_portable
    from interlingua.pipelines.stores import kind_to_write

    condition = written_filter(where)
    require_collection(collection)
    loaded = open_portable(collection)
    check_bounds(condition, loaded)
    said: Any = loaded.attributes.get("store") or {}
    form = form or kind_to_write(file) or said.get("kind") or "parquet"
    if form == "parquet":
        check_output_file(file)
        rows = loaded.to_parquet(file, where=condition, **columns)
    else:
        if columns != {"id": "id", "vector": "vector"}:
            raise UsageError(f"--id and --vector name columns of a Parquet file; {form} has its own")
        rows = _written(loaded, file, form, condition)
    result = {"file": file, "rows": rows, "dimension": loaded.dimension, "metric": str(loaded.metric), "form": form}
    console.result(result, lambda: [f"{file}: {rows} rows"])


def _written(collection: Collection, place: str, form: Any, where: Any) -> int:
    from interlingua.index import Collection
    from interlingua.pipelines.stores import write_store

    if where is not None:
        some = Collection.create(collection.dimension, collection.metric)
        for batch in collection.batches(where=where):
            some.add(batch.ids, batch.vectors, batch.metadata)
        some.attributes, collection = collection.attributes, some
    return len(write_store(collection, place, form).ids)


@command(
    reading=options_of(f"{_COLLECTION}.from_parquet", only=("id", "vector", "columns", "kind"), commas=("columns",))
)
def import_(
    console: Output,
    reading: dict[str, Any],
    file: Annotated[str, Parameter("FILE|STORE")],
    *,
    metric: Literal["cosine", "ip", "l2"] | None = None,
    rows: Annotated[str | None, Parameter(metavar="TABLE")] = None,
    encoder: EncoderName = None,
    output: OutputFolder,
) -> None:
    """Make a collection of a Parquet file, or of another program's store.

    Parameters
    ----------
    file : str
        A Parquet file of `index export` or of any other program; a FAISS index (.faiss, .index), LangChain's FAISS,
        Chroma, Qdrant (local), LanceDB, sqlite-vec or postgresql://...; STORE#TABLE where there are several.
    metric : {"cosine", "ip", "l2"}, optional
        By default what the file notes, else cosine.
    rows : str, optional
        Of a FAISS index, a table with a row for each vector.
    encoder : str, optional
        What has made the vectors, noted for `search`.
    output : str
        The folder to write.

    Examples
    --------
    ::

        interlingua index import FILE.parquet -o COLLECTION
    """
    check_collection_folder(output)
    with console.working("reading"):
        collection = _imported(file, rows, metric, reading)
        if encoder is not None:
            from interlingua.pipelines.encoders.load import load_encoder
            from interlingua.pipelines.stored import EncoderNote

            collection.attributes |= EncoderNote.of(load_encoder(encoder)).fields()
        collection.save(output)
    facts = collection.info
    result = {"collection": output, **{key: facts[key] for key in ("count", "dimension", "metric", "kind", "fields")}}
    console.result(result, lambda: [f"{output}: {len(collection)} rows, fields: {', '.join(facts['fields'])}"])


def _imported(file: str, rows: str | None, metric: str | None, reading: dict[str, Any]) -> Collection:
    from interlingua.index import Collection
    from interlingua.pipelines.search.foreign import collection_from_store, is_faiss_name
    from interlingua.pipelines.search.portable import restored
    from interlingua.pipelines.stores import kind_of_store

    store = "faiss" if is_faiss_name(file) else kind_of_store(file)
    if store in (None, "parquet"):
        if rows is not None:
            raise UsageError("--rows is the table of a FAISS index; a Parquet file has its own columns")
        return restored(Collection.from_parquet(file, metric=metric, **reading), reading["kind"])
    if metric is not None or reading["vector"] is not None or reading["columns"] is not None:
        name = "a FAISS index" if store == "faiss" else "a store"
        raise UsageError(f"{name} has its own metric and vectors: leave out --metric, --vector and --columns")
    if store != "faiss" and (rows is not None or reading["id"] is not None):
        raise UsageError("--rows and --id are of a FAISS index and its table; a store has its own")
    return collection_from_store(file, rows, id=reading["id"], kind=reading["kind"])
