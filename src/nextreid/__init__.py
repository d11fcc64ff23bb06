"""NEXT for multi-modal object re-identification: captions, model, training, evaluation, search.

Names are loaded when first used, so that importing the package costs nothing:

    from nextreid import NextReID, Observation
"""

import importlib
from typing import Any

from nextreid.version import __version__

_EXPORTS = {
    "Observation": "nextreid.observation",
    "Sentence": "nextreid.observation",
    "InputError": "nextreid.errors",
    "NextReidError": "nextreid.errors",
    "NextReID": "nextreid.embedding.embedder",
    "ImageTextReader": "nextreid.embedding.reader",
    "load_clip": "nextreid.model.backbone",
    "Embeddings": "nextreid.embedding.embeddings",
    "load_embeddings": "nextreid.embedding.embeddings",
    "Manifest": "nextreid.data.manifest",
    "load_manifest": "nextreid.data.manifest",
    "write_manifest": "nextreid.data.manifest",
    "Schema": "nextreid.attributes.schema",
    "load_schema": "nextreid.attributes.schema",
    "Grammar": "nextreid.attributes.grammar",
    "evaluate_embeddings": "nextreid.evaluation.evaluate",
    "NextModel": "nextreid.model.next",
}
"""The curated names, and the file each is in."""

__all__ = ["__version__", *sorted(_EXPORTS)]


def __getattr__(name: str) -> Any:
    """Load a curated name from its file."""
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"nextreid has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    """List the curated names."""
    return list(__all__)
