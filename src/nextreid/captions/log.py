"""The answer log: every reply as it came, one JSON line each, appended the moment it arrives.

A line is written by one call, so that a killed process leaves whole lines and at most one torn one, the
last: it is cut off when the log is opened again. Nothing is ever changed or moved.
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Self

from nextreid.captions.answers import Reply
from nextreid.errors import InputError

FORMAT = "nextreid.answer/1"

LONGEST = 65_536
"""Characters of a reply that are kept (ours: an answer has about a thousand; longer ones are never used)."""

LONGEST_LINE = 4_000_000
"""Bytes that no line exceeds: a character becomes at most twelve."""

LONGEST_ERROR = 2_000
"""Characters of an error that are kept (ours: a server may send a whole page of HTML)."""


@dataclass(frozen=True)
class Record:
    """One line of the log.

    Attributes:
        model, fingerprint: of the backend that was asked.
        observation, modality: about which image.
        reply: what came; its text cut to `LONGEST` characters.
    """

    model: str
    fingerprint: str
    observation: str
    modality: str
    reply: Reply

    @property
    def key(self) -> tuple[str, str]:
        """(observation, modality)."""
        return self.observation, self.modality

    def line(self) -> bytes:
        """Return the line: ASCII, one line feed at its end."""
        reply = self.reply
        values = {
            "format": FORMAT,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "observation": self.observation,
            "modality": self.modality,
            "outcome": reply.outcome,
            "raw": reply.raw[:LONGEST],
            "error": reply.error[:LONGEST_ERROR],
            "token_confidence": dict(reply.token_confidence),
            "tokens": [reply.input_tokens, reply.output_tokens],
            "attempts": reply.attempts,
            "seconds": round(reply.seconds, 3),
        }
        return json.dumps(values, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


class AnswerLog:
    """An answer log that is appended to, by one process at a time and any number of its threads.

    `with AnswerLog(path) as log:` opens it. Reading alone (`read_log`) opens nothing.

    Args:
        path: answers.jsonl; made, with its folder, when opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file: FileIO | None = None
        self._answered: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Open the log; cut a torn last line off.

        Raises:
            InputError: a damaged line before the last (it is named), or another process writes this log.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileIO(self.path, "a+")
        try:
            _claim(self._file, self.path)
            whole = _whole(self.path)
            if whole < os.path.getsize(self.path):
                self._file.truncate(whole)
            for record in read_log(self.path):
                self._note(record)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the log, its bytes on the disk."""
        with self._lock:
            if self._file is not None:
                os.fsync(self._file.fileno())
                self._file.close()
                self._file = None

    def append(self, record: Record) -> None:
        """Write one record; after it returns, the record survives the process.

        Raises:
            InputError: the log is not open.
            OSError: the disk is full, or gone.
        """
        left = memoryview(record.line())
        with self._lock:
            if self._file is None:
                raise InputError(f"{self.path} is not open", do="use `with AnswerLog(path) as log:`")
            while left:
                left = left[self._file.write(left) :]
            self._note(record)

    def answered(self, model: str, fingerprint: str) -> set[tuple[str, str]]:
        """Return (observation, modality) of every reply that arrived, refusals included."""
        with self._lock:
            return set(self._answered.get((model, fingerprint), ()))

    def _note(self, record: Record) -> None:
        if record.reply.outcome != "failed":
            self._answered.setdefault((record.model, record.fingerprint), set()).add(record.key)


def read_log(path: str | Path) -> Iterator[Record]:
    """Yield the records of a log in the order of their arrival; a torn last line is passed over.

    Raises:
        InputError: no such file, or a damaged line before the last: naming it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no answer log {path}", do="run `nextreid caption generate` first")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and _parsed(line) is None:
                return
            values = _parsed(line)
            if values is None:
                raise InputError(
                    f"{path}, line {number} is damaged: {line[:60]!r}",
                    allowed=f"one JSON object of the format {FORMAT} a line",
                    do="take the line out; its question is asked again",
                )
            yield values


def _whole(path: Path) -> int:
    """Return how many bytes of a log are whole lines, ending a whole last line that lacks its end."""
    size = os.path.getsize(path)
    with path.open("r+b") as file:
        start = file.seek(max(0, size - LONGEST_LINE))
        tail = file.read()
        end = tail.rfind(b"\n") + 1
        if _parsed(tail[end:]) is None:
            return start + end
        file.seek(size)
        file.write(b"\n")  # nothing else was lost
    return size + 1


def _claim(file: FileIO, path: Path) -> None:
    """Keep other processes from writing the log; the system lets go of it when the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such call: two processes there are not told apart
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(
            f"{path} is being written by another process",
            do="wait for it, or stop it; then run the same command again",
        ) from error


def _parsed(line: bytes) -> Record | None:
    """Return the record of a line, or None for a damaged one."""
    try:
        values: Any = json.loads(line)
        if values["format"] != FORMAT:
            return None
        read, written = values["tokens"]
        reply = Reply(
            outcome=values["outcome"],
            raw=values["raw"],
            error=values["error"],
            token_confidence={str(name): float(p) for name, p in values["token_confidence"].items()},
            input_tokens=int(read),
            output_tokens=int(written),
            attempts=int(values["attempts"]),
            seconds=float(values["seconds"]),
        )
        names = [values[name] for name in ("model", "fingerprint", "observation", "modality")]
        texts = (*names, reply.raw, reply.error)
        if reply.outcome not in ("answered", "refused", "failed") or not all(
            isinstance(t, str) for t in texts
        ):
            return None
        return Record(names[0], names[1], names[2], names[3], reply)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def latest(
    records: Iterable[Record], fingerprints: Mapping[str, str] | None = None
) -> dict[tuple[str, str, str], Record]:
    """Return the record that counts for each (model, observation, modality).

    Of one model only the answers under one fingerprint count. A reply that arrived goes before a failure,
    and a later one before an earlier one.

    Args:
        records: in the order of their arrival.
        fingerprints: model -> the fingerprint that counts, for the models that count; None: all models,
            each with the settings it was last asked with.
    """
    newest: dict[str, str] = {}
    kept: dict[tuple[str, str, str, str], Record] = {}
    for record in records:
        newest[record.model] = record.fingerprint
        key = (record.model, record.fingerprint, *record.key)
        before = kept.get(key)
        if before is None or before.reply.outcome == "failed" or record.reply.outcome != "failed":
            kept[key] = record
    wanted = newest if fingerprints is None else fingerprints
    return {
        (record.model, *record.key): record
        for record in kept.values()
        if wanted.get(record.model) == record.fingerprint
    }
