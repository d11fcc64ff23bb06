"""`nextreid pretrain` from the command line, small: its files, its errors, and that resuming is exact."""

import json
import os
import signal

import pytest
import torch
from pretrain_cases import pretrain, sha256, untimed, words_of

from nextreid.cli.main import INTERRUPTED, main
from nextreid.cli.pretrain import PretrainConfig
from nextreid.losses.grounding import PairSigmoid
from nextreid.model.backbone import load_clip
from nextreid.model.clip_folder import read_notes
from nextreid.pretraining.fit import loss_curve
from nextreid.pretraining.optim import share_of_rate
from nextreid.pretraining.pairs import TERMS
from nextreid.training.checkpoint import load_checkpoint
from nextreid.training.metrics import read_metrics

LAST = "checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, worlds):
    """A run that nobody stops: 12 steps, checkpoints after 5, 10 and 12."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert pretrain(run, worlds) == 0
    return run


def test_a_run_leaves_its_files(whole):
    assert sorted(path.name for path in whole.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "metrics.csv",
        "model",
    ]
    assert [path.name for path in (whole / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "identities: 10" in (whole / "config.yaml").read_text()
    held = {path.name for path in (whole / "model").iterdir()}
    assert held >= {"config.json", "model.safetensors", "tokenizer.json", "README.md", "pretraining.json"}
    checkpoint = load_checkpoint(whole / LAST)
    assert checkpoint.step == 12
    assert any(name.startswith("region_pairs.") for name in checkpoint.weights)


def test_metrics_have_a_row_a_step(whole):
    rows = read_metrics(whole / "metrics.csv")
    assert list(rows[0]) == ["step", "loss", *TERMS, "norm", "rate", "seconds"]
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    loss = PretrainConfig().loss
    weights = {"image": 1.0, "value": loss.choice, "dense": loss.dense, "place": loss.choice}
    for step, row in enumerate(rows):
        total = sum(weights[name] * float(row[name]) for name in TERMS)
        assert float(row["loss"]) == pytest.approx(total)
        assert float(row["rate"]) == share_of_rate(step, total=12, warmup=1)
        assert min(float(row[name]) for name in (*TERMS, "norm")) > 0
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)


def test_the_notes_tell_how_it_was_made(whole):
    notes = read_notes(whole / "model")
    assert notes.command.startswith("nextreid pretrain --out DIR --world.count 1 --world.identities 10 ")
    assert (notes.seed, notes.steps, notes.images_seen) == (0, 12, 96)
    assert (notes.left_out, notes.class_token_only, notes.selection) == (None, False, "last step")
    assert {world["kind"]: world["observations"] for world in notes.worlds} == {"person": 20, "vehicle": 20}
    assert notes.settings["model.width"] == 48
    assert notes.settings["precision"] == "fp32"
    assert notes.weights_sha256 == sha256(whole)
    assert [list(row) for row in notes.loss] == loss_curve(whole / "metrics.csv", every=1)
    assert notes.seconds > 0
    assert {"nextreid", "torch"} <= set(notes.versions)
    assert "/" not in notes.command  # no folder of this machine


def test_the_loss_curve_by_hand(tmp_path):
    path = tmp_path / "metrics.csv"
    lines = [f"{step},{step},{2 * step},{3 * step},{4 * step},0" for step in range(1, 8)]
    path.write_text("\n".join([",".join(("step", "loss", *TERMS)), *lines]) + "\n")
    assert loss_curve(path, every=3) == [[3, 2.0, 4.0, 6.0, 8.0, 0.0], [6, 5.0, 10.0, 15.0, 20.0, 0.0]]
    assert loss_curve(path, every=8) == []


def test_the_model_loads_and_reads(whole):
    clip = load_clip(str(whole / "model"))
    assert clip.origin == "builtin"
    assert clip.model.dtype == torch.float32
    kept = load_checkpoint(whole / LAST).weights
    loaded = clip.model.state_dict()["text_projection.weight"]
    assert torch.equal(loaded.half(), kept["texts.projection.weight"].half())
    tokens = clip.tokenizer(["The person is wearing a red coat."], return_tensors="pt")
    with torch.inference_mode():
        assert clip.model.text_model(**tokens).pooler_output.isfinite().all()


def test_the_same_again_and_as_json(whole, tmp_path, worlds, capsys):
    assert main([*words_of(tmp_path / "run", worlds), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sha256(tmp_path / "run") == sha256(whole)
    assert untimed(tmp_path / "run") == untimed(whole)
    assert (told["steps"], told["model"]) == (12, str(tmp_path / "run" / "model"))
    assert told["loss"] == [list(row) for row in read_notes(whole / "model").loss]


@pytest.mark.parametrize("until", [7, 10])
def test_until_and_resume_end_like_an_unbroken_run(whole, tmp_path, worlds, capsys, until):
    run = tmp_path / "run"
    assert main(words_of(run, worlds, "--until", str(until))) == 0
    assert "--resume goes on" in capsys.readouterr().out
    assert not (run / "model").exists()
    assert untimed(run) == untimed(whole)[:until]
    assert load_checkpoint(run / LAST).step == until
    assert pretrain(run, worlds, "--resume") == 0
    assert sha256(run) == sha256(whole)
    assert untimed(run) == untimed(whole)
    before = read_notes(run / "model")
    assert pretrain(run, worlds, "--resume") == 0  # of a run that is complete: nothing is learned
    assert sha256(run) == sha256(whole)
    assert read_notes(run / "model").loss == before.loss


def test_until_before_where_a_run_is_says_so(whole, worlds, capsys):
    before = (whole / LAST).read_bytes()
    assert pretrain(whole, worlds, "--resume", "--until", "5") == 2
    assert "--until 5. Allowed: 12 or more" in " ".join(capsys.readouterr().err.split())
    assert (whole / LAST).read_bytes() == before


def test_sums_do_not_depend_on_which_thread_was_first(tmp_path, worlds, monkeypatch):
    """Two runs of few and small steps agree by luck, so what is asked is torch's switch."""
    switches = []

    def shared(step, **keywords):
        switches.append(torch.are_deterministic_algorithms_enabled())
        return share_of_rate(step, **keywords)

    monkeypatch.setattr("nextreid.pretraining.fit.share_of_rate", shared)
    assert pretrain(tmp_path / "run", worlds, "--until", "2") == 0
    assert switches == [True, True]
    assert not torch.are_deterministic_algorithms_enabled()  # as before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_with_a_checkpoint(whole, tmp_path, worlds, monkeypatch, number):
    run, steps = tmp_path / "run", []

    def shared(step, **keywords):
        steps.append(step)
        if step == 6:
            os.kill(os.getpid(), number)
        return share_of_rate(step, **keywords)

    before = signal.getsignal(number)
    monkeypatch.setattr("nextreid.pretraining.fit.share_of_rate", shared)
    assert pretrain(run, worlds) == INTERRUPTED
    assert signal.getsignal(number) is before
    assert steps[-1] == 6
    assert load_checkpoint(run / LAST).step == 7
    monkeypatch.undo()
    assert pretrain(run, worlds, "--resume") == 0
    assert sha256(run) == sha256(whole)


def test_who_is_stopped_before_the_first_checkpoint_begins_again(
    whole, tmp_path, worlds, monkeypatch, capsys
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setattr("nextreid.pretraining.fit.teach_text", interrupted)
    assert main(words_of(run, worlds)) == INTERRUPTED
    assert "To go on: the same command with --resume" in capsys.readouterr().err
    assert not (run / LAST).exists()
    monkeypatch.undo()
    (run / "metrics.csv").write_text("step,loss\n1,9.0\n")  # of steps that no checkpoint holds
    assert pretrain(run, worlds, "--resume") == 0
    assert untimed(run) == untimed(whole)
    assert sha256(run) == sha256(whole)


def test_rows_after_the_checkpoint_are_done_again(whole, tmp_path, worlds):
    """As a kill leaves it: the log is ahead of the checkpoint, its last line is cut."""
    run = tmp_path / "run"
    assert pretrain(run, worlds, "--until", "5") == 0
    with (run / "metrics.csv").open("a") as file:
        file.write("6,9.0,9.0,0.0,9.0,0.0,1.0,1.0,3.0\n7,9.0,9")
    assert pretrain(run, worlds, "--resume") == 0
    assert untimed(run) == untimed(whole)
    assert sha256(run) == sha256(whole)


def test_a_run_in_use_needs_resume_and_resume_needs_a_run(whole, tmp_path, worlds, capsys):
    assert pretrain(whole, worlds) == 2
    assert "add --resume" in capsys.readouterr().err
    assert pretrain(tmp_path / "none", worlds, "--resume") == 2
    assert "no run to resume" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_folder_with_other_files_is_refused(tmp_path, worlds, capsys):
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "manifest.csv").write_text("observation,rgb\n")
    (tmp_path / "file").write_text("")
    for name, said in (("world", "holds other files: manifest.csv"), ("file", "is a file")):
        assert pretrain(tmp_path / name, worlds) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in (tmp_path / "world").iterdir()] == ["manifest.csv"]
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".config.yaml.half-written").write_text("")
    assert pretrain(tmp_path / "killed", worlds, "--train.steps", "1") == 0


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--train.steps", "13"], "train.steps was 12, is 13"),
        (["--loss.texts", "9"], "loss.texts was 8, is 9"),
        (["--optim.matrix_rate", "0.004"], "optim.matrix_rate was"),
        (["--model.layers", "1"], "model.layers was 2, is 1"),
        (["--seed", "1", "--world.identities", "2", "--loss.pictures", "4"], "seed was 0, is 1"),
        (["--leave-out", "tir"], "leave_out was None, is tir"),
        (["--class-token-only"], "class_token_only was False, is True"),
    ],
)
def test_other_options_on_resume_are_named(whole, tmp_path, worlds, capsys, changed, named):
    before = (whole / LAST).read_bytes()
    folder = tmp_path / "worlds" if "--seed" in changed else worlds
    assert pretrain(whole, folder, "--resume", *changed) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "cannot be resumed" in shown
    assert named in shown
    assert (whole / LAST).read_bytes() == before


def test_the_class_token_alone(tmp_path, worlds, whole):
    run = tmp_path / "run"
    assert pretrain(run, worlds, "--class-token-only", "--train.steps", "3") == 0
    rows = read_metrics(run / "metrics.csv")
    assert {float(row[name]) for row in rows for name in ("dense", "place")} == {0.0}
    for row in rows:
        assert float(row["loss"]) == pytest.approx(float(row["image"]) + 2 * float(row["value"]))
    assert rows[0]["image"] == read_metrics(whole / "metrics.csv")[0]["image"]  # the same start and batch
    assert not any(name.startswith("region") for name in load_checkpoint(run / LAST).weights)
    notes = read_notes(run / "model")
    assert notes.class_token_only
    assert "--class-token-only" in notes.command
    assert notes.settings["dense"] == 0.0


def test_a_modality_is_left_out(tmp_path, worlds, capsys):
    run = tmp_path / "run"
    assert main(words_of(run, worlds, "--leave-out", "tir", "--train.steps", "2")) == 0
    assert "80 pictures (rgb, nir)" in " ".join(capsys.readouterr().err.split())
    notes = read_notes(run / "model")
    assert notes.left_out == "tir"
    assert "--leave-out tir" in notes.command
    assert {tuple(world["modalities"]) for world in notes.worlds} == {("rgb", "nir")}


def test_the_loss_falls(tmp_path, worlds):
    """The dense term begins low, because it knows how often texts are true, and falls over longer runs."""
    run = tmp_path / "run"
    assert pretrain(run, worlds, "--train.steps", "40") == 0
    rows = read_metrics(run / "metrics.csv")
    for name in ("loss", "image", "value"):
        first, last = (sum(float(row[name]) for row in part) for part in (rows[:8], rows[-8:]))
        assert last < 0.95 * first, (name, first, last)


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(tmp_path, worlds, monkeypatch, capsys):
    whole, calls = PairSigmoid.forward, []

    def breaking(self, *arguments, **keywords):
        reading = 2 * 2 * 6  # two a step before, of both kinds
        calls.append(1)  # two a step: of images and of regions
        return whole(self, *arguments, **keywords) * (float("nan") if len(calls) > reading + 2 * 7 else 1)

    monkeypatch.setattr(PairSigmoid, "forward", breaking)
    run = tmp_path / "run"
    assert pretrain(run, worlds) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "not finite in step 8 (image nan" in shown
    assert "lower --optim.matrix_rate" in shown
    assert load_checkpoint(run / LAST).step == 5
    assert len(read_metrics(run / "metrics.csv")) == 7
    assert not (run / "model").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "Allowed: 0 to"),
        (["--seed", "100000000"], "Allowed: 0 to"),
        (["--world.identites", "10"], "the nearest is world.identities"),
        (["--train.step", "10"], "the nearest is train.steps"),
        (["--leave-in", "tir"], "the nearest is leave-out"),
        (["--leave-out", "sonar"], "choose from"),
        (["--leave-out", "tir", "--leave-out", "rgb"], "given twice"),
        (["--until", "0"], "a whole number, 1 or more"),
        (["--loss.dense", "-1"], "loss.dense = '-1' cannot be used. Allowed: a number, 0 or more"),
        (["--optim.rate", "0"], "optim.rate"),
        (["--world.identities", "1"], "2 or more"),
        (["--model.width", "50"], "a multiple of model.heads=3"),
        (["--model.text_width", "200"], "a multiple of 3, its heads"),
        (["--world.count", "51"], "1 to 50"),
        (["--model.stem", "[8,16]"], "four numbers, or []"),
        (["--model.stem", "8,16,x,8"], "numbers with commas between, or []"),
        (["--until", "13"], "1 to 12, train.steps"),
        (["--model.stem", "[8,16,0,8]"], "model.stem"),
        (["--train.reading", "0"], "train.reading"),
        (["--train.precision", "fp16"], "train.precision"),
        (
            ["--loss.pictures", "81"],
            "--loss.pictures 81: an epoch has 80 pictures of a kind. Allowed: at most 80",
        ),
        (
            ["--loss.pictures", "7", "--train.devices", "2"],
            "--loss.pictures 7 on 2 processes (--train.devices x --train.nodes). Allowed: a multiple of 2",
        ),
    ],
)
def test_bad_options_are_errors(tmp_path, worlds, capsys, words, said):
    assert pretrain(tmp_path / "run", worlds, *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_every_option_is_in_the_help_with_its_origin(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["pretrain", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--world.count 4", "--loss.dense 4.0", "--train.steps", "--leave-out", "--until"):
        assert option in shown


def test_forgotten_options_are_named_before_the_worlds_are_looked_at(tmp_path, worlds, capsys):
    run = tmp_path / "run"
    assert pretrain(run, worlds, "--until", "5") == 0
    assert main(["pretrain", "--out", str(run), "--worlds", str(tmp_path / "none"), "--resume"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "cannot be resumed with other options" in shown
    assert "loss.pictures was 8" in shown
    assert not (tmp_path / "none").exists()
    assert (run / "config.yaml").read_text().startswith("# nextreid pretrain --out DIR ")


def test_a_finished_run_is_left_as_it_is_when_resumed(tmp_path, worlds):
    run = tmp_path / "run"
    assert pretrain(run, worlds) == 0
    before = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    assert pretrain(run, worlds, "--resume") == 0
    assert {path.name: path.read_bytes() for path in (run / "model").iterdir()} == before


def test_notes_of_a_control_name_no_weight_of_the_dense_term(tmp_path, worlds):
    assert pretrain(tmp_path / "run", worlds, "--class-token-only") == 0
    notes = read_notes(tmp_path / "run" / "model")
    assert notes.class_token_only
    assert "loss.dense" not in notes.settings
    assert notes.settings["dense"] == 0.0


def test_the_control_takes_no_weight_of_the_dense_term(tmp_path, worlds, capsys):
    assert pretrain(tmp_path / "run", worlds, "--class-token-only", "--loss.dense", "2") == 2
    assert "one of them" in capsys.readouterr().err
