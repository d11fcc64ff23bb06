"""NEXT for multi-modal object re-identification: captions, model, training, evaluation, search."""

from nextreid.version import __version__

__all__ = ["__version__"]
