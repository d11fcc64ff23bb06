"""Pretrain a small CLIP: one call that starts a run, or goes on with one, and leaves a CLIP folder."""

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities import rank_zero_only
from torch.utils.data import DataLoader

from nextreid.atomic import written_whole
from nextreid.errors import CheckFailedError, InputError
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import save_clip
from nextreid.model.pretraining_notes import PretrainingNotes
from nextreid.pretraining.drawing import Drawer
from nextreid.pretraining.optim import build_optimizers, share_of_rate
from nextreid.pretraining.pairs import TERMS, PairModel
from nextreid.pretraining.reading import teach_text
from nextreid.pretraining.steps import Steps
from nextreid.progress import Progress, Silent
from nextreid.training.checkpoint import Checkpoint, check_settings, load_checkpoint, save_checkpoint
from nextreid.training.deterministic import deterministic
from nextreid.training.metrics import MetricsFile, read_metrics
from nextreid.training.recorder import stop_on_signal
from nextreid.version import __version__

CONFIG, METRICS, MODEL, LAST = "config.yaml", "metrics.csv", "model", "checkpoints/last.ckpt"

OWN = {CONFIG, METRICS, MODEL, "checkpoints", "worlds"}
"""What lies in a run's folder."""

WARMUP = 0.03
"""Share of the steps with a rising rate: ours."""

SETTLED = 0.7
"""Share of the steps after which the statistics of a stem's normalisation stand: ours. Batches show one kind
of object, and the saved stem sees all kinds alike; the rest of the steps are trained as it will see."""

CURVE = 50
"""Points of the loss curve in the notes; each is the mean of the steps since the one before."""


@dataclass(frozen=True)
class Recipe:
    """What the steps do.

    Attributes:
        steps: of the whole schedule.
        coarse: share of them with pictures of half the height and width (`is_coarse`).
        reading: steps in which the text tower is taught before (`teach_text`).
        pictures: in a global batch.
        dense: weight of the dense term; 0: class token only.
        choice: weight of the choice among an attribute's values, of pictures and of regions.
        rate, matrix_rate, decay: as in `build_optimizers`.
        clip_norm: largest norm of the whole gradient.
        precision: "fp32" or "bf16".
        seed: of everything.
    """

    steps: int
    coarse: float
    reading: int
    pictures: int
    dense: float
    choice: float
    rate: float
    matrix_rate: float
    decay: float
    clip_norm: float
    precision: str
    seed: int


@dataclass(frozen=True)
class PretrainResult:
    """How it ended.

    Attributes:
        run: the folder.
        steps: done in all.
        finished: the schedule's end was reached and `model/` written.
        seconds: of training and the lesson before, all sessions together.
        curve: rows of (step, total, *TERMS).
    """

    run: Path
    steps: int
    finished: bool
    seconds: float
    curve: list[list[float]]


@deterministic()
def pretrain(
    *,
    clip: Clip,
    drawers: Mapping[str, Drawer],
    recipe: Recipe,
    run: Path,
    notes: Mapping[str, Any],
    settings: Mapping[str, object],
    until: int | None = None,
    resume: bool = False,
    checkpoint_every: int = 100,
    config_text: str = "",
    workers: int = 0,
    accelerator: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
    progress: Progress | None = None,
) -> PretrainResult:
    """Pretrain a CLIP and write RUN/model, a CLIP folder in half precision.

    RUN holds `config.yaml, checkpoints/last.ckpt, metrics.csv, model/`. A run that was killed goes on with
    `resume` and ends with the same weights, bit for bit (same machine, processes and threads).

    Args:
        clip: with random weights; trained in place.
        drawers: kind -> its batches; the steps take the kinds in turn.
        recipe: what the steps do.
        run: the folder; without `resume` it must hold no run.
        notes: `command`, `worlds`, `left_out` and `settings` of `PretrainingNotes`.
        settings: every option that changes the result; compared on resuming.
        until: stop after this step, as an interruption would; to repeat the beginning of a run.
        resume: go on; a run that was stopped before its first checkpoint begins again.
        checkpoint_every: steps between checkpoints.
        config_text: written to config.yaml.
        workers: processes that draw batches; any number gives the same batches.
        accelerator: "cpu", "cuda" or "mps".
        devices, nodes: processes a machine, machines.
        progress: draws the bar.

    Raises:
        InputError: a run that exists, or does not, or began with other options, or is past `until`.
        CheckFailedError: the loss is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    world = devices * nodes
    if recipe.pictures % world:
        raise InputError(f"{recipe.pictures} pictures a step on {world} processes", allowed="a multiple")
    fabric = lightning.Fabric(
        accelerator="gpu" if accelerator == "cuda" else accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if world > 1 else "auto",
        precision="32-true",  # `PairModel` knows what may be computed in bfloat16
    )
    fabric.launch()
    flat = _as_text(settings)
    before = _open_run(run, resume=resume, settings=flat, config_text=config_text, main=fabric.is_global_zero)
    fabric.barrier()
    pairs = PairModel(clip, dense=recipe.dense, bf16=recipe.precision == "bf16").to(fabric.device)
    first, seconds = 0, 0.0
    if before is not None:
        first, seconds = before.step, float(before.optimizer["seconds"])
    step, started = first, time.perf_counter()
    if before is None:
        teach_text(pairs.texts, drawers, steps=recipe.reading, seed=recipe.seed, progress=progress)
    raw = build_optimizers(pairs, rate=recipe.rate, matrix_rate=recipe.matrix_rate, decay=recipe.decay)
    if before is not None:
        pairs.load_state_dict(before.weights)
        for optimizer, state in zip(raw, before.optimizer["states"], strict=True):
            optimizer.load_state_dict(state)
    last = min(recipe.steps, until or recipe.steps)
    if first > last:
        raise InputError(f"--until {last}", allowed=f"{first} or more: {run} is at step {first} already")
    weights = torch.tensor([1.0, recipe.choice, recipe.dense, recipe.choice if recipe.dense else 0.0])
    model, *optimizers = fabric.setup(pairs, *raw)
    # on the device, where setup has put the towers
    pairs.texts.remember(sorted({text for drawer in drawers.values() for text in drawer.vocabulary.corpus()}))
    metrics = MetricsFile(run / METRICS, step=first) if fabric.is_global_zero else None
    steps = Steps(
        drawers,
        first=first,
        last=last,
        coarse=recipe.coarse,
        total=recipe.steps,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    batches = DataLoader(steps, batch_size=None, num_workers=workers, pin_memory=accelerator == "cuda")
    bar = (progress or Silent()) if fabric.is_global_zero else Silent()

    def save() -> None:
        if metrics is None:
            return
        metrics.sync()
        state = {
            "states": [optimizer.state_dict() for optimizer in raw],
            "seconds": seconds + time.perf_counter() - started,
        }
        save_checkpoint(Checkpoint(step, 0, flat, pairs.state_dict(), state, None), run / LAST)

    with stop_on_signal() as stop_wanted, bar.task("Pretraining", recipe.steps) as task:
        task.advance(first)
        model.train()
        for batch in batches:
            rate = share_of_rate(step, total=recipe.steps, warmup=max(1, round(WARMUP * recipe.steps)))
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["full"] * rate
                optimizer.zero_grad()
            if step >= SETTLED * recipe.steps:
                pairs.freeze_norms()
            parts = model(**vars(batch.to(fabric.device)))  # (4,)
            fabric.backward((parts * weights.to(parts.device)).sum())
            norm = torch.nn.utils.clip_grad_norm_(pairs.parameters(), recipe.clip_norm)
            stop = norm.new_tensor(float(stop_wanted()))
            *terms, size, stopping = fabric.all_reduce(
                torch.stack([*parts.detach(), norm.detach(), stop])
            ).tolist()
            told = dict(zip(TERMS, terms, strict=True))
            total = sum(weight * term for weight, term in zip(weights.tolist(), terms, strict=True))
            if not (abs(total) < float("inf") and abs(size) < float("inf")):
                said = ", ".join(f"{name} {term:.4g}" for name, term in told.items())
                raise CheckFailedError(
                    f"The loss is not finite in step {step + 1} ({said}). The "
                    "last checkpoint is kept. What to do: lower --optim.matrix_rate, or take "
                    "--train.precision fp32."
                )
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            if metrics is not None:
                row = {"step": step, "loss": total, **told, "norm": size}
                spent = round(seconds + time.perf_counter() - started, 3)
                metrics.append({**row, "rate": rate, "seconds": spent})
            task.advance()
            task.note(", ".join(f"{name} {term:.3f}" for name, term in told.items()))
            stopped = stopping > 0 and step < last
            if step % checkpoint_every == 0 or step == last or stopped:
                save()
            if stopped:
                raise KeyboardInterrupt
    seconds += time.perf_counter() - started
    curve = loss_curve(run / METRICS, every=max(1, recipe.steps // CURVE)) if metrics is not None else []
    ended = first == recipe.steps and (run / MODEL).exists()  # a finished run is left as it is
    if metrics is not None and step == recipe.steps and not ended:
        found = PretrainingNotes(
            **notes,
            seed=recipe.seed,
            steps=step,
            images_seen=step * recipe.pictures,
            seconds=round(seconds, 1),
            hardware=_hardware(accelerator, world),
            versions=_versions(),
            class_token_only=not recipe.dense,
            loss=curve,
        )
        clip.model.eval()
        save_clip(clip, run / MODEL, half=True, notes=found)
    fabric.barrier()
    return PretrainResult(run, step, step == recipe.steps, round(seconds, 1), curve)


def loss_curve(metrics: Path, *, every: int) -> list[list[float]]:
    """Return (step, total, *TERMS) after each `every` steps, each the mean of the steps since.

    Args:
        metrics: metrics.csv of a pretraining.
        every: steps between points.
    """
    rows = read_metrics(metrics)
    curve = []
    for at in range(0, len(rows) - every + 1, every):
        part = rows[at : at + every]
        means = [sum(float(row[name]) for row in part) / every for name in ("loss", *TERMS)]
        curve.append([int(part[-1]["step"]), *(round(mean, 5) for mean in means)])
    return curve


def check_run(run: Path, *, resume: bool, settings: Mapping[str, object]) -> None:
    """Check that a run can begin, or go on, in a folder; before anything is rendered.

    Args:
        run: the folder.
        resume: go on.
        settings: every option that changes the result.

    Raises:
        InputError: the folder holds a run and `resume` is off, or the reverse, or it began with others.
    """
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file", allowed="a folder, new or empty", do="name another one")
    begun = (run / LAST).exists() or (run / MODEL).exists()
    found = {p.name for p in run.iterdir()} if run.exists() else set()
    foreign = sorted(name for name in found - OWN if not name.startswith("."))  # hidden: half written files
    if foreign and not begun:
        raise InputError(
            f"{run} holds other files: {', '.join(foreign[:5])}",
            allowed="a new or empty folder, or one that this command began",
            do="name another one",
        )
    if begun and not resume:
        raise InputError(f"{run} holds a run", do="add --resume to go on with it, or name another folder")
    if resume and not begun and (run / CONFIG).exists():
        return  # stopped before its first checkpoint: it begins again
    if resume and not begun:
        raise InputError(f"{run} has no run to resume", do="leave --resume out to start one")
    if resume:
        check_settings(load_checkpoint(run / LAST).settings, _as_text(settings), run)


def is_main() -> bool:
    """Tell whether this process is the first one of a distributed run, before it is launched."""
    return not rank_zero_only.rank


def _open_run(
    run: Path, *, resume: bool, settings: Mapping[str, object], config_text: str, main: bool
) -> Checkpoint | None:
    """Make the folder of a new run, or return the state to go on from."""
    going_on = resume and ((run / LAST).exists() or (run / MODEL).exists())
    if main:
        check_run(run, resume=resume, settings=settings)
        (run / LAST).parent.mkdir(parents=True, exist_ok=True)
        if not going_on:
            (run / METRICS).unlink(missing_ok=True)  # of a run that ended before its first checkpoint
            with written_whole(run / CONFIG) as temporary:
                temporary.write_text(config_text, encoding="utf-8")
    if not going_on:
        return None
    return load_checkpoint(run / LAST)


def _as_text(settings: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


def _hardware(accelerator: str, world: int) -> str:
    if accelerator == "cuda":
        return f"{world} x {torch.cuda.get_device_name()}"
    return f"{platform.machine()} CPU, {os.cpu_count()} cores, {world} x {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    return {
        "nextreid": __version__,
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "lightning": lightning.__version__,
        "python": platform.python_version(),
    }
