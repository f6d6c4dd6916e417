"""Propagation over the relations of knowledge graphs: sparse arrays in, arrays out."""

__all__: list[str] = []
