"""Aligners of word vectors."""
