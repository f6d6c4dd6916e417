"""Encoding, mapping and indexing over shards, in one process or on a Ray cluster."""

__all__: list[str] = []
