"""Vectors with string ids and metadata, on disk, whole or not at all."""
