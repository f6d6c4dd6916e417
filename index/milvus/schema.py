"""The fields of a Milvus collection that `MilvusCollection` keeps its rows in.

========================  =====================  ===============================================================
field                     type                   holds
========================  =====================  ===============================================================
``id``                    VARCHAR, primary key   the row's id
``key_COLUMN``            VARCHAR, partition     the value of the metadata column COLUMN, see `partition_code`
``added``                 INT64                  rising with the time of adding
``fields``, ``rest``      JSON                   the metadata, see `encode_row`
``vector_METRIC``         FLOAT_VECTOR           the vector; the metric is in the name, as Lite keeps no description
========================  =====================  ===============================================================
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from interlingua.index.engines.base import Metric

from .client import MilvusConfig, ask


@dataclass(frozen=True)
class RowSchema:
    """What a collection's fields say."""

    dimension: int
    metric: Metric
    partition: str | None


def create_rows(client: Any, config: MilvusConfig, dimension: int, metric: Metric, partition: str | None) -> None:
    """Make the collection, empty, indexed and ready to be searched."""
    if partition is not None and not (isinstance(partition, str) and f"key_{partition}".isidentifier()):
        raise ValueError(f"the partition column must be named by letters, digits and underscores, not {partition!r}")
    if partition is not None and not partition.isascii():
        raise ValueError(f"the partition column must be named in ASCII, not {partition!r}; Milvus knows no others")
    types = import_module("pymilvus").DataType
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", types.VARCHAR, max_length=65_535, is_primary=True)
    if partition is not None:
        divided = divides(client, config)
        schema.add_field(f"key_{partition}", types.VARCHAR, max_length=1024, is_partition_key=divided)
    schema.add_field("added", types.INT64)
    schema.add_field("fields", types.JSON)
    schema.add_field("rest", types.JSON)
    schema.add_field(f"vector_{metric}", types.FLOAT_VECTOR, dim=dimension)
    create_indexed(client, config, schema, metric)


def create_indexed(client: Any, config: MilvusConfig, schema: Any, metric: Metric) -> None:
    """Make a collection of this schema, its vectors indexed as `config` says."""
    build: dict[str, Any] = dict(config.build or {})
    index = client.prepare_index_params()
    index.add_index(
        f"vector_{metric}",
        index_name=f"vector_{metric}",
        index_type=config.index_type,
        metric_type="L2" if metric is Metric.L2 else "IP",
        # subtle: pymilvus sends what is in params one by one; Lite reads them under "params" only, else its defaults
        params={"params": build} if config.local else build,
    )

    def create(*, timeout: float) -> None:
        # subtle: Milvus Lite refuses to make anew what an attempt has made whose answer was lost
        if not client.has_collection(config.collection, timeout=timeout):
            client.create_collection(config.collection, schema=schema, consistency_level="Strong", timeout=timeout)
        if not client.list_indexes(config.collection, timeout=timeout):
            # there is no row to be indexed yet, and pymilvus would sleep for half a second before it asks
            client.create_index(config.collection, index, timeout=timeout, sync=False)
        client.load_collection(config.collection, timeout=timeout)

    ask(config, create)


def divides(client: Any, config: MilvusConfig) -> bool:
    """Return whether rows are divided by a partition key: by servers since 2.4.

    Those before put an upserted row where its id belongs, and a filter on the partition key does not find it there
    (measured on 2.3.5; milvus-io/milvus#30772). Milvus Lite 3.2 divides the rows and then reads all parts in each
    search, which takes twice as long as if they were one.
    """
    if config.local:
        return False
    found = re.match(r"v?(\d+)\.(\d+)", str(ask(config, client.get_server_version)))
    return found is None or (int(found[1]), int(found[2])) >= (2, 4)


def read_schema(described: Mapping[str, Any], config: MilvusConfig) -> RowSchema:
    """Return what the fields of a collection say.

    Raises
    ------
    ValueError
        If it is not one that `create_rows` made.
    """
    fields = {field["name"]: field.get("params") or {} for field in described["fields"]}
    vectors = [name for name in fields if name.startswith("vector_")]
    if len(vectors) != 1 or not {"id", "added", "fields", "rest"} <= set(fields):
        raise ValueError(
            f"{config.collection!r} at {config.uri} has the fields {', '.join(fields)}, which are not those of a "
            "MilvusCollection; choose another name"
        )
    keys = [name.removeprefix("key_") for name in fields if name.startswith("key_")]
    metric = Metric.parse(vectors[0].removeprefix("vector_"))
    return RowSchema(int(fields[vectors[0]]["dim"]), metric, keys[0] if keys else None)
