#!/usr/bin/env bash
# Milvus Lite 3.2.2 (through pymilvus 3.0.2): an index type that does not exist is accepted and described as finished.
#
# A guess from the server: `create_index` with a misspelt index_type is refused. Seen here: the file-based engine takes any
# name, says "Finished", and answers searches exactly, by brute force. Who measures recall or speed "of HNSW" on a local
# file may measure no index at all. Needs the network once, for pip; run it by hand, it is no part of the tests.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet pymilvus==3.0.2 milvus-lite==3.2.2
venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON'
from importlib.metadata import version

from pymilvus import DataType, MilvusClient

client = MilvusClient("vectors.db")
schema = client.create_schema(auto_id=False)
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("words", schema=schema)
index = client.prepare_index_params()
index.add_index(field_name="vector", index_type="NO_SUCH_INDEX", metric_type="COSINE")
client.create_index("words", index)
client.insert("words", [{"id": i, "vector": [1.0, float(i), 0.0, 0.0]} for i in range(3)])
client.load_collection("words")
described = client.describe_index("words", "vector")
found = client.search("words", data=[[1.0, 2.0, 0.0, 0.0]], anns_field="vector", limit=1)
print("pymilvus", version("pymilvus"), "milvus-lite", version("milvus-lite"))
print("described:", described["index_type"], described["state"])
print("nearest:", found[0][0]["id"])
PYTHON
cat seen.txt
diff - seen.txt <<'SEEN'
pymilvus 3.0.2 milvus-lite 3.2.2
described: NO_SUCH_INDEX Finished
nearest: 2
SEEN
echo "as found: unknown index types are taken"
