"""One training step: model, heads and loss on the global batch, as a Lightning module."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from nextreid.data.batch import Batch
from nextreid.data.loaders import BatchLoader
from nextreid.errors import CheckFailedError, NextReidError
from nextreid.losses.total import LossReport, LossWeights, total_loss
from nextreid.seeding import derive_seed
from nextreid.training.gather import gather_rows, mean_over_processes
from nextreid.training.optim import NEW, Schedule, build_optimizer


class NonFiniteLossError(NextReidError):
    """The loss became infinite or not a number."""

    exit_code = 1


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Attributes:
        loss: the total loss over the global batch.
        parts: its unweighted parts.
        stop: some process wants to stop after this step.
    """

    loss: float
    parts: dict[str, float]
    stop: bool


class TrainingModule(pl.LightningModule):
    """Model and heads in training.

    Args:
        model: `forward(Batch)` returns an object with `branches` and `auxiliary`; has
            `parameter_groups()`.
        heads: branch features -> branch logits; trained with the new parts' rate.
        loader: (processes, this process) -> data loader.
        weights: of the loss's terms.
        schedule: learning rates.
        first_step: optimiser steps done before (a resumed run).
        accumulate: batches a step.
        seed: the global generator is set anew for each batch from this, so that even a draw which
            uses it by mistake is the same in a resumed run.
        stop_wanted: asked at each step.
        check_gradients: in which steps each trainable parameter must get a gradient: `first` or
            `always`.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        heads: nn.Module,
        loader: Callable[[int, int], BatchLoader],
        weights: LossWeights,
        schedule: Schedule,
        first_step: int = 0,
        accumulate: int = 1,
        seed: int = 0,
        stop_wanted: Callable[[], bool] = lambda: False,
        check_gradients: str = "first",
    ) -> None:
        super().__init__()
        self.model, self.heads, self.loader = model, heads, loader
        self.weights, self.schedule = weights, schedule
        self.first_step, self.accumulate, self.seed = first_step, accumulate, seed
        self.stop_wanted, self.check_gradients = stop_wanted, check_gradients
        self.optimizer_state: dict[str, Any] | None = None
        self.report: StepReport | None = None
        self._checked = False

    def train_dataloader(self) -> BatchLoader:
        """Return the loader of this process, once Lightning knows which one it is."""
        return self.loader(self.trainer.world_size, self.trainer.global_rank)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser, with the state of a resumed run if there is one.

        Raises:
            CheckFailedError: a trainable parameter that no group holds, so that it would never move.
        """
        named = cast(Callable[[], Mapping[str, Sequence[nn.Parameter]]], self.model.parameter_groups)
        groups = {name: list(found) for name, found in named().items()}
        groups.setdefault(NEW, []).extend(p for p in self.heads.parameters() if p.requires_grad)
        grouped = {id(p) for found in groups.values() for p in found}
        lost = [n for n, p in self.named_parameters() if p.requires_grad and id(p) not in grouped]
        if lost:
            raise CheckFailedError(f"Trainable parameters in no parameter group: {_some(lost)}")
        optimizer = build_optimizer(groups, self.schedule.settings)
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
            self.optimizer_state = None
        return optimizer

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set rates and generators, both functions of the step."""
        step = self.first_step + batch_idx // self.accumulate
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.schedule.rate(group["name"], step)
        number = self.first_step * self.accumulate + batch_idx
        torch.manual_seed(derive_seed(self.seed, "step", number, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of the global batch.

        Raises:
            NonFiniteLossError: naming step and parts.
        """
        if batch.label is None:
            raise CheckFailedError("A training batch without labels")
        output = self.model(batch)
        with torch.autocast(self.device.type, enabled=False):  # heads and losses in float32
            branches = {name: gather_rows(value.float()) for name, value in output.branches.items()}
            labels = gather_rows(batch.label)
            loss = total_loss(
                branches,
                self.heads(branches),
                labels,
                auxiliary={name: value.float() for name, value in output.auxiliary.items()},
                weights=self.weights,
            )
        self.report = self._summed_up(loss)
        self._check_finite(self.report, batch, step=self.first_step + batch_idx // self.accumulate + 1)
        return loss.total

    def on_after_backward(self) -> None:
        """Check that every trainable parameter got a gradient.

        Raises:
            CheckFailedError: naming those without.
        """
        if self._checked and self.check_gradients != "always":
            return
        self._checked = True
        without = [n for n, p in self.named_parameters() if p.requires_grad and p.grad is None]
        if without:
            raise CheckFailedError(
                f"{len(without)} trainable parameters got no gradient in this step: {_some(without)}. "
                "Training on several processes would hang. What to do: let the loss depend on them "
                "(a loss weight of 0 may have cut them off), or set requires_grad to False."
            )

    def _summed_up(self, loss: LossReport) -> StepReport:
        """Return the numbers over all processes; the auxiliary terms are means of theirs."""
        names = list(loss.parts)
        stop = float(self.stop_wanted())
        values = [loss.total.detach(), *loss.parts.values(), loss.total.new_tensor(stop)]
        total, *parts, stopping = mean_over_processes(torch.stack([v.float() for v in values])).tolist()
        return StepReport(loss=total, parts=dict(zip(names, parts, strict=True)), stop=stopping > 0)

    def _check_finite(self, report: StepReport, batch: Batch, step: int) -> None:
        numbers = {"loss": report.loss, **report.parts}
        bad = [name for name, value in numbers.items() if not abs(value) < float("inf")]
        if not bad:
            return
        raise NonFiniteLossError(
            f"The loss is not finite in step {step}: "
            + ", ".join(f"{name}={value:.4g}" for name, value in numbers.items())
            + f". Not finite: {', '.join(bad)}. Observations: {_some(batch.observation)}. The last "
            "checkpoint is kept. What to do: lower the rates (optim.rate, optim.backbone_rate), set "
            "optim.clip_norm to 1, or train.precision to fp32; then start anew."
        )


def _some(names: Any, most: int = 8) -> str:
    """Return the first few names."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
