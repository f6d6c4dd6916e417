"""Sentence vectors: retrieval, mining, classification, documents."""
