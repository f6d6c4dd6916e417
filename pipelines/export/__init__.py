"""Encoder and space together, as a model for other programs."""
