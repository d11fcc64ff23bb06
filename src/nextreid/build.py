"""From a configuration to objects: the one module, beside the command line, that sees it whole."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema, load_schema
from nextreid.captions.sentences import Captions, captions_of, count_described
from nextreid.config import Config
from nextreid.data.augment import Augmentation
from nextreid.data.batch import Prompts
from nextreid.data.cache import ResizedImages
from nextreid.data.dropout import InputDropout
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import PromptRule, TrainingOptions, TrainingSet, no_prompts
from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.embedder import NextReID
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_rows
from nextreid.losses.total import LossWeights
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.heads import IdentityHeads
from nextreid.model.pretrained import Pretrained, save_model
from nextreid.model.sentences import select_prompts
from nextreid.observation import Observation, Sentence
from nextreid.training.carving import carve_validation
from nextreid.training.optim import OptimSettings, settings_for


@dataclass(frozen=True)
class PromptChoice:
    """What the experts hear in training; a callable that loader workers can be sent.

    Attributes:
        groups: the experts' groups.
        sampling: draw one sentence a group; False: hear all of them, as in evaluation.
        dropout: chance, per group, of the generic prompt.
        threshold: least confidence of a sentence that is heard.
    """

    groups: tuple[str, ...]
    sampling: bool
    dropout: float
    threshold: float = 0.0

    def __call__(
        self, sentences: Sequence[Sentence], present: frozenset[str], rng: np.random.Generator | None
    ) -> Prompts:
        """Choose for one observation; `rng` is None in evaluation."""
        heard = select_prompts(
            sentences,
            groups=self.groups,
            present=present,
            threshold=self.threshold,
            rng=rng if self.sampling else None,
            dropout=self.dropout,
        )
        if rng is None or self.sampling:
            return heard
        return tuple(() if rng.random() < self.dropout else part for part in heard)


@dataclass(frozen=True)
class TrainingJob:
    """Everything that `fit` is called with, and what the command line says about it.

    Attributes:
        pretrained: the model before training, with its settings.
        heads: classifiers over the training identities.
        data: training observations.
        validation: rows that choose the checkpoint; empty for the last epoch.
        validate: scores the model on them, or None.
        optim, weights: settings of the optimizer and the loss.
        captions: of the whole data set.
        described: training observations that found a caption.
    """

    pretrained: Pretrained
    heads: IdentityHeads
    data: TrainingSet
    validation: tuple[Row, ...]
    validate: Callable[[Any], Mapping[str, float]] | None
    optim: OptimSettings
    weights: LossWeights
    captions: Captions
    described: int

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        save_model(self.pretrained, folder)


def schema_of(choice: str, rows: Sequence[Row]) -> Schema:
    """Return a schema by name or file; `auto`: of the most frequent kind in the rows, else person."""
    if choice != "auto":
        return load_schema(choice)
    kinds = Counter(row.kind for row in rows if row.kind)
    return load_schema(min(kinds, key=lambda kind: (-kinds[kind], kind)) if kinds else "person")


def training_job(config: Config, manifest: Manifest, *, device: str) -> TrainingJob:
    """Build everything that training needs.

    Args:
        config: checked (`nextreid.config.check`).
        manifest: the whole data set; only its training split is used.
        device: what validation embeds on.

    Raises:
        InputError: no training rows, modalities the data lacks, too few identities, a bad backbone.
    """
    rows, modalities = _rows(manifest, config.data.modalities)
    schema = schema_of(config.model.schema, rows)
    captions = captions_of(manifest, config.data.captions, schema, truth=True)
    carved = (
        carve_validation(rows, fraction=config.val.fraction, seed=config.seed)
        if config.val.rule == "identities"
        else None
    )
    training = carved.train if carved else rows
    described = count_described(captions, config.data.captions, training)
    pretrained = untrained_model(config, manifest, schema=schema, captions=captions, modalities=modalities)
    data = _training_set(config, training, pretrained, captions)
    validation = carved.validation if carved else ()
    return TrainingJob(
        pretrained=pretrained,
        heads=IdentityHeads(widths=pretrained.model.widths, identities=len(data.label_map), seed=config.seed),
        data=data,
        validation=validation,
        validate=_validation(pretrained, validation, captions, device) if validation else None,
        optim=_optim(config, pretrained.origin),
        weights=LossWeights(
            identity=config.loss.identity,
            triplet=config.loss.triplet,
            smoothing=config.loss.smoothing,
            auxiliary={
                "mutual_information": config.loss.mutual_information,
                "agreement": config.loss.agreement,
                "text": config.loss.text,
            },
        ),
        captions=captions,
        described=described,
    )


def untrained_model(
    config: Config,
    manifest: Manifest,
    *,
    schema: Schema | None = None,
    captions: Captions | None = None,
    modalities: Sequence[str] = (),
) -> Pretrained:
    """Build the model as training starts from it; the same configuration and data give the same weights."""
    if schema is None or captions is None or not modalities:
        rows, modalities = _rows(manifest, config.data.modalities)
        schema = schema_of(config.model.schema, rows)
        captions = captions_of(manifest, config.data.captions, schema, truth=True)
    train = manifest.split("train")
    clip = load_clip(config.model.backbone, corpus=_corpus(schema, captions, train), seed=config.seed)
    architecture = Architecture(
        modalities=tuple(modalities),
        schema=schema.to_dict(),
        name=config.model.name,
        size=config.data.size,
        mean=config.data.mean,
        std=config.data.std,
        cameras=train.cameras if config.model.camera_embedding else (),
        camera_embedding=config.model.camera_embedding,
        tmse=config.model.tmse,
        tmse_text=config.model.tmse_text,
        csse=config.model.csse,
        mmfa=config.model.mmfa,
        rho=config.model.rho,
        structure_experts=config.model.structure_experts,
        mmfa_residual=config.model.mmfa_residual,
        mmfa_keys=config.model.mmfa_keys,
        text_dense=config.model.text_dense,
        caption_threshold=config.model.caption_threshold,
        text_loss=config.loss.text > 0,
    )
    notes = {
        "data": manifest.name,
        "data_sha256": manifest.sha256,
        "captions": captions.source,
        "backbone": config.model.backbone,
        "backbone_saw": None if clip.saw is None else list(clip.saw),
        "seed": config.seed,
        "epochs": config.train.epochs,
        "selection": "last epoch" if config.val.rule == "none" else "best mAP on validation identities",
    }
    return Pretrained(
        model=build_model(architecture, clip, seed=config.seed),
        architecture=architecture,
        origin=clip.origin,
        notes=notes,
    )


def _rows(manifest: Manifest, wanted: tuple[str, ...]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the training rows, with the wanted modalities only, and these modalities."""
    train = manifest.split("train").rows
    if not train:
        raise InputError(
            f"{manifest.source} has no training row",
            do="fill the column `split` with train and test; where it is missing, every row is test",
        )
    present = {name for row in train for name in row.paths}
    modalities = wanted or tuple(name for name in manifest.modalities if name in present)
    missing = [name for name in modalities if name not in present]
    if missing:
        raise InputError(
            f"data.modalities names {', '.join(missing)}, of which no training row has an image",
            allowed=", ".join(sorted(present)),
        )
    kept = tuple(_restricted(row, modalities) for row in train if set(row.paths) & set(modalities))
    return kept, tuple(modalities)


def _restricted(row: Row, modalities: Sequence[str]) -> Row:
    paths = {name: path for name, path in row.paths.items() if name in modalities}
    return replace(row, paths=paths, boxes={name: box for name, box in row.boxes.items() if name in paths})


def _corpus(schema: Schema, captions: Captions, train: Manifest) -> list[str]:
    """Return the sentences that a tokenizer of our own is made from: the schema's, and the captions'."""
    grammar = Grammar(schema)
    sentences = {group.generic for group in schema.groups}
    for attribute in schema.attributes:
        for value in attribute.values:
            sentences.update(part.text for part in grammar.realise({attribute.name: value}))
    for row in train.rows:
        sentences.update(sentence.text for sentence in captions.sentences(row.observation))
    return sorted(sentences)


def _training_set(
    config: Config, rows: Sequence[Row], pretrained: Pretrained, captions: Captions
) -> TrainingSet:
    architecture = pretrained.architecture
    groups = tuple(group.name for group in Schema.from_dict(architecture.schema).identity_groups)
    heard: PromptRule = no_prompts
    if architecture.name == "next":
        heard = PromptChoice(
            groups, config.model.caption_sampling, config.dropout.caption, architecture.caption_threshold
        )
    images = ResizedImages(
        [row.to_observation(captions.sentences(row.observation)) for row in rows],
        transform=ImageTransform(size=architecture.size, mean=architecture.mean, std=architecture.std),
        places=[row.place for row in rows],
    )
    options = TrainingOptions(
        seed=config.seed,
        augmentation=Augmentation(**asdict(config.augment)),
        dropout=InputDropout(
            modality=config.dropout.modality, name=config.dropout.name, camera=config.dropout.camera
        ),
    )
    return TrainingSet(images, modalities=architecture.modalities, prompts=heard, options=options)


def _optim(config: Config, origin: str) -> OptimSettings:
    return settings_for(
        origin if config.optim.origin == "auto" else config.optim.origin,
        optimizer=config.optim.optimizer,
        backbone_rate=config.optim.backbone_rate,
        rate=config.optim.rate,
        weight_decay=config.optim.weight_decay,
        clip_norm=config.optim.clip_norm,
        warmup_epochs=config.optim.warmup_epochs,
        schedule=config.optim.schedule,
    )


def _validation(
    pretrained: Pretrained, rows: Sequence[Row], captions: Captions, device: str
) -> Callable[[Any], Mapping[str, float]]:
    """Return what scores the model on validation rows: each is a query and in the gallery.

    Sentences from a synthetic world's truth are left out, as in `nextreid evaluate`.
    """
    observations: list[Observation] = [
        row.to_observation(() if captions.from_truth else captions.sentences(row.observation)) for row in rows
    ]
    places = [row.place for row in rows]

    def validate(model: Any) -> Mapping[str, float]:
        reader = NextReID(replace(pretrained, model=model), device=device)
        vectors = reader.embed(observations, places=places).vectors
        scored = evaluate_rows(vectors, vectors, rows, rows, protocol="cross-camera", bootstrap=0)
        return scored.metrics

    return validate
