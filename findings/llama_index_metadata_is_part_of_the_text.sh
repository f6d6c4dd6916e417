#!/usr/bin/env bash
# llama-index-core 0.14.25: what a retriever writes into a node's metadata goes into the prompt and into the node's identity.
#
# A guess: metadata such as a score is for the program and stays out of the text. Seen here: by default each entry is
# a line before the text for the language model and for embedding, and the node's hash covers it, so the same passage
# with two scores is two nodes for everything that joins results by hash (fusion of several questions). Entries must
# be named in excluded_llm_metadata_keys and excluded_embed_metadata_keys, and the score belongs into NodeWithScore.
# Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet llama-index-core==0.14.25
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt; exit 1; }
from importlib.metadata import version

from llama_index.core.schema import MetadataMode, TextNode

one, two = (TextNode(text="the passage", metadata={"cosine": value}) for value in (0.8, 0.9))
print("llama-index-core", version("llama-index-core"))
print(repr(one.get_content(MetadataMode.LLM)))
print(repr(one.get_content(MetadataMode.EMBED)))
print("same passage, same hash:", one.hash == two.hash)
quiet = TextNode(text="the passage", metadata={"cosine": 0.8}, excluded_llm_metadata_keys=["cosine"], excluded_embed_metadata_keys=["cosine"])
print(repr(quiet.get_content(MetadataMode.LLM)), "- hash without the score:", quiet.hash == TextNode(text="the passage").hash)
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
llama-index-core 0.14.25
'cosine: 0.8\n\nthe passage'
'cosine: 0.8\n\nthe passage'
same passage, same hash: False
'the passage' - hash without the score: False
SEEN
echo "as found: metadata is part of text and identity"
