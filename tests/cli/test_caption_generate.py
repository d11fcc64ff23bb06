"""`caption generate` from images to captions: a server that misbehaves, kills, limits, keys, replays."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "captions"))

from openai_test_server import HOSTILE, LASTING, TRANSIENT, Server
from small_data import answers_file, drawn_truth, simulated_answers, small_data

from nextreid.attributes.schema import load_schema
from nextreid.captions.backends import openai_server
from nextreid.captions.caption_set import read_caption_set
from nextreid.captions.log import read_log
from nextreid.captions.table import read_table
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest

SCHEMA = load_schema("person")
COUNT = 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return small_data(tmp_path_factory.mktemp("generate") / "data", COUNT)


@pytest.fixture(scope="module")
def answers(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(answers_file(data, SCHEMA, tmp_path_factory.mktemp("answers") / "answers.json"))


@pytest.fixture(scope="module")
def simulated(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> str:
    drawn_truth(data, SCHEMA)
    path = tmp_path_factory.mktemp("simulated") / "answers.json"
    return str(simulated_answers(data, SCHEMA, path, ("default", "other")))


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def words(data: Manifest, out: Path, server: Server | None = None, *more: str) -> list[str]:
    line = ["caption", "generate", "--data", str(data.root), "--out", str(out), "--quiet"]
    if server is not None:
        line += ["--backend", "openai", "--base-url", server.url]
        line += [] if "--model" in more else ["--model", "m"]
    return [*line, *more]


def generate(data: Manifest, out: Path, server: Server | None, *more: str, capsys=None) -> tuple[int, dict]:
    capsys.readouterr()
    code = main([*words(data, out, server, *more), "--json"])
    return code, json.loads(capsys.readouterr().out)


def table_bytes(out: Path) -> tuple[bytes, dict[str, bytes]]:
    texts = {path.name: path.read_bytes() for path in sorted((out / "text").iterdir())}
    return (out / "captions.parquet").read_bytes(), texts


def test_the_run_ends_every_image_has_a_record_and_no_fault_is_silent(
    data: Manifest, simulated: str, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_server, "FIRST_WAIT", 0.01)
    kinds = (*LASTING, *TRANSIENT)
    shares = {kind: 0.9 / len(kinds) for kind in kinds}
    out = tmp_path / "C"
    with Server(answers=simulated, faults=shares, retry_after=0.1) as server:
        code, result = generate(data, out, server, "--timeout", "3", "--model", "default", capsys=capsys)
        counts = server.counts()
    met = {
        row.observation + name: counts["kinds"][digest(path)]
        for row in data.rows
        for name, path in row.paths.items()
    }
    assert len(set(met.values())) > 15, "the draw leaves no kind of fault out but a few"
    records = {(r.observation, r.modality): r.reply for r in read_log(out / "answers.jsonl")}
    assert len(records) == 3 * COUNT == result["asked"]["asked"] == result["answers"]
    failed = [key for key, reply in records.items() if reply.outcome == "failed"]
    assert {met["".join(key)] for key in failed} <= {"500-always", "400-always"}
    assert code == (1 if failed else 0)
    told = {}
    for line in (out / "faults.jsonl").read_text().splitlines():
        fault = json.loads(line)
        told.setdefault(fault["observation"] + fault["modality"], set()).add(fault["reason"])
    for key, kind in met.items():
        if kind in LASTING and kind != "list":
            assert told.get(key), f"{kind} is silent"
        elif kind != "list":
            assert key not in told
    held = read_caption_set(out)
    contradicted = (out / "contradictions.jsonl").read_text().splitlines()
    assert len(contradicted) == result["contradictions"] > 0
    assert {(slot.observation, slot.modality) for slot in held.table.slots} <= set(records)
    text = "".join(path.read_text() for path in (out / "text").iterdir()) + (out / "faults.jsonl").read_text()
    everything = text + (out / "run.yaml").read_text()
    assert all(sign.isprintable() or sign == "\n" for sign in everything)
    captions = "".join(path.read_text() for path in (out / "text").iterdir())
    for part in ("<", "alert", "Ignore", "\\u", HOSTILE[:10]):
        assert part not in captions


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_kill_halfway_repeats_no_answered_request_and_changes_nothing(
    data: Manifest, answers: str, tmp_path: Path, capsys
) -> None:
    concurrency = 4
    with Server(answers=answers, faults={"malformed": 0.1, "prose": 0.1, "refusal": 0.1}) as server:
        generate(data, tmp_path / "whole", server, capsys=capsys)
    out = tmp_path / "killed"
    with Server(
        answers=answers, faults={"malformed": 0.1, "prose": 0.1, "refusal": 0.1}, delay=0.15
    ) as server:
        line = words(data, out, server, "--concurrency", str(concurrency))
        process = subprocess.Popen([sys.executable, "-m", "nextreid.cli.main", *line])
        until = time.monotonic() + 300
        while sum(server.counts()["answered"].values()) < COUNT and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # what was under way is answered into the void
        logged = len(list(read_log(out / "answers.jsonl")))
        answered = sum(server.counts()["answered"].values())
        assert COUNT <= answered < 3 * COUNT
        assert answered - concurrency <= logged <= answered
        assert not (out / "captions.parquet").exists()
        _, result = generate(data, out, server, capsys=capsys)
        counts = server.counts()
    assert result["asked"]["reused"] == logged
    assert len(counts["requests"]) == 3 * COUNT
    assert sum(counts["requests"].values()) <= 3 * COUNT + concurrency
    assert table_bytes(out) == table_bytes(tmp_path / "whole")


def test_terminating_a_run_is_an_interruption(data: Manifest, answers: str, tmp_path: Path) -> None:
    with Server(answers=answers, delay=0.3) as server:
        line = words(data, tmp_path / "C", server, "--concurrency", "2")
        process = subprocess.Popen([sys.executable, "-m", "nextreid.cli.main", *line], stderr=subprocess.PIPE)
        until = time.monotonic() + 300
        while sum(server.counts()["answered"].values()) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        process.terminate()
        _, said = process.communicate(timeout=120)
        answered = sum(server.counts()["answered"].values())
    assert process.returncode == 130
    assert b"Interrupted" in said
    assert b"Traceback" not in said
    assert len(list(read_log(tmp_path / "C" / "answers.jsonl"))) == answered


def test_limits_stop_and_the_same_command_goes_on(
    data: Manifest, answers: str, tmp_path: Path, capsys
) -> None:
    priced = ("--price-in", "2", "--price-out", "10")
    each = 900 * 2e-6 + 300 * 10e-6
    out = tmp_path / "C"
    with Server(answers=answers) as server:
        code, plan = generate(data, out, server, *priced, "--dry-run", capsys=capsys)
        assert (code, server.counts()["requests"], out.exists()) == (0, {}, False)
        assert plan["dry_run"][0]["requests"] == 3 * COUNT
        assert each * 3 * COUNT * 0.3 < plan["dry_run"][0]["cost"] < each * 3 * COUNT * 3
        code, first = generate(data, out, server, "--max-requests", "20", capsys=capsys)
        assert (code, first["asked"]["asked"], first["asked"]["stopped_by"]) == (0, 20, "max-requests")
        runs = 0
        while runs < 20:
            runs += 1
            _, found = generate(data, out, server, *priced, "--max-cost", str(30.5 * each), capsys=capsys)
            assert found["asked"]["cost"] == pytest.approx(found["asked"]["asked"] * each)
            assert found["asked"]["cost"] <= 30.5 * each
            if not found["asked"]["left"]:
                break
            assert found["asked"]["stopped_by"] == "max-cost"
            assert found["asked"]["asked"] > 0
        assert 3 <= runs < 20
        counts = server.counts()
        _, plan = generate(data, out, server, *priced, "--dry-run", capsys=capsys)
        assert plan["dry_run"][0] | {"cost": 0} == {
            "model": "m",
            "requests": 0,
            "answered": 3 * COUNT,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost": 0,
        }
        generate(data, tmp_path / "whole", server, capsys=capsys)
    assert set(counts["requests"].values()) == {1}
    assert table_bytes(out) == table_bytes(tmp_path / "whole")


def test_several_models_answer_and_stay_in_the_set(
    data: Manifest, answers: str, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "C"
    with Server(answers=answers) as server:
        part = ("--split", "test")
        generate(data, out, server, "--model", "a", "b", *part, capsys=capsys)
        generate(data, out, server, "--model", "a", "b", "c", *part, "--modalities", "rgb", capsys=capsys)
        counts = server.counts()
    half = COUNT // 2
    models = [key.split(" ")[1] for key in counts["answered"]]
    assert {name: models.count(name) for name in "abc"} == {"a": 3 * half, "b": 3 * half, "c": half}
    held = read_caption_set(out)
    assert set(held.run["models"]) == {"a", "b", "c"}
    assert held.run["splits"] == ["test"]
    assert {slot.observation for slot in held.table.slots} <= {r.observation for r in data.split("test").rows}
    assert any(set(slot.source_model) == {"a", "b", "c"} for slot in held.table.slots)
    assert sorted(path.name for path in (out / "text").iterdir()) == [
        "test_NI.json",
        "test_RGB.json",
        "test_TI.json",
    ]


def test_the_key_is_in_no_file_and_no_word(
    data: Manifest, answers: str, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-secret-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    with Server(answers=answers, key=secret) as server:
        line = [*words(data, tmp_path / "C", server, "--max-requests", "5"), "--debug"]
        assert main(line) == 0
        assert server.counts()["keys"] == {f"Bearer {secret}": 5}
    with Server(answers=answers, key="another") as server:
        assert main(words(data, tmp_path / "D", server)) == 2
    said = "".join(capfd.readouterr())
    assert "refused the key" in said
    assert secret not in said
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--max-cost", "1"], "--max-cost without prices"),
        (["--price-in", "1"], "one price without the other"),
        (["--modalities", "depth"], "has no depth"),
        (["--schema", "boats"], "no attribute schema"),
        (["--max-cost", "-1"], "0 or more"),
        (["--backend", "openai", "--model", "m"], "OPENAI_API_KEY"),
        (["--backend", "replay", "--model", "nowhere"], "nothing to replay"),
    ],
)
def test_bad_options_are_named(data: Manifest, tmp_path: Path, capsys, more: list[str], message: str) -> None:
    assert main([*words(data, tmp_path / "C"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "C" / "answers.jsonl").exists()


def test_a_set_of_other_data_or_another_schema_is_not_gone_on_with(
    data: Manifest, answers: str, tmp_path: Path, capsys
) -> None:
    with Server(answers=answers) as server:
        generate(data, tmp_path / "C", server, "--max-requests", "3", capsys=capsys)
        other = small_data(tmp_path / "other", 2)
        assert main(words(other, tmp_path / "C", server)) == 2
        assert "describes other data" in capsys.readouterr().err
        assert main(words(data, tmp_path / "C", server, "--schema", "vehicle")) == 2
        assert "with the person schema, not the vehicle schema" in capsys.readouterr().err
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "thesis.tex").touch()
        assert main(words(data, tmp_path / "full", server)) == 2
        assert "no caption set" in capsys.readouterr().err


def test_replaying_gives_the_same_captions(data: Manifest, answers: str, tmp_path: Path, capsys) -> None:
    with Server(answers=answers, faults={"malformed": 0.2, "refusal": 0.2}) as server:
        generate(data, tmp_path / "C", server, "--model", "a", "b", capsys=capsys)
    for name, source in (("set", tmp_path / "C"), ("log", tmp_path / "C" / "answers.jsonl")):
        replay = ("--backend", "replay", "--model", str(source))
        code, found = generate(data, tmp_path / name, None, *replay, capsys=capsys)
        assert (code, found["asked"]["asked"], found["asked"]["requests"]) == (0, 6 * COUNT, 6 * COUNT)
        assert table_bytes(tmp_path / name) == table_bytes(tmp_path / "C")
    (tmp_path / "C" / "answers.jsonl").unlink()
    replay = ("--backend", "replay", "--model", str(tmp_path / "C"))
    code, found = generate(data, tmp_path / "table", None, *replay, capsys=capsys)
    assert (code, found["asked"]["requests"]) == (0, 0)
    told, again = (read_table(folder / "captions.parquet") for folder in (tmp_path / "C", tmp_path / "table"))
    assert {slot.source_model for slot in again.slots} == {("replay:C",)}
    sure = {
        (s.observation, s.modality, s.attribute): s.value for s in told.slots if (s.confidence or 0) > 0.7
    }
    kept = {(s.observation, s.modality, s.attribute): s.value for s in again.slots}
    assert sum(kept.get(key) == value for key, value in sure.items()) > 0.95 * len(sure)


def test_a_server_of_simulated_models_gives_what_the_models_give(
    data: Manifest, simulated: str, tmp_path: Path, capsys
) -> None:
    models = ("--model", "default", "other")
    with Server(answers=simulated, reject=["logprobs"]) as server:
        generate(data, tmp_path / "server", server, *models, capsys=capsys)
    code, _ = generate(data, tmp_path / "direct", None, "--backend", "simulated", *models, capsys=capsys)
    assert code == 0

    def slots(folder: Path) -> list[tuple]:
        return [
            (s.observation, s.modality, s.attribute, s.value, s.confidence, s.source_modality, s.sentence)
            for s in read_table(folder / "captions.parquet").slots
        ]

    assert slots(tmp_path / "server") == slots(tmp_path / "direct")


def test_published_captions_are_answers_too(data: Manifest, answers: str, tmp_path: Path, capsys) -> None:
    with Server(answers=answers) as server:
        generate(data, tmp_path / "C", server, "--split", "test", capsys=capsys)
    replay = ("--backend", "replay", "--model", str(tmp_path / "C" / "text"), "--split", "test")
    code, found = generate(data, tmp_path / "again", None, *replay, capsys=capsys)
    assert (code, found["asked"]["failed"]) == (0, 0)
    told, again = (read_table(folder / "captions.parquet") for folder in (tmp_path / "C", tmp_path / "again"))
    claimed = {(slot.observation, slot.modality, slot.attribute): slot.value for slot in told.slots}
    kept = {(slot.observation, slot.modality, slot.attribute): slot.value for slot in again.slots}
    same = sum(kept.get(key) == value for key, value in claimed.items())
    assert same > 0.9 * len(claimed), "but for ties, which choose none"
    assert {slot.source_model for slot in again.slots} == {("replay:C/text",)}
    code, found = generate(data, tmp_path / "train", None, *replay[:-1], "train", capsys=capsys)
    assert code == 1
    assert found["asked"]["last_error"] == "no such answer was recorded"
