"""Vectors that other programs keep: read without changing them, and written in the form that the program reads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
