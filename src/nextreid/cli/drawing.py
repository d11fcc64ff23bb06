"""Progress on the terminal: bars with rich, or now and then a line where stderr is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBars

from nextreid.progress import Task

SECONDS_BETWEEN_LINES = 15.0
"""Between two lines of one task in a log file (ours: a four-minute stage leaves about 16 lines)."""


class Bars:
    """Draws each task as a bar; tasks inside tasks are drawn below each other.

    Args:
        console: where to draw, normally on stderr.
    """

    def __init__(self, console: Console) -> None:
        """Draw nothing yet."""
        self._console = console
        self._bars: RichBars | None = None
        self._open = 0

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Task]:
        """Draw a bar until the context is left."""
        if self._bars is None:
            self._bars = RichBars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[note]}"),
                console=self._console,
            )
            self._bars.start()
        bars, self._open = self._bars, self._open + 1
        identifier = bars.add_task(title, total=total, note="")
        try:
            yield _Bar(bars, identifier)
        finally:
            bars.stop_task(identifier)
            self._open -= 1
            if self._open == 0:
                bars.stop()
                self._bars = None


class _Bar:
    def __init__(self, bars: RichBars, identifier: TaskID) -> None:
        self._bars, self._identifier = bars, identifier

    def advance(self, steps: int = 1) -> None:
        """Move on by `steps`."""
        self._bars.advance(self._identifier, steps)

    def note(self, text: str) -> None:
        """Show a short text behind the bar."""
        self._bars.update(self._identifier, note=text)


class Lines:
    """Writes a line when a task ends, and one every few seconds while it runs.

    Args:
        stream: where to write, normally stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write nothing yet."""
        self._stream = stream

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Task]:
        """Report on one task until the context is left."""
        line = _Line(self._stream, title, total)
        yield line
        line.write("done")


class _Line:
    def __init__(self, stream: TextIO, title: str, total: int | None) -> None:
        self._stream, self._title, self._total = stream, title, total
        self._count, self._note = 0, ""
        self._start = self._last = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Move on by `steps`; write a line if the last one is long ago."""
        self._count += steps
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self.write(self._note)

    def note(self, text: str) -> None:
        """Keep a short text for the next line."""
        self._note = text

    def write(self, text: str) -> None:
        """Write the line."""
        self._last = time.monotonic()
        of = "" if self._total is None else f"/{self._total}"
        words = f"{self._title}: {self._count}{of}, {self._last - self._start:.0f} s  {text}"
        self._stream.write(words.rstrip() + "\n")
        self._stream.flush()
