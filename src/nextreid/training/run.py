"""The run folder: when it may be used, what a resumed run must agree on, and how a run ends."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from nextreid.atomic import written_whole
from nextreid.data.loaders import TrainingSet
from nextreid.errors import InputError
from nextreid.losses.total import LossWeights
from nextreid.training.checkpoint import (
    Best,
    Checkpoint,
    check_settings,
    link_checkpoint,
    load_checkpoint,
    sync_folder,
)
from nextreid.training.optim import OptimSettings

MODEL, CHECKPOINTS, METRICS, TENSORBOARD = "model", "checkpoints", "metrics.csv", "tensorboard"
CONFIG, RECORD = "config.yaml", "training.json"
LAST = "last.ckpt"


@dataclass(frozen=True)
class FitResult:
    """How a run ended.

    Attributes:
        run: its folder.
        steps, epochs: of the whole run.
        selection: the rule by which the saved weights were chosen, for result files.
        best: the best validation, or None without one.
        resumed_at: the step after which this call went on, or None for a fresh run.
        repeated: steps that an earlier process had logged and that this call did again.
        already_finished: there was nothing to do.
        seconds: of this call.
    """

    run: Path
    steps: int
    epochs: int
    selection: str
    best: Best | None
    resumed_at: int | None
    repeated: int
    already_finished: bool
    seconds: float


def open_run(
    run: Path, *, resume: bool, settings: Mapping[str, str], config_text: str, main: bool = True
) -> Checkpoint | None:
    """Make or check the folder of a run, and return the state to go on from, if there is one.

    Only the main process checks and writes; the others read the state, if they are to go on from one.

    Raises:
        InputError: the folder is in use and `resume` is off; `resume` is on and there is no run; the
            options differ from those the run began with.
    """
    last = run / CHECKPOINTS / LAST
    if not main:
        return load_checkpoint(last) if resume and last.exists() else None
    check_run_folder(run, resume=resume)
    (run / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    for leftover in (*run.glob(".*.part*"), *(run / CHECKPOINTS).glob(".*.part*")):
        # of a process that was killed while writing
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    if not last.exists():  # a new run, or one that was killed before its first checkpoint
        if config_text:
            with written_whole(run / CONFIG) as temporary:
                temporary.write_text(config_text, encoding="utf-8")
        return None
    checkpoint = load_checkpoint(last)
    check_settings(checkpoint.settings, settings, run)
    return checkpoint


def check_run_folder(run: Path, *, resume: bool) -> None:
    """Check that a run can begin, or go on, in a folder.

    A run that ended before its first step (an image that cannot be read, say) left nothing to lose: its
    folder counts as empty.

    Raises:
        InputError: the folder is in use and `resume` is off; `resume` is on and there is no run.
    """
    filled = run.exists() and (not run.is_dir() or any(run.iterdir()))
    if filled and not resume and not _never_began(run):
        raise InputError(
            f"{run} exists",
            allowed="a new or empty folder",
            do="add --resume to go on with it, or name another",
        )
    if resume and not filled:
        raise InputError(f"{run} has no run to resume", do="leave --resume out to start one")


def has_checkpoint(run: Path) -> bool:
    """Tell whether a run can be gone on with after what it has done."""
    return (run / CHECKPOINTS / LAST).is_file()


def _never_began(run: Path) -> bool:
    """Tell whether a folder holds exactly what `open_run` makes: config.yaml and an empty checkpoints/."""
    checkpoints = run / CHECKPOINTS
    names = {entry.name for entry in run.iterdir()} if run.is_dir() else set()
    return names in ({CHECKPOINTS}, {CHECKPOINTS, CONFIG}) and not any(checkpoints.iterdir())


def run_settings(
    *,
    data: TrainingSet,
    optim: OptimSettings,
    weights: LossWeights,
    config: Mapping[str, object],
    train: Mapping[str, object],
) -> dict[str, str]:
    """Return every option that changes the result, as `section.option` -> text.

    Args:
        data: its observations, labels, image size and random draws.
        optim, weights: their fields.
        config: the caller's options, nested or flat.
        train: `fit`'s own options.
    """
    listed = [[o.id, label, *o.modalities] for o, label in zip(data.observations, data.labels, strict=True)]
    own: dict[str, object] = {
        "train": dict(train),
        "optim": asdict(optim),
        "loss": {**asdict(weights), "auxiliary": dict(sorted(weights.auxiliary.items()))},
        "data": {
            "observations": hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16],
            "transform": repr(data.images.transform),
            "modalities": ",".join(data.modalities),
        },
        "draws": asdict(data.options),
    }
    return _flat(config) | _flat(own)


def finish(
    run: Path, *, module: nn.Module, save: Callable[[Path], None], best: Best | None, epochs: int, seed: int
) -> str:
    """Select the weights, write `model/` (whole or not at all), and return the selection rule.

    Args:
        run: the folder, with last.ckpt of the last step.
        module: the trained module; gets the selected weights.
        save: writes the model.
        best: the best validation, or None.
        epochs: of the run.
        seed: of the run, for the record.
    """
    checkpoints = run / CHECKPOINTS
    if best is None:
        link_checkpoint(checkpoints / LAST, checkpoints / "best.ckpt")
    else:
        module.load_state_dict(load_checkpoint(checkpoints / "best.ckpt").weights)
    module.eval()
    unfinished = run / f".{MODEL}.{os.getpid()}.part"
    unfinished.mkdir()
    try:
        save(unfinished)
        record = {
            "selection": selection_rule(best, epochs),
            "epochs": epochs,
            "seed": seed,
            "best": asdict(best) if best else None,
        }
        (unfinished / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for path in unfinished.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        shutil.rmtree(run / MODEL, ignore_errors=True)
        unfinished.rename(run / MODEL)
        sync_folder(run)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return selection_rule(best, epochs)


def selection_rule(best: Best | None, epochs: int) -> str:
    """Return the rule as text; results quote it."""
    if best is None:
        return f"last epoch ({epochs})"
    return (
        f"best mAP on validation identities carved from the training split "
        f"({best.value:.4f}, epoch {best.epoch} of {epochs})"
    )


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return `a.b` -> text of a nested mapping."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat
