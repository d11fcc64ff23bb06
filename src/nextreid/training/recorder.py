"""What happens after each step: logs, validation, checkpoints, and stopping on a signal."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn

from nextreid.errors import InputError
from nextreid.progress import Task
from nextreid.training.checkpoint import Best, Checkpoint, link_checkpoint, save_checkpoint
from nextreid.training.metrics import MetricsFile, TensorBoard
from nextreid.training.module import StepReport, TrainingModule
from nextreid.training.optim import BACKBONE, NEW

Validate = Callable[[nn.Module], Mapping[str, float]]
"""Embeds and scores validation identities with the model in evaluation mode; has the key `mAP`."""


@dataclass(frozen=True)
class Plan:
    """The shape of a run.

    Attributes:
        total: optimiser steps.
        accumulate: batches a step.
        batches_per_epoch: as the sampler says.
        observations: observations in a global batch.
        checkpoint_every: steps between checkpoints inside an epoch; 0: only after epochs.
        log_every: steps between rows of metrics.csv (the last step of an epoch always has one).
        validate_every: epochs between validations; the last epoch always has one.
        epochs: of the run.
    """

    total: int
    accumulate: int
    batches_per_epoch: int
    observations: int
    checkpoint_every: int
    log_every: int
    validate_every: int
    epochs: int

    def epochs_done(self, step: int) -> int:
        """Return how many epochs are complete after `step` steps."""
        return self.epochs if step >= self.total else step * self.accumulate // self.batches_per_epoch

    def ends_epoch(self, step: int) -> bool:
        """Tell whether step number `step` (from 1) completes an epoch."""
        return self.epochs_done(step) > self.epochs_done(step - 1)


@dataclass
class Recorder(pl.Callback):
    """Writes down a run while Lightning trains.

    Attributes:
        run: the folder of the run.
        plan: the shape of the run.
        settings: option -> value, kept in each checkpoint.
        session: how often the run was resumed.
        task: progress bar of this process.
        validate: scores the model, or None.
        best: the best validation so far.
        stopped: a signal asked to stop and a checkpoint was written.
    """

    run: Path
    plan: Plan
    settings: dict[str, str]
    session: int
    task: Task
    metrics: MetricsFile | None
    board: TensorBoard | None
    validate: Validate | None
    best: Best | None
    stopped: bool = False
    _since: float = field(default_factory=time.perf_counter)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the step that a batch completed."""
        if (batch_idx + 1) % self.plan.accumulate or pl_module.report is None:
            return
        plan, report = self.plan, pl_module.report
        step = pl_module.first_step + (batch_idx + 1) // plan.accumulate
        epoch_ends, epochs = plan.ends_epoch(step), plan.epochs_done(step)
        scores: Mapping[str, float] = {}
        seconds = time.perf_counter() - self._since
        if (
            self.validate is not None
            and epoch_ends
            and (epochs % plan.validate_every == 0 or step == plan.total)
        ):
            scores = self._validated(trainer, pl_module, step, epochs)
        if trainer.is_global_zero:
            row = self._row(trainer, report, step, seconds)
            row |= {f"val_{name}": float(value) for name, value in scores.items()}
            if epoch_ends or step % plan.log_every == 0 or scores:
                for file in (self.metrics, self.board):
                    if file is not None:
                        file.append(row)
            self.task.advance()
            best = f", best mAP {self.best.value:.1%}" if self.best else ""
            self.task.note(f"epoch {row['epoch']}/{plan.epochs}, loss {report.loss:.3f}{best}")
        due = plan.checkpoint_every > 0 and step % plan.checkpoint_every == 0
        if epoch_ends or due or report.stop:
            is_best = self.best is not None and self.best.step == step
            self._save(trainer, pl_module, step, is_best=is_best)
        if report.stop and step < plan.total:
            self.stopped = True
            trainer.should_stop = True
        self._since = time.perf_counter()

    def _row(self, trainer: pl.Trainer, report: StepReport, step: int, seconds: float) -> dict[str, Any]:
        """Return the row of metrics.csv for a step."""
        rates = {group["name"]: group["lr"] for group in trainer.optimizers[0].param_groups}
        return {
            "step": step,
            "epoch": (step * self.plan.accumulate - 1) // self.plan.batches_per_epoch + 1,
            "session": self.session,
            "loss": report.loss,
            **report.parts,
            **{f"rate_{name}": rates[name] for name in (BACKBONE, NEW) if name in rates},
            "seconds": round(seconds, 4),
            "observations_per_second": round(
                self.plan.observations * self.plan.accumulate / max(seconds, 1e-9), 2
            ),
        }

    def _validated(
        self, trainer: pl.Trainer, module: TrainingModule, step: int, epochs: int
    ) -> Mapping[str, float]:
        """Score the model on the first process while the others wait; keep the best."""
        scores: Mapping[str, float] = {}
        if trainer.is_global_zero and self.validate is not None:
            module.eval()
            with torch.no_grad():
                scores = self.validate(module.model)
            module.train()
            if "mAP" not in scores:
                raise InputError(f"validate returned {sorted(scores)}", allowed="a mapping with the key mAP")
            if self.best is None or scores["mAP"] > self.best.value:
                self.best = Best(step=step, epoch=epochs, value=float(scores["mAP"]))
        trainer.strategy.barrier("validation")
        return scores

    def _save(self, trainer: pl.Trainer, module: TrainingModule, step: int, *, is_best: bool) -> None:
        """Write last.ckpt, and best.ckpt before it: a kill between them repeats both."""
        if not trainer.is_global_zero:
            return
        for file in (self.metrics, self.board):
            if file is not None:
                file.sync()
        checkpoint = Checkpoint(
            step=step,
            session=self.session,
            settings=self.settings,
            weights=module.state_dict(),
            optimizer=trainer.optimizers[0].state_dict(),
            best=self.best,
        )
        folder = self.run / "checkpoints"
        if is_best:
            save_checkpoint(checkpoint, folder / "best.ckpt")
            link_checkpoint(folder / "best.ckpt", folder / "last.ckpt")
        else:
            save_checkpoint(checkpoint, folder / "last.ckpt")


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop after the step; the second one acts at once.

    Outside the main thread, where Python takes no handlers, the wish never comes.
    """
    wanted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wanted.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        wanted.set()
        for each, old in before.items():
            signal.signal(each, old)

    for number in before:
        signal.signal(number, ask)
    try:
        yield wanted.is_set
    finally:
        for number, old in before.items():
            signal.signal(number, old)
