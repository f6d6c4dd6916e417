"""Whose texts does an index show? Measured and drawn."""
