"""metrics.csv and tensorboard/: one row a step, exact after a kill and a resume."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole


class MetricsFile:
    """A CSV file with a row for each logged step and columns that may grow.

    Args:
        path: the file; rows after `step` are removed: a resumed run does those steps again.
        step: steps done so far.
    """

    def __init__(self, path: Path, *, step: int = 0) -> None:
        self.path = path
        rows = read_metrics(path) if path.exists() else []
        self._kept = [row for row in rows if int(row["step"]) <= step]
        self.removed = len(rows) - len(self._kept)
        self._columns: list[str] = list(self._kept[0]) if self._kept else []
        if rows or path.exists():
            self._rewrite()

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; a new column makes the file be written anew, with empty cells above."""
        text = {name: _text(value) for name, value in row.items()}
        fresh = [name for name in text if name not in self._columns]
        if fresh:
            if self.path.exists() and self._columns:
                self._kept = read_metrics(self.path)
            self._columns += fresh
            self._kept.append(text)
            self._rewrite()
            return
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(text)

    def sync(self) -> None:
        """Make the rows so far survive a power cut."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _rewrite(self) -> None:
        with (
            written_whole(self.path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            if self._columns:
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(self._kept)
        self._kept = []


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Read metrics.csv; a last line that was cut short by a kill is left out."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(io.StringIO(whole, newline=""))
    return [
        {name: value or "" for name, value in row.items()}
        for row in rows
        if None not in row and row["step"].isdigit()
    ]


def _text(value: Any) -> str:
    """Return a cell: floats so that equal numbers have equal text."""
    return repr(float(value)) if isinstance(value, float) else str(value)


class TensorBoard:
    """The same numbers for TensorBoard.

    Args:
        folder: where the event files are.
        step: steps done so far; what was written after it is hidden.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def append(self, row: Mapping[str, Any]) -> None:
        """Write the numbers of a row."""
        for name, value in row.items():
            if isinstance(value, int | float) and name != "step":
                self._writer.add_scalar(name, value, int(row["step"]))

    def sync(self) -> None:
        """Write out what is pending."""
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
