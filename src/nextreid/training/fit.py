"""Train a model: one call that starts a run, or goes on with one, and ends with a saved model."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from nextreid.data.loaders import BatchLoader, TrainingSet
from nextreid.data.sampler import BatchStream, IdentitySampler
from nextreid.errors import InputError
from nextreid.losses.total import LossWeights
from nextreid.progress import Progress, Silent
from nextreid.training.deterministic import deterministic
from nextreid.training.gather import wait_for_all
from nextreid.training.metrics import MetricsFile, TensorBoard
from nextreid.training.module import TrainingModule
from nextreid.training.optim import OptimSettings, Schedule
from nextreid.training.precision import LIGHTNING, resolve_accelerator, resolve_precision
from nextreid.training.recorder import Plan, Recorder, Validate, stop_on_signal
from nextreid.training.run import (
    METRICS,
    MODEL,
    TENSORBOARD,
    FitResult,
    finish,
    open_run,
    run_settings,
    selection_rule,
)

log = logging.getLogger(__name__)


def fit(
    *,
    model: nn.Module,
    heads: nn.Module,
    data: TrainingSet,
    run: Path | str,
    save: Callable[[Path], None],
    seed: int = 0,
    epochs: int = 50,  # reference DeMo, IDEA, MDReID
    p: int = 8,  # reference DeMo on RGBNT201: 8 x 8
    k: int = 8,
    accumulate: int = 1,
    optim: OptimSettings | None = None,
    weights: LossWeights | None = None,
    validate: Validate | None = None,
    validate_every: int = 1,
    resume: bool = False,
    config: Mapping[str, object] | None = None,
    config_text: str = "",
    checkpoint_every: int = 0,
    log_every: int = 1,
    workers: int = 0,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "auto",
    tensorboard: bool = True,
    check_gradients: str = "first",
    progress: Progress | None = None,
) -> FitResult:
    """Train `model` and `heads` on `data` and leave a run folder.

    RUN holds `config.yaml, model/, checkpoints/{last,best}.ckpt, metrics.csv, tensorboard/`. A run that
    was killed at any moment goes on with `resume` and ends with the same weights, bit for bit, as one
    that was not (on the same machine, with the same number of processes and threads).

    Args:
        model: as `TrainingModule` wants it; its weights are changed in place, and after the call they
            are the selected ones.
        heads: branches -> logits.
        data: training observations; their images are read into memory here, where wanted.
        run: the folder; without `resume` it must not exist, or be empty.
        save: writes the model into an empty folder.
        seed: of the sampler and the global generators (the data has its own).
        epochs: passes over the identities.
        p, k: identities a batch, observations of each.
        accumulate: batches whose gradients are averaged for one optimiser step.
        optim: rates; None: those of a CLIP backbone.
        weights: of the loss's terms.
        validate: scores the model in evaluation mode on the main process, with the key `mAP`; the
            best mAP is selected. None: the last epoch is.
        validate_every: epochs between validations; the last epoch always has one.
        resume: go on with the run in `run`.
        config: the caller's options that change the result; compared on resuming.
        config_text: written to config.yaml.
        checkpoint_every: steps between checkpoints inside an epoch; 0: after each epoch only.
        log_every: steps between rows of metrics.csv.
        workers: processes that prepare batches; any number gives the same batches.
        accelerator: `auto`, `cpu`, `cuda`, `mps`.
        devices, nodes: processes a machine, machines.
        precision: `auto`, `fp32`, `bf16`.
        tensorboard: also write tensorboard/.
        check_gradients: `first` or `always`: steps in which a parameter without gradient is an error.
        progress: gets one bar with a step an optimiser step.

    Raises:
        InputError: a run that exists (or does not, with `resume`), other options than it began with,
            options that cannot be used.
        NonFiniteLossError: the loss is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after a Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    started, run = time.perf_counter(), Path(run)
    optim, weights, progress = optim or OptimSettings(), weights or LossWeights(), progress or Silent()
    accelerator = resolve_accelerator(accelerator)
    precision = resolve_precision(precision, accelerator)
    train = {"seed": seed, "epochs": epochs, "p": p, "k": k, "accumulate": accumulate, "precision": precision}
    _check_counts(devices=devices, nodes=nodes, epochs=epochs, accumulate=accumulate, log_every=log_every,
                  validate_every=validate_every)  # fmt: skip
    if (warmup := optim.warmup_epochs) is not None and warmup > epochs:
        raise InputError(
            f"optim.warmup_epochs={warmup:g} with train.epochs={epochs}",
            allowed=f"at most {epochs}: the rate would still be rising when training ends",
        )
    batches = IdentitySampler(
        data.labels, identities=p, instances=k, seed=seed, world=devices * nodes
    ).batches_per_epoch
    plan = Plan(
        total=epochs * batches // accumulate, accumulate=accumulate, batches_per_epoch=batches,
        observations=p * k, checkpoint_every=checkpoint_every, log_every=log_every,
        validate_every=validate_every, epochs=epochs,
    )  # fmt: skip
    if plan.total < 1:
        raise InputError(
            f"train.accumulate={accumulate}", allowed=f"1 to {epochs * batches}, the run's batches"
        )
    settings = run_settings(
        data=data, optim=optim, weights=weights, config=config or {},
        train=train | {"validate_every": validate_every if validate else 0},
    )  # fmt: skip
    main = not rank_zero_only.rank
    before = open_run(run, resume=resume, settings=settings, config_text=config_text, main=main)
    first, best = (before.step, before.best) if before else (0, None)
    result = FitResult(
        run=run, steps=plan.total, epochs=epochs, selection=selection_rule(best, epochs), best=best,
        resumed_at=first if resume else None, repeated=0, already_finished=True, seconds=0.0,
    )  # fmt: skip
    if first == plan.total and (run / MODEL).is_dir():
        log.info("%s is finished (%d steps); nothing to do.", run, first)
        return result

    data.images.fill(threads=max(2, workers), progress=progress if main else None)
    schedule = Schedule(optim, epochs=epochs, steps_per_epoch=batches / accumulate)
    metrics = MetricsFile(run / METRICS, step=first) if main else None
    board = TensorBoard(run / TENSORBOARD, step=first) if main and tensorboard else None
    repeated = metrics.removed if metrics else 0
    if resume:
        log.info("%s: on from step %d of %d; %d logged steps are repeated.", run, first, plan.total, repeated)

    def loader(world: int, rank: int) -> BatchLoader:
        sampler = IdentitySampler(data.labels, identities=p, instances=k, seed=seed, world=world, rank=rank)
        stream = BatchStream(sampler, first * accumulate, plan.total * accumulate)
        return BatchLoader(data, stream, workers=workers, pin=accelerator == "cuda")

    with (
        stop_on_signal() as stop_wanted,
        deterministic(),
        _quiet(),
        (progress if main else Silent()).task("Training", plan.total) as task,
    ):
        task.advance(first)
        module = TrainingModule(
            model=model, heads=heads, loader=loader, weights=weights, schedule=schedule, first_step=first,
            accumulate=accumulate, seed=seed, stop_wanted=stop_wanted, check_gradients=check_gradients,
        )  # fmt: skip
        if before is not None:
            module.load_state_dict(before.weights)
            module.optimizer_state = before.optimizer
        recorder = Recorder(
            run=run, plan=plan, settings=settings, session=before.session + 1 if before else 0, task=task,
            metrics=metrics, board=board, validate=validate, best=best,
        )  # fmt: skip
        trainer = pl.Trainer(
            accelerator="gpu" if accelerator == "cuda" else accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=LIGHTNING[precision],
            max_epochs=1,  # one pass over the stream of all batches that are left
            accumulate_grad_batches=accumulate,
            gradient_clip_val=optim.clip_norm or None,
            default_root_dir=run,
            callbacks=[recorder],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            limit_val_batches=0,
            num_sanity_val_steps=0,
        )
        try:
            if first < plan.total:
                trainer.fit(module)
        except SystemExit as error:  # Lightning's answer to a second Ctrl-C
            raise KeyboardInterrupt from error
        finally:
            if board is not None:
                board.close()
    if recorder.stopped:
        raise KeyboardInterrupt
    if main:
        finish(run, module=module, save=save, best=recorder.best, epochs=epochs, seed=seed)
    wait_for_all()  # so that whoever returns from here finds the whole folder
    return FitResult(
        run=run, steps=plan.total, epochs=epochs, selection=selection_rule(recorder.best, epochs),
        best=recorder.best, resumed_at=first if resume else None, repeated=repeated,
        already_finished=False, seconds=time.perf_counter() - started,
    )  # fmt: skip


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"train.{name}={value}", allowed="1 or more")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes on hardware, tips and itself out of the terminal; errors stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning on itself (deprecations), on the number of workers, on batch sampling of our own
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
