"""Which model a name or folder means, a bare CLIP or one of ours, and the reader made from it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema
from nextreid.embedding.embedder import NextReID, check_model_folder
from nextreid.embedding.reader import BATCH, ImageTextReader
from nextreid.errors import InputError
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import CONFIG

KIND_SIZE = {"person": (192, 96), "vehicle": (96, 192)}
"""Input (H,W) of a bare CLIP by kind of object: what `builtin:clip-small` was made with; 72 patches of 16."""


@dataclass(frozen=True, eq=False)
class LoadedReader:
    """A reader, and what results say of it.

    Attributes:
        reader: puts images and sentences into one space.
        source: as given.
        form: "clip", or "nextreid" for a trained model folder.
        origin: where the backbone's weights came from: "clip", "builtin", "scratch" (random).
        kind: what a trained model was made for; None for a bare CLIP.
        saw: the modalities whose images made the weights, none for random ones; None where not known.
        sha256: of the weights in memory, by name, as float32.
    """

    reader: ImageTextReader
    source: str
    form: Literal["clip", "nextreid"]
    origin: str
    kind: str | None
    saw: tuple[str, ...] | None
    sha256: str


def load_reader(
    source: str | Path,
    *,
    schema: Schema,
    size: tuple[int, int] | None = None,
    device: str = "auto",
    seed: int = 0,
    batch_size: int = BATCH,
) -> LoadedReader:
    """Load a model for reading images and sentences.

    Args:
        source: whatever `load_clip` takes, or a model folder such as RUN/model.
        schema: of the data; a builtin with random weights makes its tokenizer from its sentences.
        size: input (H,W) of a bare CLIP; None: `KIND_SIZE` by the schema's kind, else the square that
            the CLIP was made for.
        device: auto, cpu, cuda, mps.
        seed: of a builtin's random weights.
        batch_size: images at a time.

    Raises:
        InputError: no such model, a size given for a trained model, or one that does not fit the patches.
    """
    if size is not None and not (isinstance(size, tuple) and len(size) == 2):
        raise InputError(f"size={size!r}", allowed="height and width in pixels, e.g. (192, 96)")
    if is_model_folder(source):
        if size is not None:
            raise InputError(
                f"An input size is given for {source}", allowed="the size that a trained model has of its own"
            )
        model = NextReID.from_pretrained(source, device=device)
        pretrained = model.pretrained
        before = pretrained.backbone_saw
        return LoadedReader(
            reader=ImageTextReader.from_model(model, batch_size=batch_size),
            source=str(source),
            form="nextreid",
            origin=pretrained.origin,
            kind=str(pretrained.architecture.schema["kind"]),
            saw=None if before is None else tuple(dict.fromkeys((*before, *model.modalities))),
            sha256=_weights(model.model),
        )
    clip = load_clip(source, corpus=schema_sentences(schema), seed=seed)
    side = int(clip.model.config.vision_config.image_size)
    reader = ImageTextReader.from_clip(
        clip, size=size or KIND_SIZE.get(schema.kind, (side, side)), device=device, batch_size=batch_size
    )
    if min(reader.grid) < 2:
        height, width = reader.size
        raise InputError(
            f"An input of {height}x{width} has {reader.grid[0]}x{reader.grid[1]} patches",
            allowed="at least 2x2",
            do="name a larger size",
        )
    return LoadedReader(
        reader=reader,
        source=str(source),
        form="clip",
        origin=clip.origin,
        kind=None,
        saw=clip.saw,
        sha256=_weights(clip.model),
    )


def is_model_folder(source: str | Path) -> bool:
    """Tell a model folder of ours from anything else, by the `format` in its config.json.

    Raises:
        InputError: the folder of a run, instead of the model in it; a config.json that cannot be read.
    """
    folder = Path(source)
    if str(source).startswith("builtin:") or not folder.is_dir():
        return False
    check_model_folder(folder)
    path = folder / CONFIG
    if not path.is_file():
        return False
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}", do="copy the folder again") from error
    return isinstance(config, dict) and str(config.get("format", "")).startswith("nextreid.model/")


def schema_sentences(schema: Schema) -> list[str]:
    """Return every sentence about a single value, and the generic ones, sorted."""
    grammar = Grammar(schema)
    sentences = {group.generic for group in schema.groups}
    for attribute in schema.attributes:
        for value in attribute.values:
            sentences.update(grammar.variants({attribute.name: value}))
    return sorted(sentences)


def _weights(model: torch.nn.Module) -> str:
    """Return the SHA-256 of a model's weights: the same for a builtin, a hub id and a folder."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
