"""Engines: exact search in NumPy, FAISS, and which to choose."""
