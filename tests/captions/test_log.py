"""The answer log survives a kill at any byte, and hides no damage."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nextreid.attributes.schema import load_schema
from nextreid.captions.answers import Reply
from nextreid.captions.collecting import fault_counts, read_answers
from nextreid.captions.log import LONGEST, LONGEST_LINE, AnswerLog, Record, latest, read_log
from nextreid.errors import InputError


def record(
    number: int, outcome: str = "answered", *, model: str = "m", fingerprint: str = "f", raw: str = "x"
):
    reply = Reply(outcome, raw=f"{raw}{number}", error="" if outcome == "answered" else "why")
    return Record(model, fingerprint, f"o{number}", "rgb", reply)


def write(path: Path, records: list[Record]) -> bytes:
    with AnswerLog(path) as log:
        for entry in records:
            log.append(entry)
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    strange = Reply(
        "refused",
        raw='\x00\ud800"\n</script>é',
        error="e\u2028",
        token_confidence={"age": 0.25},
        input_tokens=3,
        output_tokens=4,
        attempts=5,
        seconds=1.25,
    )
    records = [record(0), Record("m\n", "f", "ö", "tir", strange), record(2, "failed")]
    data = write(tmp_path / "deep" / "answers.jsonl", records)
    assert data.isascii()
    assert data.count(b"\n") == 3
    assert list(read_log(tmp_path / "deep" / "answers.jsonl")) == records


def test_a_kill_at_any_byte_loses_at_most_the_last_record(tmp_path: Path) -> None:
    records = [record(n) for n in range(3)]
    data = write(tmp_path / "whole.jsonl", records)
    ends = [0] + [at + 1 for at, byte in enumerate(data) if byte == 10]
    path = tmp_path / "answers.jsonl"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        # a last line that lacks only its line feed is whole
        kept = sum(cut >= end - 1 for end in ends[1:])
        assert list(read_log(path)) == records[:kept]
        with AnswerLog(path) as log:
            assert log.answered("m", "f") == {entry.key for entry in records[:kept]}
            log.append(record(9))
        assert list(read_log(path)) == [*records[:kept], record(9)]
        assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    "tail", [b"\0" * 50, b"\0" * 50 + b"\n", b"{}", b"[1]\n", b'{"format": "other"}\n', b"\xff\n"]
)
def test_damage_at_the_end_and_within(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    data = write(path, [record(0), record(1)])
    path.write_bytes(data + tail)
    if tail.endswith(b"\n"):
        with pytest.raises(InputError, match="line 3 is damaged"):
            list(read_log(path))
        with pytest.raises(InputError, match="line 3 is damaged"), AnswerLog(path):
            pass
        assert path.read_bytes() == data + tail, "nothing is thrown away"
    else:
        with AnswerLog(path):
            pass
        assert path.read_bytes() == data
    lines = data.splitlines(keepends=True)
    path.write_bytes(lines[0][:-9] + b"\n" + lines[1])
    with pytest.raises(InputError, match="line 1 is damaged"), AnswerLog(path):
        pass


def test_long_texts_are_cut_and_any_line_fits_the_tail(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    long = Record("m", "f", "o", "rgb", Reply("answered", raw="\U0001f600" * 90_000, error="\0" * 9_000))
    data = write(path, [record(0), long])
    assert len(data) < LONGEST_LINE
    (_, read) = read_log(path)
    assert len(read.reply.raw) == LONGEST
    path.write_bytes(data[:-1])
    with AnswerLog(path) as log:
        assert len(log.answered("m", "f")) == 2


def test_failures_are_asked_again_and_replies_never(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    records = [
        record(0),
        record(1, "failed"),
        record(2, "refused"),
        record(3, "failed"),
        record(3),
        record(4, fingerprint="g"),
        record(5, model="n"),
        record(6),
        record(6, "failed"),
    ]
    write(path, records)
    with AnswerLog(path) as log:
        assert log.answered("m", "f") == {("o0", "rgb"), ("o2", "rgb"), ("o3", "rgb"), ("o6", "rgb")}
        assert log.answered("n", "f") == {("o5", "rgb")}
        assert log.answered("x", "f") == set()
    found = latest(read_log(path), {"m": "f", "n": "f"})
    assert {key[1]: entry.reply.outcome for key, entry in found.items()} == {
        "o0": "answered",
        "o1": "failed",
        "o2": "refused",
        "o3": "answered",
        "o5": "answered",
        "o6": "answered",
    }
    assert {entry.fingerprint for entry in latest(records).values() if entry.model == "m"} == {"f"}
    assert next(iter(latest([record(0), record(0, raw="later ")]).values())).reply.raw == "later 0"


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerLog(path) as log:
        crew = [
            threading.Thread(
                target=lambda k=k: [log.append(record(k * 100 + n, raw="y" * 5000)) for n in range(50)]
            )
            for k in range(8)
        ]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        assert len(log.answered("m", "f")) == 400
    assert len(list(read_log(path))) == 400


def test_one_process_at_a_time_and_only_while_open(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "answers.jsonl"
    with pytest.raises(InputError, match="not open"):
        AnswerLog(path).append(record(0))
    with AnswerLog(path):
        with pytest.raises(InputError, match="another process"), AnswerLog(path):
            pass
        list(read_log(path))
    code = (
        "import os\nfrom nextreid.captions.log import AnswerLog\n"
        f"AnswerLog({str(path)!r}).__enter__()\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    with AnswerLog(path) as log:
        log.append(record(0))
    with pytest.raises(InputError, match="no answer log"):
        list(read_log(tmp_path / "other.jsonl"))


def test_a_full_disk_is_an_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerLog(path) as log:
        log.append(record(0))
        whole = log._file

        class Full:
            def write(self, data: memoryview) -> int:
                whole.write(data[:30])
                raise OSError(28, "No space left on device")

            def fileno(self) -> int:
                return whole.fileno()

            def close(self) -> None:
                whole.close()

        log._file = Full()
        with pytest.raises(OSError, match="No space"):
            log.append(record(1))
    with AnswerLog(path) as log:
        assert log.answered("m", "f") == {("o0", "rgb")}


def test_answers_of_a_log_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    raw = json.dumps({"gender": {"value": "male", "confidence": 0.5}})
    records = [
        Record(model, "f", f"o{n}", modality, Reply("answered", raw=raw))
        for model in ("b", "a")
        for n in (1, 0)
        for modality in ("tir", "rgb")
    ]
    write(tmp_path / "one.jsonl", records)
    write(tmp_path / "two.jsonl", records[::-1])
    schema = load_schema("person")
    answers = read_answers(tmp_path / "one.jsonl", schema)
    assert answers == read_answers(tmp_path / "two.jsonl", schema)
    assert [(a.observation, a.modality, a.model) for a in answers] == sorted(
        (a.observation, a.modality, a.model) for a in answers
    )
    assert {a.model for a in read_answers(tmp_path / "one.jsonl", schema, fingerprints={"b": "f"})} == {"b"}
    assert set(fault_counts(answers)) == {"a", "b"}
    assert (
        fault_counts(answers)["a"]["missing"]
        == sum(fault.reason == "missing" for a in answers for fault in a.faults) // 2
    )
    assert os.path.getsize(tmp_path / "one.jsonl") == os.path.getsize(tmp_path / "two.jsonl")
