"""The command line: help without weight, errors without tracebacks, exit codes, JSON alone on stdout."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nextreid.cli import main as command
from nextreid.cli.main import main, verbs
from nextreid.cli.terminal import Terminal
from nextreid.cli.writing import check_out
from nextreid.errors import CheckFailedError, InputError, MissingExtraError


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nextreid.cli.main", *words], capture_output=True, text=True, check=False
    )


def test_help_is_quick() -> None:
    seconds = []
    for _ in range(3):  # the fastest of three: the machine may be busy
        started = time.perf_counter()
        assert run("--help").returncode == 0
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.0


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: verb.name)
def test_each_verb_has_help_with_a_line_to_copy(verb, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*verb.name.split(), "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert verb.example in out
    for option in ("--device", "--workers", "--seed", "--on-error", "--json", "--quiet"):
        assert option in out


def test_the_line_to_copy_can_be_parsed() -> None:
    for verb in verbs():
        words = verb.example.split()
        assert words[0] == "nextreid"
        args, rest = command.build_parser().parse_known_args(words[1:])
        assert args.chosen.name == verb.name
        assert not rest or verb.settings


def test_version() -> None:
    done = run("--version")
    assert re.fullmatch(r"nextreid \d+\.\d+\.\d+", done.stdout.strip())


def test_train_help_lists_every_option_with_its_origin(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "--train.epochs 50" in out
    assert "--model.tmse true" in out
    assert re.search(r"--model\.backbone \S+\n +hub id", out)  # too long for its column
    assert "default from: DeMo" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data", "check", "nowhere"), "nowhere"),
        (("data", "check", "nowhere", "--layut", "x"), "nearest is --layout"),
        (("snth",), "'snth'"),
        (("synth",), "see `nextreid synth --help`"),
        (("synth", "w", "--size", "3"), "HEIGHTxWIDTH"),
        (("data", "chek"), "'chek'"),
        (("embed", "--model", "m", "--data", "d", "--out", "e.txt"), ".npz"),
        (("embed", "--model", "m", "--data", "d", "--out", "e.npz"), "no model folder m"),
        (("embed", "--model", "m", "--data", "d", "--out", "e.npz", "--batch-size", "0"), "1 or more"),
        (("evaluate", "--model", "m", "--data", "d", "--out", "r.json", "--bootstrap", "-5"), "0 or more"),
        (("evaluate", "--model", "m", "--data", "d", "--out", "r.json"), "no model folder m"),
        (("evaluate", "--model", "m", "--data", "d", "--out", "r.txt"), ".json"),
        (("train", "--out", "r"), "--data"),
        (("train", "--out", "r", "--data", "d", "--trian.epochs", "3"), "nearest is train.epochs"),
        (("train", "--out", "r", "--data", "d", "--config", "nosuch"), "cpu-small"),
        (("train", "--out", "r", "--data", "d", "--model.rho", ".3", "--model.tmse", "no"), "no effect"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, said, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(list(words)) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("words", ["data list", "model probe --model m --data d --out o"])
def test_a_device_that_is_not_there_is_refused_also_where_no_network_runs(words, capsys, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*words.split(), "--device", "cuda"]) == 2
    assert "no cuda device" in capsys.readouterr().err


def test_argparse_errors_exit_2() -> None:
    assert run("synth").returncode == 2
    assert run("nosuchverb").returncode == 2
    assert run("synth", "x", "--size", "3").returncode == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a"), 2),
        (CheckFailedError("a"), 1),
        (MissingExtraError("a"), 3),
        (KeyboardInterrupt(), 130),
        (OSError("disk full"), 2),
        (RuntimeError("surprise"), 70),
    ],
)
def test_exit_codes(error, code, capsys, monkeypatch) -> None:
    def fail(args, terminal):
        raise error

    listed = next(verb for verb in verbs() if verb.name == "data list")
    broken = type(listed)(**{**listed.__dict__, "run": fail})
    monkeypatch.setattr(command, "verbs", lambda: (broken,))
    assert main(["data", "list"]) == code
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    if code == 70:
        kept = re.search(r"The traceback is in (\S+\.txt)", shown)
        assert kept
        assert "surprise" in Path(kept[1]).read_text()
        Path(kept[1]).unlink()


def test_json_is_alone_on_stdout(capsys) -> None:
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layouts"][0]["name"] == "rgbnt201"
    assert main(["data", "check", "nowhere", "--json"]) == 2
    assert "nowhere" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["data", "check", "nowhere", "--protocol", "nosuch", "--json"]) == 2
    assert "nosuch" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_only_the_first_of_several_processes_speaks(capsys, monkeypatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert main(["data", "list"]) == 0
    assert main(["data", "list", "--json"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["data", "check", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_progress_is_lines_where_there_is_no_terminal(capsys) -> None:
    with Terminal().progress.task("working", 3) as task:
        task.advance(2)
        task.note("fine")
        task.advance()
    captured = capsys.readouterr()
    assert "working: 3/3" in captured.err
    assert captured.out == ""
    with Terminal(quiet=True).progress.task("working", 3) as task:
        task.advance(3)
    assert capsys.readouterr().err == ""


def test_bars_can_be_nested() -> None:
    import io

    from rich.console import Console

    from nextreid.cli.drawing import Bars

    stream = io.StringIO()
    bars = Bars(Console(file=stream, force_terminal=True, width=100))
    with bars.task("outer", 2) as outer:
        with bars.task("inner", None) as inner:
            inner.advance()
            inner.note("loss 1.0")
        outer.advance()
    assert "outer" in stream.getvalue()
    assert "loss 1.0" in stream.getvalue()


def test_a_place_where_nothing_can_be_written_is_named_before_the_work(tmp_path) -> None:
    check_out(tmp_path / "new" / "deep" / "r.json", suffixes=(".json",))
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match=r"nothing can be written in .*file"):
        check_out(tmp_path / "file" / "r.json", suffixes=(".json",))
    with pytest.raises(InputError, match="is a folder"):
        check_out(tmp_path / "folder.json", suffixes=(".json",))
    with pytest.raises(InputError, match=r"ending in \.npz or \.safetensors"):
        check_out(tmp_path / "e.csv", suffixes=(".npz", ".safetensors"))


def test_a_list_that_is_cut_off_keeps_its_dots() -> None:
    assert str(InputError("it holds a, b ...", allowed="c.", do="d")) == (
        "it holds a, b ... Allowed: c. What to do: d."
    )


def test_an_interrupted_training_says_how_to_go_on(tmp_path, monkeypatch, capsys) -> None:
    from nextreid.cli import train

    def stop(*args, **keywords):
        checkpoints = tmp_path / "a run" / "checkpoints"
        checkpoints.mkdir(parents=True)
        (checkpoints / "last.ckpt").write_text("")
        raise KeyboardInterrupt

    (tmp_path / "t.csv").write_text("observation,rgb\na,a.png\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "train", stop)
    assert main(["train", "--data", "t.csv", "--out", "a run", "--quiet"]) == 130
    assert "nextreid train --out 'a run' --resume" in capsys.readouterr().err
