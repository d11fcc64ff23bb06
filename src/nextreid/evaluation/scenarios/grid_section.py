"""How the any-to-any grid is shown: matrices, and in words where each modality helps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nextreid.evaluation.results.report_section import Section, Table, gain_table, percent, points


def section(entry: Mapping[str, Any]) -> Section:
    """Show the grid of results.json's `scenarios.any-to-any`."""
    cells, gains = entry["cells"], entry["gains"]
    means = [gain for gain in gains if gain["other"] is None]
    return Section(
        title="Any to any",
        scores=tuple(
            (name, mean)
            for name, chosen in (
                ("any to any, all cells", cells),
                ("any to any, same modalities", [c for c in cells if c["query"] == c["gallery"]]),
                ("any to any, none in common", [c for c in cells if not set(c["query"]) & set(c["gallery"])]),
            )
            if (mean := _mean(chosen))
        ),
        tables=(
            _matrix(cells, "mAP", "mAP, percent; the query shows the row, the gallery the column"),
            _matrix(cells, "rank1", "Rank-1, percent; the query shows the row, the gallery the column"),
            gain_table(
                ((_added(gain), gain) for gain in means), title="What a modality adds on average, points"
            ),
            *(table for side in ("query", "gallery") if (table := _by_other(gains, side)).rows),
        ),
        text=" ".join(
            [
                "Rows and columns are what is shown of each observation; every subset was embedded once. A "
                "gain compares the same queries and gallery entries with and without a modality.",
                *_where(gains),
            ]
        ),
    )


def _name(names: Sequence[str]) -> str:
    return "+".join(names)


def _mean(cells: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean metrics of the cells that were scored, without intervals."""
    scored = [cell["metrics"] for cell in cells if cell["metrics"]]
    if not scored:
        return {}
    names = [name for name in scored[0] if not name.endswith("_ci")]
    return {name: float(np.mean([metrics[name] for metrics in scored])) for name in names}


def _matrix(cells: Sequence[Mapping[str, Any]], metric: str, title: str) -> Table:
    return _square(
        "query \\ gallery",
        {
            (_name(cell["query"]), _name(cell["gallery"])): (cell["metrics"] or {}).get(metric)
            for cell in cells
        },
        percent,
        title,
    )


def _by_other(gains: Sequence[Mapping[str, Any]], side: str) -> Table:
    opposite = {"query": "gallery", "gallery": "query"}[side]
    return _square(
        f"added to the {side}",
        {
            (gain["modality"], _name(gain["other"])): gain["mAP"]["difference"]
            for gain in gains
            if gain["side"] == side and gain["other"]
        },
        points,
        f"mAP gained on the {side} side, points; the {opposite} shows the column",
    )


def _square(
    corner: str,
    values: Mapping[tuple[str, str], float | None],
    write: Callable[[float | None], str],
    title: str,
) -> Table:
    rows = list(dict.fromkeys(row for row, _ in values))
    columns = list(dict.fromkeys(column for _, column in values))
    return Table(
        (corner, *columns),
        tuple((row, *(write(values.get((row, column))) for column in columns)) for row in rows),
        title,
    )


def _added(gain: Mapping[str, Any]) -> str:
    sides = {"query": "to the query", "gallery": "to the gallery", "both": "to both"}
    return f"{gain['modality']} {sides[gain['side']]}"


def _where(gains: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say for each modality added to the query where it helps most, and where it harms."""
    lines = []
    for modality in dict.fromkeys(gain["modality"] for gain in gains):
        each = [g for g in gains if g["modality"] == modality and g["side"] == "query" and g["other"]]
        if not each:
            continue
        best = max(each, key=lambda gain: float(gain["mAP"]["difference"]))
        worst = min(each, key=lambda gain: float(gain["mAP"]["difference"]))
        high, low = float(best["mAP"]["difference"]), float(worst["mAP"]["difference"])
        if high > 0:
            one, other = "helps most", "least" if low >= 0 else "harms most"
        else:
            one, other = "never helps: it harms least", "most"
        lines.append(
            f"`{modality}` added to the query {one} against a gallery of {_name(best['other'])} "
            f"({points(high)} mAP) and {other} against {_name(worst['other'])} ({points(low)})."
        )
    return lines
