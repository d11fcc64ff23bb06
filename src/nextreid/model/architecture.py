"""The settings that make a model, and the model they make."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import torch

from nextreid.attributes.schema import Schema
from nextreid.errors import InputError
from nextreid.modality import modality_tuple
from nextreid.model.aggregation import Keys, Residual
from nextreid.model.backbone import Clip, Dense
from nextreid.model.baselines import ConcatModel, DecoupledModel
from nextreid.model.encoder import MultiModalEncoder
from nextreid.model.next import NextModel
from nextreid.model.reid_model import ReidModel
from nextreid.model.sentences import SentenceEncoder
from nextreid.seeding import derive_seed


@dataclass(frozen=True)
class Architecture:
    """What a model folder's config.json says of the model (all but the CLIP configuration).

    Attributes:
        modalities: the known names, in slot order.
        schema: the attribute schema as a dict; its identity groups are the semantic experts.
        name: "next", or a baseline: "concat", "moe".
        size: input (H,W); mean, std: normalisation of the three channels.
        cameras: known cameras, used by the camera embedding alone.
        caption_threshold: least confidence 0..1 of a sentence that an expert hears.
        Others: see `NextModel`.
    """

    modalities: tuple[str, ...]
    schema: dict[str, Any]
    name: Literal["next", "concat", "moe"] = "next"
    size: tuple[int, int] = (256, 128)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    cameras: tuple[str, ...] = ()
    camera_embedding: bool = False
    tmse: bool = True
    tmse_text: bool = True
    csse: bool = True
    mmfa: bool = True
    rho: float = 0.5
    structure_experts: int = 6
    mmfa_residual: Residual = "none"
    mmfa_keys: Keys = "pooled"
    text_dense: Dense = "last"
    text_loss: bool = False
    caption_threshold: float = 0.0

    def __post_init__(self) -> None:
        """Check the values that have a range."""
        modality_tuple(self.modalities)
        if self.name not in ("next", "concat", "moe"):
            raise InputError(f"There is no model {self.name!r}", allowed="next, concat, moe")
        if not 0 < self.rho <= 1:
            raise InputError(f"rho is {self.rho}", allowed="above 0, up to 1")
        if not 0 <= self.caption_threshold <= 1:
            raise InputError(f"caption_threshold is {self.caption_threshold}", allowed="0 to 1")
        if self.structure_experts < 1:
            raise InputError(f"structure_experts is {self.structure_experts}", allowed="1 or more")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Architecture":
        """Read what `to_dict` wrote.

        Raises:
            InputError: a missing or unknown key.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        missing = sorted({"modalities", "schema"} - set(values))
        if unknown or missing:
            raise InputError(
                f"The model's config.json has unknown keys {unknown} and lacks {missing}",
                do="use the version of nextreid that wrote it",
            )
        read: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**read)


def build_model(architecture: Architecture, clip: Clip, *, seed: int = 0) -> ReidModel:
    """Build a model on a CLIP backbone; the new parts' weights are drawn from the seed.

    Raises:
        InputError: an input size that does not fit the patches, a schema without identity groups.
    """
    schema = Schema.from_dict(architecture.schema)
    generic = tuple(group.generic for group in schema.identity_groups)
    if not generic:
        raise InputError(f"The schema {schema.kind!r} has no identity group", allowed="one or more")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "model", architecture.name))
        encoder = MultiModalEncoder(
            clip.model,
            modalities=architecture.modalities,
            cameras=architecture.cameras if architecture.camera_embedding else None,
            size=architecture.size,
            dense=architecture.text_dense,
        )
        sentences = SentenceEncoder(clip.model, clip.tokenizer)
        if architecture.name == "concat":
            return ConcatModel(encoder=encoder, sentences=sentences)
        if architecture.name == "moe":
            return DecoupledModel(encoder=encoder, sentences=sentences)
        return NextModel(
            encoder=encoder,
            sentences=sentences,
            generic=generic,
            tmse=architecture.tmse,
            text=architecture.tmse_text,
            csse=architecture.csse,
            mmfa=architecture.mmfa,
            rho=architecture.rho,
            structure_experts=architecture.structure_experts,
            residual=architecture.mmfa_residual,
            keys=architecture.mmfa_keys,
            text_loss=architecture.text_loss,
        )
