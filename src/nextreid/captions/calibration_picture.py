"""The reliability diagram of a calibration, on the rows that were held out."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nextreid.atomic import written_whole
from nextreid.captions.calibrating import Proof


def draw_calibration(proof: Proof, out: str | Path) -> None:
    """Draw the share that is right over the confidence: as stated, calibrated, and after merging.

    Args:
        proof: of a calibration.
        out: a PNG file.
    """
    figure = Figure(figsize=(7.6, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    parts = {"as stated": proof.stated, "calibrated": proof.calibrated, "merged": proof.merged}
    for axes, (name, part) in zip(figure.subplots(1, len(parts), sharey=True), parts.items(), strict=True):
        total = max(sum(entry.count for entry in part.bins), 1)
        for entry in part.bins:
            width = entry.high - entry.low
            axes.bar(entry.low, entry.precision, width, align="edge", color="tab:blue", edgecolor="white")
            axes.bar(entry.low, entry.count / total, width, align="edge", color="0.75", alpha=0.7)
        axes.plot([0, 1], [0, 1], color="0.3", linewidth=0.8, linestyle="--")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_title(f"{name}: ECE {100 * part.ece:.1f} %", fontsize=9)
        axes.set_xlabel("confidence", fontsize=8)
        axes.tick_params(labelsize=7)
    figure.supylabel("share right; grey: share of claims", fontsize=8)
    with written_whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
