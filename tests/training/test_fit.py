"""A run from outside: its files, its errors, and that resuming is exact (a kill is in test_kill)."""

import os
import signal

import pytest
import torch
from tiny_world import MODALITIES, TinyHeads, TinyModel, observations, save_weights, training_set
from torch import nn

from nextreid.data.batch import Batch
from nextreid.data.cache import ResizedImages
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import TrainingSet
from nextreid.errors import CheckFailedError, ImageError, InputError
from nextreid.losses.total import LossWeights
from nextreid.observation import Observation
from nextreid.training.checkpoint import load_checkpoint
from nextreid.training.fit import fit
from nextreid.training.metrics import read_metrics
from nextreid.training.module import NonFiniteLossError
from nextreid.training.optim import OptimSettings

FAST = OptimSettings(optimizer="adamw", backbone_rate=1e-2, rate=1e-2, warmup_epochs=1, clip_norm=1.0)


def train(run, model=None, data=None, **keywords):
    model = model or TinyModel()
    given = {"seed": 0, "epochs": 3, "p": 3, "k": 2, "optim": FAST, "tensorboard": False} | keywords
    heads = TinyHeads(model.widths, 6)
    result = fit(
        model=model,
        heads=heads,
        data=data or training_set(),
        run=run,
        save=save_weights(model),
        accelerator="cpu",
        **{"precision": "fp32", **given},
    )
    return model, heads, result


def state(model, heads):
    return {**model.state_dict(), **{f"heads.{name}": value for name, value in heads.state_dict().items()}}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class StopAt:
    """A validation that raises at the n-th call, like a crash, or sends this process a signal."""

    def __init__(self, call, number=None, scores=(0.1, 0.3, 0.2)):
        self.call, self.number, self.scores, self.calls = call, number, scores, 0

    def __call__(self, model):
        assert not model.training
        assert not torch.is_grad_enabled()
        torch.randn(3)  # must not matter to what follows
        self.calls += 1
        if self.calls == self.call:
            if self.number is None:
                raise RuntimeError("crash")
            os.kill(os.getpid(), self.number)
        if not self.scores:  # a function of the weights alone, as real validation is
            return {"mAP": float(model.coarse.weight.detach().double().sum() * 1000 % 1)}
        return {"mAP": self.scores[(self.calls - 1) % 3], "rank1": 0.5}


def test_a_run_leaves_its_files(tmp_path):
    run = tmp_path / "run"
    model, _, result = train(run, config_text="seed: 0\n", tensorboard=True)
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "metrics.csv",
        "model",
        "tensorboard",
    ]
    assert (run / "config.yaml").read_text() == "seed: 0\n"
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    saved = torch.load(run / "model" / "weights.pt", weights_only=True)
    assert same(saved, model.state_dict())
    rows = read_metrics(run / "metrics.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert [int(row["epoch"]) for row in rows] == [1] * 4 + [2] * 4 + [3] * 4
    assert {row["session"] for row in rows} == {"0"}
    assert float(rows[0]["rate_new"]) == pytest.approx(1e-3)
    assert float(rows[4]["rate_backbone"]) == pytest.approx(1e-2)
    assert result.selection == "last epoch (3)"
    assert (result.steps, result.best, result.resumed_at) == (12, None, None)


def test_training_learns_the_colours(tmp_path):
    _, _, _ = train(tmp_path / "run", epochs=25, data=training_set(cache="ram", plain=True))
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    first, last = (sum(float(row["loss"]) for row in part) for part in (rows[:10], rows[-10:]))
    assert last < 0.7 * first


def test_the_best_validation_is_saved(tmp_path):
    run = tmp_path / "run"
    model, heads, result = train(run, validate=StopAt(-1))
    assert (result.best.epoch, result.best.step, result.best.value) == (2, 8, 0.3)
    assert "epoch 2 of 3" in result.selection
    best = load_checkpoint(run / "checkpoints" / "best.ckpt")
    assert best.step == 8
    assert load_checkpoint(run / "checkpoints" / "last.ckpt").step == 12
    assert all(
        torch.equal(model.state_dict()[name], best.weights[f"model.{name}"]) for name in model.state_dict()
    )
    scored = {row["step"]: row["val_mAP"] for row in read_metrics(run / "metrics.csv") if row["val_mAP"]}
    assert scored == {"4": "0.1", "8": "0.3", "12": "0.2"}


def test_validation_does_not_change_training(tmp_path):
    _, _, _ = train(tmp_path / "a", validate=StopAt(-1))
    _, _, _ = train(tmp_path / "b")
    ends = [load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt").weights for name in "ab"]
    assert same(*ends)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_interrupted_run_ends_like_one_that_was_not(tmp_path, accumulate):
    whole = state(*train(tmp_path / "whole", validate=StopAt(-1, scores=()), accumulate=accumulate)[:2])
    run = tmp_path / "run"
    for stop in (StopAt(2, scores=()), StopAt(1, signal.SIGTERM, scores=())):
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            train(run, validate=stop, accumulate=accumulate, resume=run.exists(), checkpoint_every=1)
    model, heads, result = train(
        run, validate=StopAt(-1, scores=()), accumulate=accumulate, resume=True, checkpoint_every=1
    )
    assert same(state(model, heads), whole)
    rows = read_metrics(run / "metrics.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, result.steps + 1))
    assert sorted({row["session"] for row in rows}) in (["0", "1", "2"], ["0", "2"], ["0", "1"])
    for one, other in zip(rows, read_metrics(tmp_path / "whole" / "metrics.csv"), strict=True):
        untimed = {name for name in one if name not in ("seconds", "observations_per_second", "session")}
        assert {name: one[name] for name in untimed} == {name: other[name] for name in untimed}


def test_ctrl_c_writes_a_checkpoint_after_the_step(tmp_path):
    run = tmp_path / "run"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(run, validate=StopAt(1, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is before
    assert load_checkpoint(run / "checkpoints" / "last.ckpt").step in (4, 5)
    assert not (run / "model").exists()


def test_the_switches_of_torch_are_put_back(tmp_path):
    assert not torch.are_deterministic_algorithms_enabled()
    train(tmp_path / "run", epochs=1)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_a_run_in_use_needs_resume_and_resume_needs_a_run(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(InputError, match=r"no run to resume.*--resume out"):
        train(run, resume=True)
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"exists.*add --resume"):
        train(run)
    assert sorted(path.name for path in run.iterdir()) == ["notes.txt"]
    (run / "notes.txt").unlink()
    train(run, epochs=1)
    with pytest.raises(InputError, match="exists"):
        train(run, epochs=1)


def test_resume_before_the_first_checkpoint_starts_anew(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / ".last.123.part.ckpt").write_bytes(b"half")
    (run / "metrics.csv").write_text("step,loss\n1,9.0\n2,9.0\n")
    _, _, result = train(run, epochs=1, resume=True)
    assert (result.resumed_at, result.repeated) == (0, 2)
    assert [row["step"] for row in read_metrics(run / "metrics.csv")] == ["1", "2", "3", "4"]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_resume_of_a_finished_run_says_so_and_completes_a_half_saved_one(tmp_path):
    run = tmp_path / "run"
    model, _, _ = train(run, validate=StopAt(-1))
    files = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    _, _, again = train(run, validate=StopAt(-1), resume=True)
    assert again.already_finished
    assert "epoch 2 of 3" in again.selection
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == files
    (run / "model").rename(run / ".model.9.part")  # killed before the last rename
    other, _, result = train(run, validate=StopAt(-1), resume=True)
    assert not result.already_finished
    assert same(torch.load(run / "model" / "weights.pt", weights_only=True), model.state_dict())
    assert not (run / ".model.9.part").exists()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "train.seed was 0, is 1"),
        ({"k": 3}, "train.k was 2, is 3"),
        ({"epochs": 4}, "train.epochs was 3, is 4"),
        ({"optim": OptimSettings()}, "optim.backbone_rate was 0.01, is 5e-06"),
        ({"weights": LossWeights(auxiliary={"text": 0.1})}, "loss.auxiliary"),
        ({"config": {"model": {"rho": 0.25}}}, "model.rho was 0.5, is 0.25"),
        ({"precision": "bf16"}, "train.precision was fp32, is bf16"),
        ({"data": training_set(each=6)}, "observations are not those that it began with"),
        ({"data": training_set(plain=True)}, "draws.augmentation.flip was 0.5, is 0"),
    ],
)
def test_resume_with_another_configuration_names_the_option(tmp_path, changed, named):
    run = tmp_path / "run"
    config = {"config": {"model": {"rho": 0.5}}}
    with pytest.raises(RuntimeError, match="crash"):
        train(run, validate=StopAt(2), **config)
    with pytest.raises(InputError, match="cannot be resumed") as caught:
        train(run, validate=StopAt(-1), resume=True, **{**config, **changed})
    assert named in str(caught.value)


class Exploding(TinyModel):
    def forward(self, batch: Batch):
        output = super().forward(batch)
        if getattr(self, "steps", 0) == 6:
            output.branches["coarse"].data.fill_(float("inf"))
        self.steps = getattr(self, "steps", 0) + 1
        return output


def test_a_loss_that_is_not_finite_stops_with_step_and_parts(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(NonFiniteLossError, match=r"step 7: loss=.*Not finite: .*coarse\.triplet"):
        train(run, model=Exploding())
    assert load_checkpoint(run / "checkpoints" / "last.ckpt").step == 4
    assert [row["step"] for row in read_metrics(run / "metrics.csv")] == [str(n) for n in range(1, 7)]


class Idle(TinyModel):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)

    def parameter_groups(self):
        groups = super().parameter_groups()
        return {**groups, "new": groups["new"] + list(self.unused.parameters())}


class Forgotten(TinyModel):
    def __init__(self):
        super().__init__()
        self.forgotten = nn.Parameter(torch.zeros(2))


def test_parameters_without_gradient_or_group_are_named(tmp_path):
    with pytest.raises(CheckFailedError, match=r"2 trainable.*model\.unused\.weight, model\.unused\.bias"):
        train(tmp_path / "a", model=Idle())
    with pytest.raises(CheckFailedError, match=r"in no parameter group: model\.forgotten"):
        train(tmp_path / "b", model=Forgotten())
    idle = Idle()
    idle.unused.requires_grad_(False)
    groups = TinyModel.parameter_groups
    idle.parameter_groups = lambda: groups(idle)
    train(tmp_path / "c", model=idle, epochs=1, check_gradients="always")


def test_options_that_cannot_be_are_errors(tmp_path):
    for bad, message in (
        ({"p": 7}, r"train.p=7.*set train.p to 6"),
        ({"epochs": 0}, "train.epochs=0"),
        ({"accumulate": 100}, r"train.accumulate=100"),
        ({"precision": "fp16"}, "train.precision"),
        ({"optim": OptimSettings(warmup_epochs=3), "epochs": 2}, r"warmup_epochs=3 .*epochs=2.*at most 2"),
        ({"devices": 7}, r"on 7 processes.*train.p, train.k or the number of devices"),
        ({"weights": LossWeights(auxiliary={"depth": 1.0})}, r"loss.depth=1.0"),
    ):
        with pytest.raises(InputError, match=message):
            train(tmp_path / message.replace("*", ""), **bad)


def test_an_unreadable_image_stops_before_the_first_step(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    broken = [*observations(), Observation(id="x", identity="i0", rgb=tmp_path / "empty.png")]
    images = ResizedImages(broken, transform=ImageTransform((24, 16)))
    with pytest.raises(ImageError, match=r"'x', modality rgb.*empty.png"):
        train(tmp_path / "run", data=TrainingSet(images, modalities=MODALITIES))
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_auxiliary_terms_count_by_their_weight(tmp_path):
    ends = []
    for number, weights in enumerate(
        (None, LossWeights(auxiliary={"text": 0.0}), LossWeights(auxiliary={"text": 1.0}))
    ):
        model, _, _ = train(tmp_path / str(number), weights=weights, epochs=1)
        ends.append(model.coarse.weight.detach().clone())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_bf16_keeps_weights_and_losses_in_float32(tmp_path):
    model, _, _ = train(tmp_path / "run", epochs=1, precision="bf16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
