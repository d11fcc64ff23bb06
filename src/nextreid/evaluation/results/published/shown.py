"""Published results as a table, as remarks to read with it, and as JSON."""

from collections.abc import Sequence
from typing import Any

from nextreid.evaluation.results.published.beside import Beside
from nextreid.evaluation.results.published.figures import METRICS, PublishedResult
from nextreid.evaluation.results.report_section import Table
from nextreid.evaluation.results.seeds import mean_and_std, spread_entries


def published_table(beside: Beside) -> Table:
    """Build the table of one setting: published rows by mAP, the own ones among them, percent.

    Rows that repeat a method's figures, or some of them, stand in one line with all their sources.
    """
    names = [name for name in METRICS if any(name in row.metrics for row in beside.rows)]
    sources = sources_of(beside)
    lines: list[tuple[float, tuple[str, ...]]] = []
    for rows in _merged(beside.rows):
        first = rows[0]
        printed = [f"{first.metrics[name]:.1f}" if name in first.metrics else "" for name in names]
        numbers: dict[str, list[str]] = {}
        for row in rows:
            numbers.setdefault(row.reported_by, []).append(f"[{sources.index(row.source) + 1}]")
        by = ", ".join(f"{who} {' '.join(found)}" for who, found in numbers.items())
        method = f"{first.method} ({first.note})" if first.note else first.method
        lines.append((first.metrics["mAP"], (method, first.backbone, *printed, by)))
    for own in beside.own:
        cells = [mean_and_std(own.metrics[name]) if name in own.metrics else "" for name in names]
        lines.append((own.metrics["mAP"].mean, (f"**{own.name}**", "", *cells, "this result")))
    lines.sort(key=lambda line: -line[0])
    header = ("method", "backbone", *(name.replace("R", "R-") for name in names), "reported by")
    title = f"{beside.dataset}, {beside.setting}, percent"
    return Table(header, tuple(cells for _, cells in lines), title=title)


def sources_of(beside: Beside) -> tuple[str, ...]:
    """Return the sources of the rows, in the order of the rows; tables number them from 1."""
    return tuple(dict.fromkeys(row.source for row in beside.rows))


def published_remarks(beside: Beside) -> tuple[str, ...]:
    """Return what has to be read with a table of published results."""
    remarks = [*beside.warnings, beside.selection]
    remarks += [f"{own.name}: checkpoint chosen by {own.selection}" for own in beside.own]
    if any(row.reported_by == "third-party" for row in beside.rows):
        remarks.append("rows by a third party were not checked in the papers")
    remarks += [
        f"sources differ on {', '.join(each.methods)}: {'; '.join(each.readings)}"
        for each in beside.conflicts
    ]
    return tuple(remarks)


def published_entry(beside: Beside) -> dict[str, Any]:
    """Return a setting as plain JSON values, percent as printed."""
    return {
        "dataset": beside.dataset,
        "setting": beside.setting,
        "unit": "percent",
        "rows": [
            {
                "method": row.method,
                "backbone": row.backbone,
                "year": row.year,
                "venue": row.venue,
                **row.metrics,
                "source": row.source,
                "reported_by": row.reported_by,
                "note": row.note or None,
            }
            for row in beside.rows
        ],
        "own": [
            {"name": own.name, "selection": own.selection, "metrics": spread_entries(own.metrics)}
            for own in beside.own
        ],
        "warnings": list(published_remarks(beside)),
    }


def _merged(rows: Sequence[PublishedResult]) -> list[list[PublishedResult]]:
    """Put rows together that say the same of a method; the fullest of each comes first."""
    found: list[list[PublishedResult]] = []
    for row in sorted(rows, key=lambda row: -len(row.metrics)):
        for group in found:
            first = group[0]
            same = (row.method, row.backbone, row.note) == (first.method, first.backbone, first.note)
            if same and row.metrics.items() <= first.metrics.items():
                group.append(row)
                break
        else:
            found.append([row])
    return found
