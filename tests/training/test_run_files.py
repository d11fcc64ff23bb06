import pickle

import pytest
import torch

from nextreid.errors import InputError
from nextreid.training.checkpoint import (
    Best,
    Checkpoint,
    check_settings,
    link_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from nextreid.training.metrics import MetricsFile, TensorBoard, read_metrics
from nextreid.training.run import check_run_folder, has_checkpoint, open_run


def checkpoint(step=3):
    return Checkpoint(
        step=step,
        session=1,
        settings={"seed": "0"},
        weights={"a": torch.arange(5.0)},
        optimizer={"state": {}, "param_groups": [{"lr": 0.1, "name": "new", "params": [0]}]},
        best=Best(step=2, epoch=1, value=0.25),
    )


def test_a_checkpoint_comes_back(tmp_path):
    save_checkpoint(checkpoint(), tmp_path / "last.ckpt")
    link_checkpoint(tmp_path / "last.ckpt", tmp_path / "best.ckpt")
    save_checkpoint(checkpoint(step=9), tmp_path / "last.ckpt")  # the link keeps the old one
    back = load_checkpoint(tmp_path / "best.ckpt")
    assert (back.step, back.session, back.best) == (3, 1, Best(2, 1, 0.25))
    assert torch.equal(back.weights["a"], torch.arange(5.0))
    assert load_checkpoint(tmp_path / "last.ckpt").step == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(checkpoint(), tmp_path / "last.ckpt")

    def fail(state, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(checkpoint(step=9), tmp_path / "last.ckpt")
    assert load_checkpoint(tmp_path / "last.ckpt").step == 3
    assert len(list(tmp_path.iterdir())) == 1


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_damaged_foreign_and_hostile_files_are_errors(tmp_path, capsys):
    path = tmp_path / "last.ckpt"
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(path)
    save_checkpoint(checkpoint(), path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"text", pickle.dumps(Evil())):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            load_checkpoint(path)
    torch.save({"x": Evil()}, path)
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(InputError, match="not a checkpoint"):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""


def test_other_options_are_named(tmp_path):
    check_settings({"a": "1"}, {"a": "1"}, tmp_path)
    with pytest.raises(InputError, match=r"seed was 0, is 1; train.p was 8, is \(not set\)"):
        check_settings({"seed": "0", "train.p": "8", "x": "y"}, {"seed": "1", "x": "y"}, tmp_path)


def test_metrics_grow_columns_and_forget_what_comes_after_the_checkpoint(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = MetricsFile(path)
    for step in range(1, 6):
        metrics.append({"step": step, "loss": 1 / step, **({"val_mAP": 0.5} if step == 3 else {})})
    assert [row["val_mAP"] for row in read_metrics(path)] == ["", "", "0.5", "", ""]
    assert [float(row["loss"]) for row in read_metrics(path)] == [1 / step for step in range(1, 6)]
    before = path.read_text().splitlines()
    with path.open("a") as file:
        file.write("6,0.1")  # cut short by a kill
    again = MetricsFile(path, step=3)
    assert again.removed == 2
    assert path.read_text().splitlines() == before[:4]
    again.append({"step": 4, "loss": 2.0})
    assert [row["step"] for row in read_metrics(path)] == ["1", "2", "3", "4"]


def test_metrics_cut_in_the_first_rows_and_before_any(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,lo")
    assert MetricsFile(path).removed == 0
    path.write_text("step,loss\n1,0.5\n")
    metrics = MetricsFile(path, step=0)
    assert metrics.removed == 1
    metrics.append({"step": 1, "loss": 3.0})
    assert read_metrics(path) == [{"step": "1", "loss": "3.0"}]


def test_tensorboard_writes_events(tmp_path):
    board = TensorBoard(tmp_path)
    board.append({"step": 1, "loss": 0.5})
    board.sync()
    board.close()
    assert any(path.name.startswith("events.out") for path in tmp_path.iterdir())


def test_a_run_that_never_began_may_begin_again(tmp_path):
    run = tmp_path / "run"
    assert open_run(run, resume=False, settings={}, config_text="seed: 0\n") is None
    assert open_run(run, resume=False, settings={}, config_text="seed: 1\n") is None
    assert (run / "config.yaml").read_text() == "seed: 1\n"
    assert not has_checkpoint(run)
    (run / "checkpoints" / "last.ckpt").write_text("")
    assert has_checkpoint(run)
    with pytest.raises(InputError, match="exists"):
        check_run_folder(run, resume=False)
    only = tmp_path / "only"
    only.mkdir()
    (only / "config.yaml").write_text("of the user's")
    with pytest.raises(InputError, match="exists"):
        check_run_folder(only, resume=False)
    with pytest.raises(InputError, match="no run to resume"):
        check_run_folder(tmp_path / "none", resume=True)
