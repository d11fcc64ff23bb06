"""The configuration of a training run: one typed tree, where every number says where it comes from.

The defaults are the recipe for a CLIP ViT-B/16 on persons (RGBNT201). `nextreid.configfile` reads
YAML files and `--section.option value` into it; `nextreid.build` turns it into objects.
"""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import Field

from nextreid.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


def option(default: Any, text: str, origin: str) -> Any:
    """One option: its default, what it does, and where the default comes from."""
    return field(default=default, metadata={"help": text, "origin": origin})


@dataclass(frozen=True)
class DataConfig:
    """Which data, and how an image becomes a tensor."""

    path: str = option("", "manifest, folder with one, or benchmark folder; same as --data", "given")
    layout: str | None = option(None, "benchmark layout, where it is not recognised", "given")
    modalities: tuple[str, ...] = option((), "modalities to train on; empty: all of the data", "ours")
    size: tuple[Count, Count] = option((256, 128), "height x width", "DeMo, IDEA: persons 256x128")
    captions: str = option(
        "auto", "auto (files beside the data) | none | a set in the data's captions/ | a folder", "ours"
    )
    mean: tuple[float, float, float] = option(
        (0.5, 0.5, 0.5), "subtracted, per channel", "DeMo, also for CLIP"
    )
    std: tuple[Positive, Positive, Positive] = option((0.5, 0.5, 0.5), "divided by", "DeMo, also for CLIP")


@dataclass(frozen=True)
class ModelConfig:
    """The model and the switches of its parts (DESIGN: docs/paper_map.md)."""

    name: Literal["next", "concat", "moe"] = option("next", "NEXT, or one of two baselines", "paper")
    backbone: str = option(
        "openai/clip-vit-base-patch16", "hub id | folder | builtin:clip-small | builtin:small", "paper"
    )
    schema: str = option("auto", "auto (by the kind of the data) | person | vehicle | a YAML file", "ours")
    tmse: bool = option(True, "text-modulated semantic-sampling experts", "paper")
    tmse_text: bool = option(True, "let the text modulate their routing", "paper")
    caption_sampling: bool = option(True, "draw each expert's sentence at random in training", "paper")
    caption_threshold: Share = option(0.0, "least confidence of a sentence that an expert hears", "ours")
    csse: bool = option(True, "context-shared structure-aware experts", "paper")
    mmfa: bool = option(True, "aggregate experts by cross-attention", "paper")
    rho: Annotated[float, Field(gt=0, le=1)] = option(0.5, "share of patches a semantic expert keeps", "ours")
    structure_experts: Count = option(6, "J, the number of structure experts", "ours")
    mmfa_residual: Literal["none", "query"] = option("none", "what is added to the aggregated token", "paper")
    mmfa_keys: Literal["pooled", "tokens"] = option("pooled", "what the queries attend to", "paper")
    text_dense: Literal["last", "value"] = option("last", "patches that text is compared with", "ours")
    camera_embedding: bool = option(False, "add a learned camera embedding to the class token", "ours")


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms of the loss; 0 leaves a term out."""

    identity: NotNegative = option(0.25, "cross-entropy over identities, per branch", "DeMo, IDEA")
    triplet: NotNegative = option(1.0, "soft-margin batch-hard triplet, per branch", "DeMo, IDEA")
    smoothing: Annotated[float, Field(ge=0, lt=1)] = option(0.1, "label smoothing", "DeMo, IDEA")
    mutual_information: NotNegative = option(0.0, "token and structure expert tell of each other", "ours")
    agreement: NotNegative = option(0.0, "structure experts agree across modalities", "ours")
    text: NotNegative = option(0.0, "image-sentence term that keeps text search alive", "paper: off")


@dataclass(frozen=True)
class OptimConfig:
    """Optimizer and schedule. None: by the backbone's origin (`resolve_origin`)."""

    origin: Literal["auto", "clip", "builtin", "scratch"] = option(
        "auto", "what the backbone starts from", "ours"
    )
    optimizer: Literal["adam", "adamw"] | None = option(None, "clip: adam; scratch: adamw", "DeMo; ours")
    backbone_rate: Positive | None = option(None, "clip 5e-6, builtin 1e-4, scratch 5e-4", "DeMo; ours")
    rate: Positive = option(3.5e-4, "rate of the new parts", "DeMo, IDEA")
    weight_decay: NotNegative | None = option(None, "clip 1e-4, scratch 0.05", "DeMo; ours")
    clip_norm: NotNegative | None = option(None, "gradient norm kept below; 0: free; scratch 1", "DeMo; ours")
    warmup_epochs: NotNegative | None = option(None, "clip: 10 of 50; scratch: 5 % of all", "DeMo; ours")
    schedule: Literal["ours", "demo"] = option("ours", "cosine of each group's own rate, or DeMo's", "ours")


@dataclass(frozen=True)
class TrainConfig:
    """Length, batch and machinery."""

    epochs: Count = option(50, "passes over the identities", "DeMo, RGBNT201")
    p: Count = option(8, "identities a batch", "DeMo, RGBNT201: 64 = 8 x 8")
    k: Count = option(8, "observations an identity", "DeMo, RGBNT201")
    accumulate: Count = option(1, "batches whose gradients are added before a step", "ours")
    precision: Literal["auto", "fp32", "bf16"] = option("auto", "auto: bf16 where the device has it", "ours")
    checkpoint_every: Count = option(200, "steps between checkpoints", "ours: seconds to minutes of work")
    devices: Count = option(1, "processes on this machine", "ours")
    nodes: Count = option(1, "machines", "ours")


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to the training images."""

    flip: Share = option(0.5, "chance of a mirror image", "DeMo, IDEA")
    pad: Annotated[int, Field(ge=0)] = option(10, "pixels padded before a random crop", "DeMo, IDEA")
    erase: Share = option(0.5, "chance of erasing a rectangle, drawn per modality", "DeMo, IDEA")
    geometry: Literal["shared", "independent"] = option(
        "shared", "flip and crop alike in all modalities", "ours"
    )


@dataclass(frozen=True)
class DropoutConfig:
    """What is hidden from the model in training, so that it can do without."""

    modality: Share = option(0.3, "chance that an observation loses modalities", "ours")
    name: Share = option(0.2, "chance that a modality's name is unknown", "ours")
    camera: Share = option(0.2, "chance that the camera is unknown", "ours")
    caption: Share = option(0.2, "chance, per expert, of the generic prompt", "ours")


@dataclass(frozen=True)
class ValConfig:
    """How the best checkpoint is chosen; never on the test split."""

    rule: Literal["identities", "none"] = option(
        "identities", "carve identities, or take the last epoch", "ours"
    )
    fraction: Annotated[float, Field(gt=0, lt=1)] = option(0.1, "share of the training identities", "ours")
    every: Count = option(1, "epochs between validations", "ours")


@dataclass(frozen=True)
class Config:
    """Everything that a training run depends on, but the data's content."""

    seed: int = option(0, "of every random draw", "ours")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    dropout: DropoutConfig = field(default_factory=DropoutConfig)
    val: ValConfig = field(default_factory=ValConfig)


_WITHOUT_EFFECT: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("model.name", "next", ("model.tmse", "model.csse", "model.mmfa", "model.rho")),
    ("model.name", "next", ("model.tmse_text", "model.structure_experts", "model.mmfa_residual")),
    ("model.name", "next", ("model.mmfa_keys", "model.text_dense", "model.caption_sampling")),
    ("model.name", "next", ("model.caption_threshold",)),
    ("model.name", "next", ("loss.mutual_information", "loss.agreement", "loss.text", "dropout.caption")),
    ("model.tmse", "True", ("model.rho", "model.tmse_text", "model.text_dense")),
    ("model.csse", "True", ("model.structure_experts", "loss.mutual_information", "loss.agreement")),
    ("model.mmfa", "True", ("model.mmfa_residual", "model.mmfa_keys")),
    ("model.tmse_text", "True", ("model.text_dense",)),
    ("model.camera_embedding", "True", ("dropout.camera",)),
    ("val.rule", "identities", ("val.fraction", "val.every")),
)
"""(key, the value it needs, keys that do nothing otherwise)."""


def check(config: Config) -> Config:
    """Return the configuration if every option in it has an effect.

    Raises:
        InputError: an option that differs from its default but does nothing here, or the agreement
            term without the mutual information (satisfied by uniform routing, DESIGN 2).
    """
    defaults = Config()
    for key, needed, idle in _WITHOUT_EFFECT:
        if str(attrgetter(key)(config)) == needed:
            continue
        for other in idle:
            given = attrgetter(other)(config)
            if given != attrgetter(other)(defaults):
                raise InputError(
                    f"{other} = {given} has no effect with {key} = {attrgetter(key)(config)}",
                    do=f"set {other} to {attrgetter(other)(defaults)} (a recipe may have set it), or {key} "
                    f"to {needed.lower()}",
                )
    if config.loss.agreement > 0 and config.loss.mutual_information == 0:
        raise InputError(
            "loss.agreement without loss.mutual_information is satisfied by sending all tokens everywhere",
            do="give loss.mutual_information a weight too",
        )
    if config.loss.identity == 0 and config.loss.triplet == 0:
        raise InputError("loss.identity and loss.triplet are both 0", allowed="at least one above 0")
    return config
