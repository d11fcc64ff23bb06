"""Pictures of a probe: attributes by modality, and where sentences point."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nextreid.atomic import written_whole
from nextreid.attributes.grammar import Grammar
from nextreid.attributes.prompts import prompt_vectors
from nextreid.data.images import read_image
from nextreid.data.manifest import Row
from nextreid.embedding.reader import TokenReader
from nextreid.evaluation.probe.attributes import AttributeScore
from nextreid.evaluation.probe.pointing import PartGrid, Target, targets_of
from nextreid.evaluation.probe.probe import ProbeData, target_vector
from nextreid.seeding import numpy_generator

SHOWN = 6
"""Images of each modality in pointing.png: ours, one screen."""


def attribute_picture(scores: Sequence[AttributeScore], out: Path) -> Path:
    """Draw a matrix, attribute x modality and cut: white is chance, dark all of its error removed.

    Args:
        scores: at least one.
        out: a .png.
    """
    columns = list(dict.fromkeys((score.modality, score.cut) for score in scores))
    names = list(dict.fromkeys(score.attribute for score in scores))
    removed = np.full((len(names), len(columns)), np.nan)
    figure = Figure(figsize=(2.2 + 1.15 * len(columns), 1.2 + 0.34 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for score in scores:
        at = names.index(score.attribute), columns.index((score.modality, score.cut))
        removed[at] = score.error_removed
        text = f"{100 * score.balanced:.0f} % ({score.times_chance:.1f}x)"
        axes.text(
            at[1],
            at[0],
            text,
            ha="center",
            va="center",
            fontsize=7,
            color="white" if score.error_removed > 0.6 else "black",
            fontweight="normal" if score.enough else "bold",
        )
    image = axes.imshow(np.clip(removed, 0, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [m if cut == "all" else f"{m}\n{cut}" for m, cut in columns])
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelsize=8, length=0)
    axes.set_title("balanced accuracy (times chance); bold: below twice chance", fontsize=8)
    bar = figure.colorbar(image, ax=axes, shrink=0.7)
    bar.set_label("share of chance's error removed", fontsize=8)
    return _saved(figure, out)


@dataclass(frozen=True, eq=False)
class _Pointed:
    """One image with a sentence: where it points, and where the part is."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    likeness: NDArray[np.float32]
    target: Target
    sentence: str
    right: bool


def pointing_picture(
    reader: TokenReader,
    data: ProbeData,
    modalities: Sequence[str],
    out: Path,
    *,
    seed: int = 0,
    count: int = SHOWN,
) -> Path | None:
    """Draw random images, each with the map of its likeness to a sentence and the named part's outline.

    Args:
        reader: puts images and sentences into one space.
        data: with a truth that tells which parts show an attribute.
        modalities: one line each.
        out: a .png.
        seed: of the draw.
        count: images a line.

    Returns:
        `out`; None where no image shows a part.
    """
    lines = {name: _points(reader, data, name, seed, count) for name in modalities}
    lines = {name: line for name, line in lines.items() if line}
    if not lines:
        return None
    height, width = reader.size
    figure = Figure(figsize=(1.75 * count, len(lines) * (0.5 + 1.75 * height / width)), layout="constrained")
    FigureCanvasAgg(figure)
    for down, (modality, line) in enumerate(lines.items()):
        for across, shown in enumerate(line):
            axes = figure.add_subplot(len(lines), count, 1 + down * count + across)
            axes.imshow(shown.pixels)
            tall, wide = shown.mask.shape
            extent = (-0.5, wide - 0.5, tall - 0.5, -0.5)
            axes.imshow(shown.likeness, cmap="inferno", alpha=0.45, extent=extent, interpolation="nearest")
            axes.contour(shown.mask, levels=[0.5], colors="cyan", linewidths=0.8)
            rows, columns = shown.likeness.shape
            r, c = divmod(int(shown.likeness.argmax()), columns)
            axes.plot((c + 0.5) * wide / columns - 0.5, (r + 0.5) * tall / rows - 0.5, "w+", markersize=9)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(
                _wrapped(shown.sentence), fontsize=5.5, color="green" if shown.right else "firebrick"
            )
            if across == 0:
                axes.set_ylabel(modality, fontsize=8)
    return _saved(figure, out)


def _points(reader: TokenReader, data: ProbeData, modality: str, seed: int, count: int) -> list[_Pointed]:
    """Draw images that show a part, and an attribute of each, different ones first."""
    truth = data.truth
    if truth is None or truth.evidence is None:
        return []
    rng = numpy_generator(seed, "probe", "pointing picture", modality)
    rows = [row for row in data.rows if modality in row.paths]
    grammar = Grammar(data.schema)
    prompts = prompt_vectors(data.schema, reader.sentences)
    used: set[str] = set()
    shown: list[_Pointed] = []
    for at in rng.permutation(len(rows)):
        row = rows[int(at)]
        mask = truth.evidence.mask(row, modality)
        codes = truth.shown([row], modality)[0]
        targets = [t for t in targets_of(data.schema, codes, truth.evidence) if t.level == "attribute"]
        fresh = [t for t in targets if t.name not in used and np.isin(mask, t.numbers).any()]
        if not fresh:
            continue
        target = fresh[int(rng.integers(len(fresh)))]
        used.add(target.name)
        vector = target_vector(reader, grammar, prompts, target)
        shown.append(_pointed(reader, row, modality, mask, target, vector, grammar))
        if len(shown) == count:
            break
    return shown


def _pointed(
    reader: TokenReader,
    row: Row,
    modality: str,
    mask: NDArray[np.uint8],
    target: Target,
    vector: NDArray[np.float32],
    grammar: Grammar,
) -> _Pointed:
    (tokens,) = reader.stream([row.to_observation()], modality, places=[row.place])
    likeness = tokens.patches[0] @ vector
    lies = PartGrid.of(mask, reader.grid).lies_on(target.numbers)
    return _Pointed(
        pixels=read_image(row.paths[modality], box=row.boxes.get(modality), where=row.where(modality)),
        mask=np.isin(mask, target.numbers),
        likeness=likeness.reshape(reader.grid),
        target=target,
        sentence=grammar.variants(target.values)[0],
        right=bool(lies[likeness.argmax()]),
    )


def _wrapped(text: str) -> str:
    """Break a sentence into lines of about 26 letters, the width of an image."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) > 26:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _saved(figure: Figure, out: Path) -> Path:
    with written_whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})
    return out
