"""The pieces that reports are put together from: tables, and sections that hold them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METRIC_HEADER = ("", "mAP", "95 %", "R-1", "95 %", "R-5", "R-10", "R-20", "mINP")
"""Of every table of scores."""

GAIN_HEADER = ("", "mAP", "95 %", "R-1", "95 %")
"""Of every table of differences."""

_METRICS = ("mAP", "rank1", "rank5", "rank10", "rank20", "mINP")
_WITH_INTERVAL = ("mAP", "rank1")


@dataclass(frozen=True)
class Table:
    """Rows of text for a terminal or a Markdown file.

    Attributes:
        header: names of the columns.
        rows: as many cells each.
        title: what it shows; may be empty.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def markdown(self) -> str:
        """Return the table in Markdown; the first column to the left, the others to the right."""
        rule = ("---", *("---:" for _ in self.header[1:]))
        return "".join(f"| {' | '.join(row)} |\n" for row in (self.header, rule, *self.rows))


@dataclass(frozen=True)
class Section:
    """How one part of results.json is shown.

    Attributes:
        title: its heading.
        scores: (name, metrics) of whatever has mAP and Rank-k; these go into the one table of all scores.
        tables: what does not fit that table.
        text: a sentence or two: what it is, and what limits it.
    """

    title: str
    scores: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    tables: tuple[Table, ...] = ()
    text: str = ""


def score_row(name: str, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one row under `METRIC_HEADER`: percent, with intervals where there are some.

    Args:
        name: the first cell.
        metrics: by name, 0..1, and `<name>_ci`; what is missing leaves its cell empty.
    """
    cells = [name]
    for metric in _METRICS:
        cells.append(percent(metrics.get(metric)))
        if metric in _WITH_INTERVAL:
            cells.append(span(metrics.get(f"{metric}_ci")))
    return tuple(cells)


def gain_table(
    gains: Iterable[tuple[str, Mapping[str, Any]]], *, title: str = "The result minus ..., points"
) -> Table:
    """Build a table of differences in points, with intervals, of mAP and Rank-1.

    Args:
        gains: (name, metric -> `difference` and `interval`); those without any are left out.
        title: of the table.
    """
    rows = []
    for name, gain in gains:
        cells = [name]
        for metric in ("mAP", "rank1"):
            found = gain.get(metric) or {}
            cells += [points(found.get("difference")), span(found.get("interval"), signed=True)]
        if any(cells[1:]):
            rows.append(tuple(cells))
    return Table(GAIN_HEADER, tuple(rows), title)


def percent(share: float | None) -> str:
    """Return 0.1234 as `12.3`; an empty cell for None."""
    return "" if share is None else f"{100 * share:.1f}"


def points(difference: float | None) -> str:
    """Return a difference of two shares in points, signed: 0.0123 as `+1.2`; an empty cell for None."""
    return "" if difference is None else f"{100 * difference:+.1f}"


def span(interval: Sequence[float] | None, *, signed: bool = False) -> str:
    """Return an interval of shares in percent, `12.1 to 15.0`; an empty cell for None."""
    if not interval:
        return ""
    write = points if signed else percent
    return f"{write(interval[0])} to {write(interval[1])}"
