"""`nextreid pretrain`: make a small CLIP from synthetic worlds."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nextreid.cli.recipes import configured, options_help
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, cores, whole_number
from nextreid.cli.writing import check_out_folder
from nextreid.config import Count, NotNegative, Positive, Share, option
from nextreid.configfile import to_yaml
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.pretraining.fit import Recipe


@dataclass(frozen=True)
class WorldsConfig:
    """The worlds of persons, and as many of vehicles."""

    count: Count = option(40, "worlds of each kind, each with its own cameras", "ours")
    identities: Count = option(800, "of each world", "ours: seen once each, so that none is learned by heart")
    cameras: Count = option(1, "each sees every identity", "ours")
    per_camera: Count = option(1, "sightings an identity and camera", "ours")


@dataclass(frozen=True)
class TowersConfig:
    """The two towers; patches have 16 pixels."""

    stem: tuple[Count, ...] = option(
        (32, 64, 128, 192), "channels of the four convolutions that make patches; []: linear ones", "ours"
    )
    width: Count = option(192, "of the visual tower", "ViT-Ti")
    layers: Count = option(3, "of the visual tower", "ours: a quarter of ViT-Ti, for two cores")
    heads: Count = option(3, "of the visual tower", "ViT-Ti")
    mlp: Count = option(384, "width of its hidden layers", "ours: twice the width")
    text_width: Count = option(128, "of the text tower", "ours")
    text_layers: Count = option(2, "of the text tower", "ours: its sentences come from a grammar")
    projection: Count = option(128, "D, the joint space", "ours")


@dataclass(frozen=True)
class PairConfig:
    """Pictures and texts of a step, and the loss."""

    pictures: Count = option(128, "of one kind in a step", "ours")
    texts: Count = option(24, "drawn in a step beside those of single values", "ours")
    strangers: Count = option(2, "beside them, about the other kind of object", "ours")
    dense: NotNegative = option(4.0, "weight of the dense term", "ours")
    choice: NotNegative = option(2.0, "weight of the choice among the values of an attribute", "ours")


@dataclass(frozen=True)
class RatesConfig:
    """Optimizers: Muon for the towers' matrices, AdamW for the rest."""

    rate: Positive = option(2e-3, "AdamW", "ours")
    matrix_rate: Positive = option(2.5e-3, "Muon", "ours")
    decay: NotNegative = option(0.05, "weight decay of matrices", "usual for ViT")
    clip_norm: Positive = option(1.0, "largest norm of the gradient", "usual for ViT")


@dataclass(frozen=True)
class StepsConfig:
    """How long, and on what."""

    steps: Count = option(12_000, "of the whole schedule", "ours")
    reading: Count = option(300, "steps in which the text tower is taught first, from the truth", "ours")
    coarse: Share = option(0.65, "of the steps, most at first, with pictures of half the size", "RECLIP")
    checkpoint_every: Count = option(500, "steps", "ours")
    precision: Literal["auto", "fp32", "bf16"] = option("auto", "number format", "ours")
    devices: Count = option(1, "on this machine", "ours")
    nodes: Count = option(1, "machines", "ours")


@dataclass(frozen=True)
class PretrainConfig:
    """Everything a pretraining does, in numbers."""

    world: WorldsConfig = field(default_factory=WorldsConfig)
    model: TowersConfig = field(default_factory=TowersConfig)
    loss: PairConfig = field(default_factory=PairConfig)
    optim: RatesConfig = field(default_factory=RatesConfig)
    train: StepsConfig = field(default_factory=StepsConfig)


class _Once(argparse.Action):
    """An option that may be given once: the last of several would win silently."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Take the value, or refuse a second one."""
        if getattr(namespace, self.dest) is not None:
            raise InputError(f"{option_string} is given twice", allowed="once")
        setattr(namespace, self.dest, values)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--worlds",
        metavar="DIR",
        type=Path,
        help="where rendered pictures lie, to share them (default: OUT/worlds)",
    )
    parser.add_argument(
        "--leave-out",
        choices=("rgb", "nir", "tir"),
        action=_Once,
        help="the one modality that is never seen, for tests of unseen ones",
    )
    parser.add_argument("--class-token-only", action="store_true", help="without the dense term: the control")
    parser.add_argument(
        "--until", metavar="STEP", type=whole_number(1), help="stop there, to repeat the beginning of a run"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped or killed")


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.embedding.embedder import choose_device
    from nextreid.modality import NIR, RGB, TIR
    from nextreid.pretraining.drawing import Drawer
    from nextreid.pretraining.epoch import check_pictures
    from nextreid.pretraining.fit import Recipe, check_run, is_main, pretrain
    from nextreid.pretraining.towers import PATCH, Towers, untrained_clip
    from nextreid.pretraining.worlds import pretraining_worlds, render_worlds
    from nextreid.training.precision import resolve_precision

    config = configured(
        PretrainConfig,
        recipes=[],
        tokens=args.settings,
        options=("out", "worlds", "leave-out", "class-token-only", "until", "resume"),
    )
    if args.class_token_only and any(word.startswith("--loss.dense") for word in args.settings):
        raise InputError("--class-token-only with --loss.dense", allowed="one of them")
    if args.until and args.until > config.train.steps:
        raise InputError(f"--until {args.until}", allowed=f"1 to {config.train.steps}, train.steps")
    if config.loss.pictures % (processes := config.train.devices * config.train.nodes):
        raise InputError(
            f"--loss.pictures {config.loss.pictures} on {processes} processes "
            "(--train.devices x --train.nodes)",
            allowed=f"a multiple of {processes}",
        )
    check_out_folder(args.out)
    if args.worlds:
        check_out_folder(args.worlds, option="--worlds")
    device = choose_device(args.device).type
    seed = args.seed or 0
    seen = tuple(name for name in (RGB, NIR, TIR) if name != args.leave_out)
    recipe = Recipe(
        steps=config.train.steps,
        coarse=config.train.coarse,
        reading=config.train.reading,
        pictures=config.loss.pictures,
        dense=0.0 if args.class_token_only else config.loss.dense,
        choice=config.loss.choice,
        rate=config.optim.rate,
        matrix_rate=config.optim.matrix_rate,
        decay=config.optim.decay,
        clip_norm=config.optim.clip_norm,
        precision=resolve_precision(config.train.precision, device),
        seed=seed,
    )
    settings = _flat(asdict(config)) | {
        "precision": recipe.precision,  # of train.precision "auto"
        "class_token_only": args.class_token_only,
        "leave_out": args.leave_out,
        "seed": seed,
    }
    del settings["train.checkpoint_every"]  # changes no result
    check_run(args.out, resume=args.resume, settings=settings)
    towers = Towers(**asdict(config.model))
    worlds = pretraining_worlds(seed=seed, **asdict(config.world))
    a_kind = config.world.count * config.world.identities * config.world.cameras * config.world.per_camera
    check_pictures(config.loss.pictures, a_kind, seen)
    packs = render_worlds(
        worlds,
        args.worlds or args.out / "worlds",
        workers=cores() if args.workers is None else args.workers,
        progress=terminal.progress,
        main=is_main(),
    )
    drawers = {
        kind: Drawer(
            found,
            modalities=seen,
            patch=PATCH,
            pictures=config.loss.pictures,
            texts=config.loss.texts,
            strangers=config.loss.strangers,
            seed=seed,
        )
        for kind, found in packs.items()
    }
    corpus = [text for drawer in drawers.values() for text in drawer.vocabulary.corpus()]
    clip = untrained_clip(towers, corpus=corpus, seed=seed)
    weights = sum(p.numel() for p in clip.model.parameters())
    pictures = len(seen) * sum(len(pack) for found in packs.values() for pack in found)
    terminal.remark(
        f"{weights / 1e6:.2f} M weights, {pictures} pictures ({', '.join(seen)}), {recipe.steps} steps of "
        f"{recipe.pictures} pictures on {device}, {recipe.precision}"
    )
    try:
        result = pretrain(
            clip=clip,
            drawers=drawers,
            recipe=recipe,
            run=args.out,
            notes={
                "command": _command(args),
                "worlds": [_told(world, seen) for world in worlds],
                "left_out": args.leave_out,
                "settings": _told_settings(config, recipe),
            },
            settings=settings,
            until=args.until,
            resume=args.resume,
            checkpoint_every=config.train.checkpoint_every,
            config_text=f"# {_command(args)}\n{to_yaml(config)}",
            workers=(0 if device == "cpu" else 4) if args.workers is None else args.workers,
            accelerator=device,
            devices=config.train.devices,
            nodes=config.train.nodes,
            progress=terminal.progress,
        )
    except KeyboardInterrupt:
        if is_main():
            terminal.warn("To go on: the same command with --resume")
        raise
    _show(result.finished, result.steps, recipe.steps, args.out, result.curve, terminal)
    terminal.result(
        {
            "run": str(args.out),
            "model": str(args.out / "model") if result.finished else None,
            "steps": result.steps,
            "seconds": result.seconds,
            "loss": result.curve,
        }
    )
    return 0


def _told(world: Any, seen: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": world.kind,
        "seed": world.seed,
        "identities": world.identities,
        "cameras": world.cameras,
        "per_camera": world.per_camera,
        "observations": world.identities * world.cameras * world.per_camera,
        "size": list(world.size),
        "modalities": list(seen),
    }


def _told_settings(config: PretrainConfig, recipe: "Recipe") -> dict[str, Any]:
    """Return the options for the notes; those of a control have no weight of the dense term."""
    options = _flat(asdict(config))
    if not recipe.dense:
        del options["loss.dense"]
    return options | {"precision": recipe.precision, "dense": recipe.dense}


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    return {f"{section}.{name}": value for section, fields in tree.items() for name, value in fields.items()}


def _command(args: argparse.Namespace) -> str:
    """Return the command without the folders, which change nothing."""
    words = ["nextreid", "pretrain", "--out", "DIR"]
    if args.seed:
        words += ["--seed", str(args.seed)]
    if args.leave_out:
        words += ["--leave-out", args.leave_out]
    if args.class_token_only:
        words.append("--class-token-only")
    return shlex.join([*words, *args.settings])


def _show(
    finished: bool, steps: int, total: int, out: Path, curve: Sequence[Sequence[float]], terminal: Terminal
) -> None:
    from nextreid.pretraining.pairs import TERMS

    if curve:
        step, loss, *terms = curve[-1]
        said = ", ".join(f"{name} {term:.4f}" for name, term in zip(TERMS, terms, strict=True))
        terminal.text(f"Step {step:.0f} of {total}: loss {loss:.4f} ({said})")
    if finished:
        terminal.text(f"The model: {out / 'model'}, for --model.backbone, `nextreid model probe --model` ...")
    else:
        terminal.text(f"Stopped after step {steps}, as asked; --resume goes on.")


VERBS = (
    Verb(
        name="pretrain",
        summary="make a small CLIP from synthetic worlds: pictures of all spectra and sentences",
        example="nextreid pretrain --out runs/clip-small",
        add_options=_add_options,
        run=_run,
        settings=True,
        details=lambda: options_help(PretrainConfig),
    ),
)
