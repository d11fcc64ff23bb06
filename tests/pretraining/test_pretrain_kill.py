"""kill -9 at random steps, worker processes, and two processes against one: whole programs, from outside."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pretrain_cases import sha256, untimed, words_of

from nextreid.training.checkpoint import load_checkpoint
from nextreid.training.metrics import read_metrics

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "run_pretrain.py"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
STEPS = ("--train.steps", "30")
LINEAR = ("--model.stem", "[]")  # normalisation of a stem is over the pictures of a process


def start(*words, launcher=()):
    command = [sys.executable, *launcher, str(PROGRAM), *words]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(*words, launcher=()):
    process = start(*words, launcher=launcher)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def logged(run):
    path = run / "metrics.csv"
    return len(read_metrics(path)) if path.exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory, worlds):
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(*words_of(run, worlds, *STEPS))
    return run


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_killed_twice_ends_bit_for_bit_like_one_that_was_not(tmp_path, worlds, whole, workers):
    run, chance = tmp_path / "run", random.Random(int(workers))
    words = words_of(run, worlds, *STEPS, "--workers", workers)
    for number, target in enumerate((chance.randint(6, 14), chance.randint(16, 24))):
        process = start(*words, "--pause", "0.05", *(["--resume"] if number else []))
        began = False  # the log of the session before is cut to its checkpoint first
        while not (began and logged(run) >= target):
            began = began or not number or logged(run) < target
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)  # anywhere between this step and the next
        process.kill()
        process.communicate()
        rows, saved = untimed(run), load_checkpoint(run / "checkpoints" / "last.ckpt").step
        assert saved % 5 == 0
        assert target - 5 <= saved <= len(rows) < 30
        assert rows == untimed(whole)[: len(rows)]
    finish(*words, "--resume")
    assert untimed(run) == untimed(whole)
    assert sha256(run) == sha256(whole)
    one, other = (load_checkpoint(each / "checkpoints" / "last.ckpt").weights for each in (run, whole))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_processes_equal_one_that_draws_the_same_pictures(tmp_path, worlds):
    """Mirroring and shifts are each process's own, so here nothing is moved; all else is compared.

    Muon turns rounding, where a matrix has no gradient, into steps: equal weights show as equal losses. The
    norm of the gradient shows such steps more; other pictures or weights would change it by tenths.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    finish(*words_of(one, worlds, *LINEAR, "--still"))
    finish(*words_of(two, worlds, *LINEAR, "--still", "--train.devices", "2"), launcher=TWO)
    for a, b in zip(untimed(one), untimed(two), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-2 if name == "norm" else 1e-3), (
                a["step"],
                name,
            )
    assert sorted(p.name for p in two.iterdir()) == sorted(p.name for p in one.iterdir())


@pytest.mark.parametrize("launcher", [TWO, ()], ids=["torchrun", "by itself"])
def test_two_processes_begin_with_the_loss_of_one(tmp_path, worlds, launcher):
    """As it really runs: the texts and labels are one batch's, the shifts differ."""
    one, two = tmp_path / "one", tmp_path / "two"
    finish(*words_of(one, worlds, *LINEAR, "--until", "1"))
    out = finish(*words_of(two, worlds, *LINEAR, "--until", "1", "--train.devices", "2"), launcher=launcher)
    assert out.count("Stopped after step 1") == 1  # one process speaks
    a, b = (float(untimed(run)[0]["image"]) for run in (one, two))  # regions shift with the pictures
    assert a == pytest.approx(b, rel=0.06)  # 8 pictures, zoomed by up to 15 % either way
    assert a != b
