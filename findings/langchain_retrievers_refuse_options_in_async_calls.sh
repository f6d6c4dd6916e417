#!/usr/bin/env bash
# langchain-core 1.8.3: a retriever whose synchronous calls take options refuses the same options in asynchronous ones.
#
# A guess: `BaseRetriever` runs `_get_relevant_documents` in a thread for `ainvoke`, so what `invoke` takes, `ainvoke`
# takes. Seen here: `invoke` looks whether the method has parameters of its own and passes keywords on; the default
# asynchronous method has none, and answers with TypeError. A retriever with options needs its own
# `_aget_relevant_documents`, even if that only calls the other.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet langchain-core==1.8.3
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
import asyncio
from importlib.metadata import version

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever


class Repeating(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager, k=3):
        return [Document(page_content=query)] * k


print("langchain-core", version("langchain-core"))
print("invoke:", len(Repeating().invoke("a", k=2)))
print("ainvoke:", len(asyncio.run(Repeating().ainvoke("a"))))
try:
    asyncio.run(Repeating().ainvoke("a", k=2))
except TypeError as error:
    print("ainvoke with k:", str(error).split(".")[-1])
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
langchain-core 1.8.3
invoke: 2
ainvoke: 3
ainvoke with k: _aget_relevant_documents() got an unexpected keyword argument 'k'
SEEN
echo "as found: options fail in asynchronous calls"
