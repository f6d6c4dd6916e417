"""Questions in any language to an index of another model, without encoding its texts again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
