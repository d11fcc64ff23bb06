"""`caption generate` into sets that are there, with servers that are not, and with unreadable images."""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "captions"))

from openai_test_server import Server
from small_data import drawn_truth, small_data

from nextreid.attributes.schema import load_schema
from nextreid.captions.backends import openai_server
from nextreid.captions.caption_set import read_caption_set
from nextreid.captions.log import read_log
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest

SCHEMA = load_schema("person")
COUNT = 12


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(openai_server, "FIRST_WAIT", 0.01)
    manifest = small_data(tmp_path / "data", COUNT)
    drawn_truth(manifest, SCHEMA)
    return manifest


def generate(data: Manifest, out: Path, *more: object) -> int:
    line = ("caption", "generate", "--data", data.root, "--out", out, "--quiet", *more)
    return main([str(word) for word in line])


def simulated(data: Manifest, out: Path, *models: str) -> int:
    return generate(data, out, "--backend", "simulated", "--model", *models)


def words(text: str) -> str:
    return " ".join(text.split())


def test_answers_of_models_that_are_not_named_are_not_mixed_in(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "C"
    assert simulated(data, out, "default") == 0
    before = (out / "captions.parquet").read_bytes()
    for more in ((), ("--dry-run",)):
        assert generate(data, out, "--backend", "simulated", "--model", "other", *more) == 2
        said = words(capsys.readouterr().err)
        assert "holds answers of simulated:default, not named now" in said
        assert "new folder" in said
        assert "every model" in said
    assert (out / "captions.parquet").read_bytes() == before
    assert set(read_caption_set(out).run["models"]) == {"simulated:default"}
    assert simulated(data, out, "default", "other") == 0
    assert set(read_caption_set(out).run["models"]) == {"simulated:default", "simulated:other"}
    assert simulated(data, out, "default") == 2


def test_a_model_that_never_answered_is_no_hindrance(data: Manifest, tmp_path: Path) -> None:
    out = tmp_path / "C"
    with Server(model="right") as server:
        there = ("--backend", "openai", "--base-url", server.url, "--model")
        assert generate(data, out, *there, "wrong") == 2
        assert generate(data, out, *there, "right") == 0
    assert set(read_caption_set(out).run["models"]) == {"right"}


def test_the_rule_of_a_merge_in_place_stays_with_its_calibration(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, fitted = tmp_path / "C", tmp_path / "fitted.json"
    assert simulated(data, out, "default") == 0
    plain = read_caption_set(out).table
    assert main(["caption", "calibrate", str(out), "--truth", str(data.root), "--out", str(fitted)]) == 0
    merge = ["caption", "merge", str(out), "--data", str(data.root)]
    assert main([*merge, "--calibration", str(fitted), "--vary", "--seed", "3"]) == 0
    merged = read_caption_set(out)
    assert merged.table != plain
    fitted.unlink()
    capsys.readouterr()
    assert simulated(data, out, "default") == 0
    said = words(capsys.readouterr().out)
    assert "rule that the set notes: calibration fitted.json, sentences varied by seed 3" in said
    again = read_caption_set(out)
    assert again.table == merged.table
    assert again.run["calibration"] == "fitted.json"
    (out / "calibration.json").unlink()
    assert simulated(data, out, "default") == 2
    assert "calibration fitted.json and holds no copy" in words(capsys.readouterr().err)
    assert main(merge) == 0
    assert simulated(data, out, "default") == 0
    assert read_caption_set(out).table == plain


def test_a_set_that_was_made_of_others_is_not_generated_into(data: Manifest, tmp_path: Path) -> None:
    assert simulated(data, tmp_path / "C", "default") == 0
    out = tmp_path / "merged"
    line = ["caption", "merge", tmp_path / "C", "--data", data.root, "--method", "confident", "--out", out]
    assert main([str(word) for word in line]) == 0
    before = (out / "captions.parquet").read_bytes()
    assert simulated(data, out, "default") == 2
    assert (out / "captions.parquet").read_bytes() == before


@pytest.fixture
def unknown_host(monkeypatch: pytest.MonkeyPatch) -> str:
    """A host that no name server knows, without asking one: many questions at once take it many seconds."""
    host, resolve = "no-such-host.invalid", socket.getaddrinfo

    def answer(name: Any, *rest: Any, **named: Any) -> Any:
        if name in (host, host.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(name, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return host


def test_a_server_that_is_not_there_costs_seconds_and_writes_no_captions(
    data: Manifest, tmp_path: Path, unknown_host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server() as server:
        url = server.url
    start = time.monotonic()
    for address, reason in ((url, "refused"), (f"http://{unknown_host}/v1", "cannot be reached")):
        out = tmp_path / reason
        assert generate(data, out, "--backend", "openai", "--base-url", address, "--model", "m") == 2
        assert reason in words(capsys.readouterr().err)
        assert not (out / "captions.parquet").exists()
        assert not (out / "text").exists()
    assert time.monotonic() - start < 15
    assert generate(data, tmp_path / "D", "--backend", "openai", "--base-url", "host", "--model", "m") == 2
    assert "no address of a server" in words(capsys.readouterr().err)
    assert not (tmp_path / "D").exists()


@pytest.mark.parametrize("kind", ["500-always", "refusal-text"])
def test_without_an_answer_no_captions_are_written(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "C"
    with Server(faults={kind: 1.0}) as server:
        there = ("--backend", "openai", "--base-url", server.url, "--model", "m")
        assert generate(data, out, *there) == 1
        said = capsys.readouterr()
        assert "no captions are written" in words(said.err)
        if kind == "500-always":
            assert words(said.err).startswith("A question failed: status 500")
        else:
            assert f"{3 * COUNT} refused, 0 failed" in words(said.out)
    assert not (out / "captions.parquet").exists()
    assert not (out / "text").exists()
    assert main(["caption", "merge", str(out), "--data", str(data.root)]) == 2
    assert "refusals and failures" in words(capsys.readouterr().err)
    assert not (out / "captions.parquet").exists()
    with Server() as server:
        assert generate(data, tmp_path / "E", *there[:3], server.url, "--model", "m") == 0
    assert (tmp_path / "E" / "captions.parquet").exists()


def test_what_the_prompt_calls_unknown_is_no_fault(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "C"
    assert simulated(data, out, "default") == 0
    said = capsys.readouterr().out
    assert "simulated:default said unknown: " in said
    assert "hidden" not in said
    run = read_caption_set(out).run
    assert run["unknown"]["simulated:default"] > 0
    assert "hidden" not in run["faults"]["simulated:default"]


@pytest.mark.parametrize("backend", ["openai", "clip"])
def test_an_unreadable_image_stops_or_is_left_out(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    bad = data.rows[3].paths["nir"]
    bad.write_bytes(bad.read_bytes()[:-40])
    out = tmp_path / "C"
    with Server() as server:
        more: tuple[object, ...] = ("--backend", "clip", "--model", "builtin:tiny", "--size", "32x32")
        if backend == "openai":
            more = ("--backend", "openai", "--base-url", server.url, "--model", "m")
        assert generate(data, out, *more) == 2
        said = words(capsys.readouterr().err)
        for part in (bad.name, "row ", "modality nir", "--on-error skip"):
            assert part in said
        assert "asked about again" not in said
        keys = {record.key for record in read_log(out / "answers.jsonl")}
        assert (data.rows[3].observation, "nir") not in keys
        assert generate(data, out, *more, "--on-error", "skip", "--json") == 0
    found = capsys.readouterr()
    left = json.loads(found.out)["left_out"]["list"]
    assert [(entry["observation"], entry["modality"]) for entry in left] == [("o0003", "nir")]
    assert "asked about again" not in words(found.err)
    assert len({record.key for record in read_log(out / "answers.jsonl")}) == 3 * COUNT - 1
