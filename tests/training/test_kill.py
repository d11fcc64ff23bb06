"""kill -9 at random steps, and two processes against one: whole programs, from outside."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nextreid.training.checkpoint import load_checkpoint
from nextreid.training.metrics import read_metrics

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TIMES = ("seconds", "observations_per_second", "session")


def start(*arguments, launcher=(), program="run_tiny.py"):
    command = [sys.executable, *launcher, str(HERE / program), *map(str, arguments)]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(*arguments, **keywords):
    process = start(*arguments, **keywords)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def weights(run):
    return load_checkpoint(run / "checkpoints" / "last.ckpt").weights


def rows(run):
    path = run / "metrics.csv"
    return read_metrics(path) if path.exists() else []


def untimed(listed):
    """What is the same in every run; a cell that is empty is one whose column came later."""
    return [{name: cell for name, cell in row.items() if cell and name not in TIMES} for row in listed]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody stops: 4 epochs of 8 steps, a checkpoint each third step and epoch."""
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(run)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_three_times_ends_bit_for_bit_like_one_that_was_not(tmp_path, whole, workers):
    run, chance = tmp_path / "run", random.Random(workers)
    total = len(rows(whole))
    per_epoch = total // 4
    # Three steps, each inside another epoch, none of them an epoch's end; all after the first checkpoint.
    targets = [epoch * per_epoch + chance.randint(1, per_epoch - 1) for epoch in (1, 2, 3)]
    repeated, session_starts = 0, [0]
    for number, target in enumerate(targets):
        process = start(run, "--workers", workers, "--pause", 0.03, *(["--resume"] if number else []))
        while len(rows(run)) < target or (rows(run)[-1]["session"] != str(number)):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.002)
        time.sleep(chance.random() * 0.03)  # anywhere between this step and the next
        process.kill()
        process.communicate()
        logged, saved = rows(run), load_checkpoint(run / "checkpoints" / "last.ckpt").step
        assert target <= len(logged) < total
        assert saved >= 3
        session_starts.append(saved)
        repeated = len(logged) - saved
        assert untimed(logged) == untimed(rows(whole))[: len(logged)]
    out = finish(run, "--workers", workers, "--resume")
    assert f"repeated {repeated}" in out

    # The log: every step once, and each session begins right after the checkpoint it began from.
    log = rows(run)
    assert untimed(log) == untimed(rows(whole))
    for session in range(4):
        steps = [int(row["step"]) for row in log if int(row["session"]) == session]
        if steps:
            assert steps[0] == session_starts[session] + 1
    assert log[-1]["session"] == "3"

    one, other = weights(run), weights(whole)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    files = [torch.load(each / "model" / "weights.pt", weights_only=True) for each in (run, whole)]
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    """The same global batches, losses over the global batch, averaged gradients: to 1e-5."""
    finish(tmp_path / "one", "--epochs", 1, "--rate", 1e-3)
    finish(tmp_path / "two", "--epochs", 1, "--rate", 1e-3, "--devices", 2, launcher=TWO)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in one.items():
        assert torch.allclose(value.double(), two[name].double(), atol=1e-5, rtol=1e-5), name
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert a.keys() == b.keys()
        for name in set(a) - set(TIMES):
            assert float(a[name] or 0) == pytest.approx(float(b[name] or 0), abs=1e-4), name
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(
        p.name for p in (tmp_path / "one").iterdir()
    )


@pytest.mark.slow
def test_two_processes_equal_one_with_the_next_model(tmp_path):
    """Compare Adam's mean gradients: weights whose true gradient is zero follow its rounding."""
    finish(tmp_path / "one", 1, program="run_next.py")
    finish(tmp_path / "two", 2, program="run_next.py", launcher=TWO)
    one, two = (load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two"))
    assert one.step == two.step == 4
    for number, state in one.optimizer["state"].items():
        assert torch.allclose(
            state["exp_avg"], two.optimizer["state"][number]["exp_avg"], atol=1e-7, rtol=1e-4
        )
    for name, value in one.weights.items():
        assert torch.allclose(value.double(), two.weights[name].double(), atol=1e-4), name
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-5)
