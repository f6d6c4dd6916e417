"""Encode, align, index and search: the verbs people use."""
