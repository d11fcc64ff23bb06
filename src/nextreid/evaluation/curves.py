"""Training curves: a RUN's metrics.csv as a picture."""

from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nextreid.atomic import written_whole
from nextreid.errors import InputError

_NOT_DRAWN = ("step", "epoch", "session", "seconds", "observations_per_second")
"""Columns that count or time, rather than measure learning."""

_PANELS = ("losses", "validation", "learning rates")


def training_curves(metrics_csv: Path | str, out: Path | str) -> Path:
    """Draw the numeric columns of a metrics.csv over its steps (or epochs).

    Columns beginning with `val` are validation, with `rate` or `lr` learning rates; the others are
    losses, apart from those that only count or time. Cells may be empty: a column is drawn through
    the rows that fill it.

    Args:
        metrics_csv: with a column `step` or `epoch`, and one per quantity.
        out: a .png.

    Returns:
        `out`.

    Raises:
        InputError: no such file, no such column, or nothing to draw.
    """
    path, out = Path(metrics_csv), Path(out)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out} is not a name for a picture", allowed="a path that ends in .png")
    if not path.is_file():
        raise InputError(f"There is no file {path}", do="give the metrics.csv of a training run")
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a table: {error}") from error
    along = next((name for name in ("step", "epoch") if name in table), None)
    if along is None:
        raise InputError(f"{path} has no column `step` or `epoch`; it has {', '.join(table.columns)}")
    panels: dict[str, list[str]] = {}
    for column in table.columns:
        if column in _NOT_DRAWN or not pd.api.types.is_numeric_dtype(table[column]):
            continue
        if table[column].notna().any():
            panels.setdefault(_panel(column), []).append(column)
    if not panels:
        raise InputError(f"{path} holds no numbers to draw")
    figure = Figure(figsize=(5.0 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for at, title in enumerate(title for title in _PANELS if title in panels):
        axes = figure.add_subplot(1, len(panels), at + 1)
        for column in panels[title]:
            filled = table[[along, column]].dropna()
            marker = "o" if len(filled) < 40 else None
            axes.plot(filled[along], filled[column], label=column, marker=marker, markersize=3, linewidth=1.2)
        axes.set_title(title)
        axes.set_xlabel(along)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="x-small")
    with written_whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return out


def _panel(column: str) -> str:
    if column.startswith("val"):
        return "validation"
    return "learning rates" if column.startswith(("rate", "lr")) else "losses"
