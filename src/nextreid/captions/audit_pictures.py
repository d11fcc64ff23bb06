"""Pictures of an audit: texts, what is stated, and how right it is."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nextreid.atomic import written_whole
from nextreid.captions.audit import SetAudit
from nextreid.captions.audit_truth import Scores

LONGEST_NAME = 28
"""Letters of a set's name that are drawn (ours: the end tells more than the beginning)."""


def audit_pictures(audits: Sequence[SetAudit], out: Path) -> tuple[Path, ...]:
    """Draw every picture for which there are figures.

    Args:
        audits: of one audit.
        out: a folder.

    Returns:
        The files: texts.png, coverage.png, accuracy.png, reliability.png, abstention.png, or fewer.
    """
    files = [_texts(audits, out / "texts.png")]
    stated = [audit for audit in audits if audit.coverage]
    if stated:
        files.append(
            _matrices(
                {_name(audit): _coverage_cells(audit) for audit in stated},
                "share of captions that state it, %",
                out / "coverage.png",
            )
        )
    judged = [audit for audit in audits if audit.truth]
    if judged:
        files.append(
            _matrices(
                {_name(audit): _accuracy_cells(audit) for audit in judged},
                "balanced accuracy of what is stated, %",
                out / "accuracy.png",
            )
        )
    sure = [audit for audit in judged if audit.truth and audit.truth.reliability]
    if sure:
        files.append(_panels(sure, _reliability, out / "reliability.png"))
        files.append(_panels(sure, _abstention, out / "abstention.png"))
    return tuple(files)


def _texts(audits: Sequence[SetAudit], out: Path) -> Path:
    """Draw words and unknown rates by modality, sets side by side."""
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    modalities = list(dict.fromkeys(name for audit in audits for name in audit.text.words))
    left, right = figure.subplots(1, 2)
    width = 0.8 / len(audits)
    for at, audit in enumerate(audits):
        place = np.arange(len(modalities)) + (at - (len(audits) - 1) / 2) * width
        words = [audit.text.words.get(name, 0) for name in modalities]
        rates = [
            100 * audit.text.unknown[name].share if name in audit.text.unknown else 0.0 for name in modalities
        ]
        label = f"{_name(audit)} ({100 * audit.text.overall:.2f} %)"
        left.bar(place, words, width, label=_name(audit))
        bars = right.bar(place, rates, width, label=label)
        right.bar_label(bars, fmt="%.2f", fontsize=7)
    for axes in (left, right):
        axes.set_ylim(0.0, max(1.0, axes.get_ylim()[1]))  # bars of nothing stand on the floor
    for axes, title in ((left, "words"), (right, "captions that say they do not know, %")):
        axes.set_xticks(range(len(modalities)), [name.upper() for name in modalities])
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7)
    return _saved(figure, out)


Cells = tuple[list[str], list[str], Mapping[tuple[str, str], float]]
"""Attributes, modalities, and (attribute, modality) -> share."""


def _coverage_cells(audit: SetAudit) -> Cells:
    shares = {
        (attribute, modality): share
        for modality, part in audit.coverage.items()
        for attribute, share in part.items()
    }
    return _attributes(audit), list(audit.coverage), shares


def _accuracy_cells(audit: SetAudit) -> Cells:
    truth = audit.truth
    parts: Mapping[tuple[str, str], Scores] = truth.by_attribute if truth else {}
    shares = {key: scores.balanced for key, scores in parts.items() if scores.balanced is not None}
    return _attributes(audit), list(truth.by_modality) if truth else [], shares


def _attributes(audit: SetAudit) -> list[str]:
    schema = audit.audited.schema
    return [attribute.name for attribute in schema.attributes] if schema else []


def _matrices(sets: Mapping[str, Cells], title: str, out: Path) -> Path:
    """Draw one matrix a set, attribute x modality; a cell without a figure is grey."""
    tallest = max(len(attributes) for attributes, _, _ in sets.values())
    columns = sum(len(modalities) for _, modalities, _ in sets.values())
    size = (1.9 * len(sets) + 0.6 * columns, 1.1 + 0.24 * tallest)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    for at, (name, (attributes, modalities, shares)) in enumerate(sets.items(), start=1):
        axes = figure.add_subplot(1, len(sets), at)
        values = np.full((len(attributes), len(modalities)), np.nan)
        for (attribute, modality), share in shares.items():
            row, column = attributes.index(attribute), modalities.index(modality)
            values[row, column] = share
            colour = "white" if share > 0.6 else "black"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        axes.set_facecolor("0.85")
        axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(modalities)), [modality.upper() for modality in modalities])
        axes.set_yticks(range(len(attributes)), attributes)
        axes.tick_params(labelsize=7, length=0)
        axes.set_title(name, fontsize=8)
    return _saved(figure, out)


def _panels(audits: Sequence[SetAudit], draw: Callable[[SetAudit, Axes], None], out: Path) -> Path:
    figure = Figure(figsize=(3.6 * len(audits), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for at, audit in enumerate(audits, start=1):
        axes = figure.add_subplot(1, len(audits), at)
        draw(audit, axes)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)  # the best points stay whole
        axes.set_title(_name(audit), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=7, loc="lower right")
    return _saved(figure, out)


def _reliability(audit: SetAudit, axes: Axes) -> None:
    """Draw the share that is right over the confidence; the size of a mark is how many slots it holds."""
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
    for name, found in (audit.truth.reliability if audit.truth else {}).items():
        held = [part for part in found.bins if part.count]
        total = sum(part.count for part in held)
        axes.plot(
            [part.confidence for part in held],
            [part.precision for part in held],
            label=f"{_part(name)}: ECE {100 * found.ece:.1f} %",
            linewidth=1.0,
        )
        axes.scatter(
            [part.confidence for part in held],
            [part.precision for part in held],
            s=[4 + 80 * part.count / total for part in held],
        )
    axes.set_xlabel("confidence", fontsize=8)
    axes.set_ylabel("share right", fontsize=8)


def _abstention(audit: SetAudit, axes: Axes) -> None:
    """Draw the share right over the share of visible slots that is stated, as the threshold falls."""
    for name, curve in (audit.truth.abstention if audit.truth else {}).items():
        points = [
            (point.covered, point.accuracy)
            for point in curve
            if point.covered is not None and point.accuracy is not None
        ]
        axes.plot(
            [covered for covered, _ in points],
            [accuracy for _, accuracy in points],
            marker=".",
            linewidth=1.0,
            label=_part(name),
        )
    axes.set_xlabel("share of the visible that is stated", fontsize=8)
    axes.set_ylabel("share right of what is stated", fontsize=8)


def _name(audit: SetAudit) -> str:
    """Return a set's name as it is drawn: no letter in it starts a formula, and it is not too long."""
    name = "".join(sign if sign.isprintable() else "?" for sign in audit.audited.name).replace("$", r"\$")
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _part(name: str) -> str:
    return "all" if name == "all" else name.upper()


def _saved(figure: Figure, out: Path) -> Path:
    with written_whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    return out
