"""Folders of LangChain's FAISS: ``index.faiss`` and, pickled, the documents; the pickle is never loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlingua.align.files import replacing_folder

from .base import Place, StoreError, StoreRows, program
from .faiss_file import flat_index, read_index
from .pickles import Kept, read_pickle

KIND = "langchain"
_INDEX, _DOCUMENTS = "index.faiss", "index.pkl"
_DOCUMENT = (
    "langchain_core.documents.base.Document",
    "langchain_core.documents.Document",
    "langchain.schema.document.Document",
    "langchain.schema.Document",
    "langchain.docstore.document.Document",
)
_STORES = tuple(
    f"{room}.docstore.in_memory.InMemoryDocstore" for room in ("langchain_community", "langchain", "langchain_classic")
)
_TEXT = "page_content"


def recognises(path: Path) -> bool:
    """Tell whether a folder has both files."""
    return (path / _INDEX).is_file() and (path / _DOCUMENTS).is_file()


def read(place: Place) -> StoreRows:
    """Return the documents with their vectors; the text is the field ``page_content``.

    Raises
    ------
    StoreError
        If the pickle holds more than documents of plain values, or a vector has no document.
    """
    path = Path(place.store)
    vectors, metric, numbers = read_index(path / _INDEX)
    name = str(path / _DOCUMENTS)
    found = read_pickle((path / _DOCUMENTS).read_bytes(), {*_DOCUMENT, *_STORES}, name=name)
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Kept) and isinstance(found[1], dict)):
        raise StoreError(f"{name} is not what LangChain writes: a store of documents and their numbers")
    documents, ids = found[0].field("_dict"), found[1]
    if not isinstance(documents, dict):
        raise StoreError(f"{name} holds no documents")
    if missing := [int(each) for each in numbers if ids.get(int(each)) not in documents]:
        raise StoreError(f"{name} has no document for {len(missing)} of {len(numbers)} vectors, such as {missing[0]}")
    named = [ids[int(each)] for each in numbers]
    rows = [_row(documents[each], name) for each in named]
    return StoreRows([str(each) for each in named], vectors, rows, metric, KIND, text=_TEXT)


def write(rows: StoreRows, place: Place) -> None:
    """Write such a folder, by LangChain itself.

    Raises
    ------
    ImportError
        If langchain-community is not installed.
    """
    store = program("langchain_community.vectorstores.faiss", "langchain-community")
    memory = program("langchain_community.docstore.in_memory", "langchain-community")
    documents = program("langchain_core.documents", "langchain-core")
    text = rows.text
    held = {
        id: documents.Document(
            page_content=str(row.get(text) or ""), metadata={k: v for k, v in row.items() if k != text}, id=id
        )
        for id, row in zip(rows.ids, rows.metadata, strict=True)
    }
    made = store.FAISS(_no_encoder, flat_index(rows), memory.InMemoryDocstore(held), dict(enumerate(rows.ids)))
    with replacing_folder(Path(place.store), marker=_DOCUMENTS, kind="LangChain FAISS") as folder:
        made.save_local(str(folder))


def _row(document: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(document, Kept) or not isinstance(document.field(_TEXT), str):
        raise StoreError(f"{name} holds a document without a text")
    return {**(document.field("metadata") or {}), _TEXT: document.field(_TEXT)}


def _no_encoder(text: str) -> list[float]:  # LangChain asks for one, and puts it in no file
    raise NotImplementedError(text)
