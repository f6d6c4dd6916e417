"""The field's own benchmarks: files, protocols, scorers and submissions of XTREME and XGLUE."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
