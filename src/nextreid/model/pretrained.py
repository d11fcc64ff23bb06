"""A model is a folder: safetensors, config.json, tokenizer, model card. Never pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextreid.attributes.schema import Schema
from nextreid.errors import InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import read_tokenizer
from nextreid.model.folder import (
    CARD,
    CONFIG,
    WEIGHTS,
    read_json,
    read_weights,
    weights_sha256,
    write_weights,
    written_folder,
)
from nextreid.model.reid_model import ReidModel
from nextreid.model.stem import build_clip
from nextreid.version import __version__

FORMAT = "nextreid.model/1"
TOKENIZER = "tokenizer"

__all__ = ["Pretrained", "load_model", "save_model", "weights_sha256"]


@dataclass(frozen=True)
class Pretrained:
    """A model with what is needed to use it.

    Attributes:
        model: in evaluation mode.
        architecture: its settings.
        origin: where its backbone came from: "clip", "builtin", "scratch".
        notes: what training wrote about it (data, seed, selection rule, epochs ...).
    """

    model: ReidModel
    architecture: Architecture
    origin: str
    notes: Mapping[str, Any]

    @property
    def backbone_saw(self) -> tuple[str, ...] | None:
        """The modalities that its backbone's weights were made from; None where that is not known."""
        saw = self.notes.get("backbone_saw")
        if saw is None:
            return () if self.origin == "scratch" else None
        return tuple(saw)


def save_model(pretrained: Pretrained, folder: str | Path) -> Path:
    """Write a model folder; an existing one is replaced only when the new one is complete."""
    model = pretrained.model
    config = {
        "format": FORMAT,
        "nextreid": __version__,
        "architecture": pretrained.architecture.to_dict(),
        "clip": {
            "projection_dim": model.encoder.dim,
            "vision_config": model.encoder.visual.vision.config.to_dict(),
            "text_config": model.sentences.text.config.to_dict(),
        },
        "attention": model.encoder.visual.vision.config._attn_implementation,
        "origin": pretrained.origin,
        "widths": dict(model.widths),
        "embedding_width": sum(model.widths.values()),
        "notes": dict(pretrained.notes),
    }
    with written_folder(folder) as fresh:
        write_weights(model.state_dict(), fresh)
        model.sentences.tokenizer.save_pretrained(fresh / TOKENIZER)
        (fresh / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (fresh / CARD).write_text(_card(pretrained), encoding="utf-8")
    return Path(folder)


def load_model(folder: str | Path) -> Pretrained:
    """Read a model folder; weights load strictly.

    Raises:
        InputError: not a model folder, a damaged file, or weights that do not fit the configuration.
    """
    from transformers import CLIPConfig

    folder = Path(folder)
    config = _read_config(folder)
    architecture = Architecture.from_dict(config["architecture"])
    tokenizer = read_tokenizer(folder / TOKENIZER)
    settings = CLIPConfig(**config["clip"], attn_implementation=config["attention"])
    clip = Clip(model=build_clip(settings), tokenizer=tokenizer, origin="scratch")
    model = build_model(architecture, clip)
    read_weights(model, folder)
    model.eval()
    return Pretrained(
        model=model, architecture=architecture, origin=config["origin"], notes=config.get("notes", {})
    )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise InputError(
            f"{folder} is not a model folder: it has no {CONFIG}",
            allowed=f"a folder with {CONFIG}, {WEIGHTS} and {TOKENIZER}/, as RUN/model after training",
        )
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise InputError(f"{path} has format {config.get('format')!r}", allowed=FORMAT)
    missing = [key for key in ("architecture", "clip", "attention", "origin") if key not in config]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}", do="copy the folder again")
    return config


def _card(pretrained: Pretrained) -> str:
    a = pretrained.architecture
    schema = Schema.from_dict(a.schema)
    rows = "\n".join(f"| {key} | {value} |" for key, value in sorted(pretrained.notes.items()))
    parts = [name for name in ("tmse", "tmse_text", "csse", "mmfa") if getattr(a, name)]
    widths = ", ".join(f"{name} {width}" for name, width in pretrained.model.widths.items())
    description = f"{a.name}" + (f" with {', '.join(parts)}" if a.name == "next" and parts else "")
    return f"""---
library_name: nextreid
tags: [re-identification, multi-modal]
---
# A nextreid model

{description}, for {schema.kind} observations in {", ".join(a.modalities)}, input {a.size[0]}x{a.size[1]}
(mean {a.mean}, std {a.std}), backbone from: {pretrained.origin}.
Embedding: {sum(pretrained.model.widths.values())} wide ({widths}).

| about its training | |
|---|---|
{rows}

Licence of the code: MIT. The weights inherit the terms of the backbone and of the training data.
Re-identification of people can harm them: use it only where the law and those filmed allow it.

```python
from nextreid import NextReID, Observation

model = NextReID.from_pretrained("this/folder")
vectors = model.embed([Observation(rgb="a.jpg", tir="b.jpg")]).vectors
```
"""
