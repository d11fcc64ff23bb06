"""The scenarios that are better seen than read: the grid of any-to-any, the curve of random drop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nextreid.atomic import written_whole

_DARK = 0.6
"""Share of the greatest value from which a cell is dark enough for white figures: ours, by eye."""


def draw_scenarios(document: Mapping[str, Any], out: Path | str) -> tuple[Path, ...]:
    """Draw what a results document holds of them, beside results.json.

    Args:
        document: of results.json.
        out: its path; the pictures are `<stem>.any-to-any.png` and `<stem>.random-drop.png`.

    Returns:
        The pictures that were drawn.
    """
    out = Path(out)
    found = document["scenarios"]
    drawn = []
    if "any-to-any" in found:
        figure = _grid(found["any-to-any"]["cells"])
        drawn.append(_saved(figure, out.with_name(f"{out.stem}.any-to-any.png")))
    if "random-drop" in found:
        figure = _curve(found["random-drop"]["rows"])
        drawn.append(_saved(figure, out.with_name(f"{out.stem}.random-drop.png")))
    return tuple(drawn)


def _grid(cells: list[dict[str, Any]]) -> Figure:
    sides = list(dict.fromkeys("+".join(cell["query"]) for cell in cells))
    scores = np.full((len(sides), len(sides)), np.nan)
    for cell in cells:
        if cell["metrics"]:
            place = sides.index("+".join(cell["query"])), sides.index("+".join(cell["gallery"]))
            scores[place] = 100 * cell["metrics"]["mAP"]
    figure = Figure(figsize=(2.4 + 0.75 * len(sides), 2.0 + 0.6 * len(sides)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    highest = max(float(np.nanmax(scores)), 1e-9) if np.isfinite(scores).any() else 1.0
    axes.imshow(scores, cmap="viridis_r", vmin=0.0, vmax=highest)
    for row, column in zip(*np.nonzero(np.isfinite(scores)), strict=True):
        value = scores[row, column]
        colour = "white" if value > _DARK * highest else "black"
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(sides)), sides, rotation=40, ha="right")
    axes.set_yticks(range(len(sides)), sides)
    axes.set_xlabel("the gallery shows")
    axes.set_ylabel("the query shows")
    axes.set_title("mAP, percent")
    return figure


def _curve(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = [row for row in rows if row["metrics"]]
    rates = [row["rate"] for row in rows]
    for name, title in (("mAP", "mAP"), ("rank1", "Rank-1")):
        means = [100 * row["metrics"][name] for row in rows]
        axes.plot(rates, means, marker="o", markersize=3, linewidth=1.2, label=title)
        spans = [row["metrics"].get(f"{name}_ci") for row in rows]
        if all(spans):
            axes.fill_between(
                rates, [100 * low for low, _ in spans], [100 * high for _, high in spans], alpha=0.2
            )
    axes.set_xlabel("chance that an image is dropped")
    axes.set_ylabel("percent, with 95 % intervals")
    axes.set_ylim(bottom=0.0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _saved(figure: Figure, path: Path) -> Path:
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return path
