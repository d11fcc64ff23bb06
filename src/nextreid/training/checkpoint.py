"""The state of a run on disk: written whole or not at all, read without running code from it."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nextreid.atomic import written_whole
from nextreid.errors import InputError

FORMAT = "nextreid.checkpoint/1"


@dataclass(frozen=True)
class Best:
    """The best validation so far.

    Attributes:
        step, epoch: when (steps done, epochs done).
        value: its mAP, 0..1.
    """

    step: int
    epoch: int
    value: float


@dataclass(frozen=True)
class Checkpoint:
    """All that a resumed run needs.

    Attributes:
        step: optimiser steps done.
        session: how often the run was resumed before, so 0 in a run that never stopped.
        settings: option -> value as text; a resumed run must have the same.
        weights: state of model and heads.
        optimizer: state of the optimiser.
        best: the best validation so far, or None.
    """

    step: int
    session: int
    settings: dict[str, str]
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: Best | None


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; whoever is killed meanwhile leaves the old one."""
    state = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    state |= {"format": FORMAT, "best": asdict(checkpoint.best) if checkpoint.best else None}
    with written_whole(path) as temporary:
        torch.save(state, temporary)
    sync_folder(path.parent)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint to the CPU.

    Raises:
        InputError: missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist", allowed="a checkpoint of a training run")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the reader fail in any way
        raise InputError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: {str(error)[:120]})",
            do="restore the file, or start the run anew in another folder",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path} is not a checkpoint of a training run", allowed=f"format {FORMAT}")
    best = Best(**state["best"]) if state["best"] else None
    return Checkpoint(**{f.name: state[f.name] for f in fields(Checkpoint) if f.name != "best"}, best=best)


def link_checkpoint(source: Path, target: Path) -> None:
    """Let `target` be the same file as `source`, atomically (a copy where links are impossible)."""
    with written_whole(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())
    sync_folder(target.parent)


OBSERVATIONS = "data.observations"
"""The setting that is no option but a checksum of what is trained on (`run.run_settings`)."""


def check_settings(saved: Mapping[str, str], now: Mapping[str, str], run: Path) -> None:
    """Check that a run goes on with what it began with.

    Raises:
        InputError: naming each option that differs, and both values.
    """
    names = sorted(name for name in {*saved, *now} if saved.get(name) != now.get(name))
    if not names:
        return
    if names == [OBSERVATIONS]:
        raise InputError(
            f"{run} cannot be resumed: the training observations are not those that it began with",
            do="give the data set as it was then, with the same --on-error; or start another run",
        )
    listed = "; ".join(
        f"{name} was {saved.get(name, '(not set)')}, is {now.get(name, '(not set)')}" for name in names[:6]
    )
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    raise InputError(
        f"{run} cannot be resumed with other options: {listed}{more}",
        do="give the options the run began with (its config.yaml holds them), or start another run",
    )


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
