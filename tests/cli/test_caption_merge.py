import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextreid.captions.caption_set import read_caption_set
from nextreid.cli.main import main

sys.path.append(str(Path(__file__).parents[1] / "captions"))
from noisy_world import noisy_world, write_world


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    assert main([*map(str, words), "--json", "--quiet"]) == code
    text = capsys.readouterr().out
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merge")
    _, rows, truth = noisy_world("person", 40)
    write_world(folder / "world", rows, truth)
    for model in ("default", "other"):
        words = ("caption", "generate", "--data", folder / "world", "--out", folder / model)
        assert main([*map(str, words), "--backend", "simulated", "--model", model, "--quiet"]) == 0
    return folder


def test_answers_of_several_sets_become_one(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = made / "both"
    found = run(
        capsys, "caption", "merge", made / "default", made / "other", "--data", made / "world", "--out", out
    )
    held = read_caption_set(out)
    assert held.run["models"].keys() == {"simulated:default", "simulated:other"}
    assert any(len(slot.source_model) == 2 for slot in held.table.slots)
    assert found["slots"] == found["own"] + found["complemented"] == len(held.table.slots)
    assert sum(entry["contradictions"] for entry in found["contradictions"].values()) == len(
        (out / "contradictions.jsonl").read_text().splitlines()
    )
    one = run(
        capsys,
        *("caption", "merge", made / "default", made / "other", "--data", made / "world"),
        *("--model", "other", "--out", made / "only"),
    )
    assert one["slots"] == len(read_caption_set(made / "other").table.slots)
    assert read_caption_set(made / "only").table == read_caption_set(made / "other").table


def test_plain_captions_say_unknown_and_merged_ones_never(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("caption", "merge", made / "default", "--data", made / "world", "--out")
    run(capsys, *words, made / "plain", "--method", "plain")
    texts = "".join(path.read_text() for path in (made / "plain" / "text").iterdir())
    assert "unknown" in texts
    assert read_caption_set(made / "plain").table.unfilled
    assert yaml.safe_load((made / "plain" / "run.yaml").read_text())["method"] == "plain"
    texts = "".join(path.read_text() for path in (made / "default" / "text").iterdir())
    assert "unknown" not in texts


def test_a_set_can_be_merged_anew_in_its_place(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("caption", "generate", "--data", made / "world", "--out", made / "again")
    run(capsys, *words, "--backend", "simulated", "--model", "other")
    log = (made / "again" / "answers.jsonl").read_bytes()
    before = read_caption_set(made / "again").table
    run(capsys, "caption", "merge", made / "again", "--data", made / "world", "--complement-threshold", "0.9")
    after = read_caption_set(made / "again")
    assert len(after.table) < len(before)
    assert after.run["complement_threshold"] == 0.9
    assert (made / "again" / "answers.jsonl").read_bytes() == log
    assert main([*map(str, words), "--backend", "simulated", "--model", "other"]) == 0
    assert "set notes: complement threshold 0.9" in " ".join(capsys.readouterr().out.split())
    assert read_caption_set(made / "again").table == after.table, "generate goes by the set's rule"
    run(capsys, "caption", "merge", made / "again", "--data", made / "world")
    assert read_caption_set(made / "again").table == before


def test_a_calibration_is_fitted_proven_and_used(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = made / "calibration.json"
    found = run(
        capsys,
        "caption",
        "calibrate",
        made / "default",
        "--truth",
        made / "world",
        "--out",
        out,
        "--target-precision",
        "0.9",
    )
    assert found["held_out"]["precision"] >= 0.88  # 12 observations: the target itself is tested with more
    assert found["held_out"]["ece"]["calibrated"] < found["held_out"]["ece"]["stated"]
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    words = ("caption", "merge", made / "default", "--data", made / "world", "--out", made / "calibrated")
    run(capsys, *words, "--calibration", out)
    held = read_caption_set(made / "calibrated")
    assert held.run["calibration"] == "calibration.json"
    least = min(found["threshold"], found["complement_threshold"])
    assert all(slot.confidence >= least - 1e-9 for slot in held.table.slots)  # type: ignore[operator]


def test_models_that_were_not_calibrated_are_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = made / "one.json"
    run(capsys, "caption", "calibrate", made / "default", "--truth", made / "world", "--out", out)
    words = ("caption", "merge", made / "other", "--data", made / "world", "--out", made / "warned")
    assert main([*map(str, words), "--calibration", str(out)]) == 0
    assert "simulated:other in rgb" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["default", "other", "--data", "world"], "no --out"),
        (["default", "--data", "world", "--out", "other2", "--model", "gpt"], "no answers of gpt"),
        (
            ["default", "--data", "world", "--out", "p", "--method", "plain", "--threshold", "0.5"],
            "no effect",
        ),
        (["world", "--data", "world", "--out", "p"], "not a caption set"),
        (["default", "--data", "world", "--out", "world"], "not empty"),
        (["default", "--data", "world", "--out", "p", "--calibration", "none.json"], "no calibration"),
        (["default", "--data", "world", "--out", "p", "--threshold", "2"], "from 0 to 1"),
        (["default", "--data", "elsewhere", "--out", "p"], "describes other data"),
    ],
)
def test_what_cannot_be_merged_is_named(
    words: list[str],
    names: str,
    made: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "elsewhere" in words and not (made / "elsewhere").exists():
        _, rows, truth = noisy_world("person", 3)
        write_world(made / "elsewhere", rows, truth)
    monkeypatch.chdir(made)
    assert main(["caption", "merge", *words]) == 2
    assert names in " ".join("".join(capsys.readouterr()).split())
    assert not (made / "p").exists()


def test_one_model_with_two_settings_is_no_merge(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("caption", "generate", "--data", made / "world", "--out", made / "noisy", "--noise-scale", "2")
    run(capsys, *words, "--backend", "simulated")
    words = (
        "caption",
        "merge",
        made / "default",
        made / "noisy",
        "--data",
        made / "world",
        "--out",
        made / "x",
    )
    assert main([*map(str, words)]) == 2
    assert "other settings" in " ".join("".join(capsys.readouterr()).split())
