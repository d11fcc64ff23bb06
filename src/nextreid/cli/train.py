"""`nextreid train`: from a data set to a model folder."""

import argparse
import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.recipes import configured, options_help, recipe_names
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.config import Config, check
from nextreid.configfile import Setting, to_yaml
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.build import TrainingJob
    from nextreid.data.manifest import Manifest
    from nextreid.training.run import FitResult


FEW = 0.5
"""Share of training observations below which captions that were asked for are few (ours: half of them)."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="D", help="manifest, folder with one, or benchmark folder")
    parser.add_argument("--out", metavar="RUN", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        action="append",
        default=[],
        help=f"recipe: {', '.join(recipe_names())}, or a YAML file; repeatable, the later ones win",
    )
    parser.add_argument("--layout", help="benchmark layout, where it is not recognised")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped or killed")


@dataclass(frozen=True)
class Trained:
    """A training run that ended, for whoever called it.

    Attributes:
        job: what was trained.
        result: how it ended.
    """

    job: "TrainingJob"
    result: "FitResult"


def train(
    config: Config,
    manifest: "Manifest",
    out: Path,
    *,
    terminal: Terminal,
    device: str = "auto",
    workers: int | None = None,
    resume: bool = False,
) -> Trained:
    """Train by a configuration; what `nextreid train` and the quickstart do.

    Raises:
        InputError: a run folder in use, or options that do not fit the data.
    """
    from nextreid.build import training_job
    from nextreid.embedding.embedder import choose_device
    from nextreid.training.fit import fit

    where = choose_device(device)
    job = training_job(config, manifest, device=str(where))
    _say(job, config, terminal, str(where))
    result = fit(
        model=job.pretrained.model,
        heads=job.heads,
        data=job.data,
        run=out,
        save=job.save,
        seed=config.seed,
        epochs=config.train.epochs,
        p=config.train.p,
        k=config.train.k,
        accumulate=config.train.accumulate,
        optim=job.optim,
        weights=job.weights,
        validate=job.validate,
        validate_every=config.val.every,
        resume=resume,
        config={"model": asdict(config.model), "val": asdict(config.val)},
        config_text=to_yaml(config),
        checkpoint_every=config.train.checkpoint_every,
        workers=_workers(workers, where.type),
        accelerator=where.type,
        devices=config.train.devices,
        nodes=config.train.nodes,
        precision=config.train.precision,
        progress=terminal.progress,
    )
    return Trained(job, result)


def _workers(wanted: int | None, device: str) -> int:
    """By the machine: on the CPU the model needs the cores itself; beside a GPU, 4 (ours)."""
    if wanted is not None:
        return wanted
    return 0 if device == "cpu" else 4


def _say(job: "TrainingJob", config: Config, terminal: Terminal, device: str) -> None:
    data, architecture = job.data, job.pretrained.architecture
    weights = sum(p.numel() for p in job.pretrained.model.parameters() if p.requires_grad)
    terminal.remark(
        f"{architecture.name} on {config.model.backbone} ({weights / 1e6:.1f} M weights to train), "
        f"{'+'.join(architecture.modalities)}, {architecture.size[0]}x{architecture.size[1]}, {device}"
    )
    terminal.remark(
        f"{len(data)} training observations of {len(data.label_map)} identities; "
        + (
            f"{len(job.validation)} more of {len({row.identity for row in job.validation})} identities "
            "choose the checkpoint"
            if job.validation
            else "no validation, the last epoch is taken"
        )
    )
    terminal.remark(
        f"captions: {job.captions.source}; "
        f"{job.described} of {len(data)} training observations found their captions"
    )
    named = config.data.captions not in ("auto", "none")
    if named and job.described < FEW * len(data):
        terminal.warn(
            f"Few captions: {job.captions.source} describes {job.described} of {len(data)} training "
            "observations; the others are trained without words."
        )
    odd = job.captions.odd
    if odd:
        first = odd[0]
        terminal.remark(
            f"{len(odd)} captions are odd, the first: {first.item} in {first.file}, {first.reason}"
        )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.cli.reading import open_data
    from nextreid.cli.writing import check_out_folder
    from nextreid.training.run import check_run_folder

    config = _config(args)
    check_out_folder(args.out)
    if not terminal.silent:  # the first of several processes has begun the run when the others come here
        check_run_folder(args.out, resume=args.resume)
    opened = open_data(
        config.data.path, layout=config.data.layout, on_error=args.on_error, split="train", terminal=terminal
    )
    with _remarks_of_the_library(terminal), _a_way_on(args.out, terminal):
        trained = train(
            config,
            opened.manifest,
            args.out,
            terminal=terminal,
            device=args.device,
            workers=args.workers,
            resume=args.resume,
        )
    job, result = trained.job, trained.result
    again = f", {result.repeated} of them again after the last checkpoint" if result.repeated else ""
    terminal.text(
        f"{result.run}: {result.steps} steps{again}, {result.seconds:.0f} s; model: {result.run / 'model'} "
        f"({result.selection})"
    )
    terminal.result(
        {
            "run": str(result.run),
            "model": str(result.run / "model"),
            "steps": result.steps,
            "epochs": result.epochs,
            "selection": result.selection,
            "resumed_at": result.resumed_at,
            "repeated": result.repeated,
            "seconds": result.seconds,
            "observations": len(job.data),
            "identities": len(job.data.label_map),
            "captions": {"source": job.captions.source, "found": job.described},
            "left_out": opened.summary(),
        }
    )
    return 0


def _config(args: argparse.Namespace) -> Config:
    """Return the run's configuration; a resumed run begins with its own config.yaml."""
    more: list[Setting] = []
    if args.data is not None:
        more.append(Setting("data.path", args.data, "option --data"))
    if args.layout is not None:
        more.append(Setting("data.layout", args.layout, "option --layout"))
    if args.seed is not None:
        more.append(Setting("seed", args.seed, "option --seed"))
    recipes: list[str | Path] = list(args.config)
    saved = args.out / "config.yaml"
    if args.resume and not recipes and saved.is_file():
        recipes = [saved]
    config = configured(
        Config, recipes=recipes, tokens=args.settings, more=more, options=("data", "out", "config", "resume")
    )
    if not config.data.path:
        raise InputError("No data set was given", do="add --data D: a manifest, or a folder with one")
    return check(config)


class _Remarks(logging.Handler):
    """Shows what the library logs as remarks."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.INFO)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        self._terminal.remark(record.getMessage())


@contextmanager
def _remarks_of_the_library(terminal: Terminal) -> Iterator[None]:
    """Show what the library logs, while the context is open."""
    logger, handler = logging.getLogger("nextreid"), _Remarks(terminal)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def _a_way_on(out: Path, terminal: Terminal) -> Iterator[None]:
    """Say, when the training is interrupted, how to go on with it."""
    try:
        yield
    except KeyboardInterrupt:
        from nextreid.training.run import has_checkpoint

        if has_checkpoint(out):
            terminal.warn(f"To go on: nextreid train --out {shlex.quote(str(out))} --resume")
        raise


VERBS = (
    Verb(
        name="train",
        summary="train a model and leave a run: config.yaml, model/, checkpoints/, metrics.csv, tensorboard/",
        example="nextreid train --data world --out runs/first --config cpu-small --train.epochs 10",
        add_options=_add_options,
        run=_run,
        settings=True,
        details=lambda: options_help(Config, where=" (also in YAML, see --config)"),
    ),
)
