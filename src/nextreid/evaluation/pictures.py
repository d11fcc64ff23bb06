"""Pictures of observations: rank lists that agree with the score, and sample sheets.

An observation is a column with its modalities stacked; an absent one is a hatched cell. Everything
in a rank list comes from the `Ranking` that made the metric, so removed entries are never in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nextreid.atomic import written_whole
from nextreid.data.images import read_image
from nextreid.data.manifest import Manifest, Row
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.seeding import numpy_generator

Which = Literal["best", "worst", "random"]

RIGHT, WRONG, QUERY, INK, HATCH = (24, 150, 60), (205, 35, 35), (40, 90, 200), (20, 20, 20), (150, 150, 150)
_FRAME, _GAP, _LINE, _FONT = 3, 8, 13, 11  # pixels, ours


@dataclass(frozen=True)
class _Cell:
    """One column: an observation, the lines of text over it, and its frame's colour."""

    row: Row
    lines: tuple[str, ...]
    frame: tuple[int, int, int] | None


def rank_list_picture(
    evaluation: Evaluation,
    manifest: Manifest,
    *,
    which: Which = "best",
    count: int = 5,
    top_k: int = 10,
    seed: int = 0,
    out: Path | str,
    cell_height: int = 128,
) -> Path:
    """Draw queries (blue) and their nearest kept gallery entries (green: right, red: wrong).

    Args:
        evaluation: whose ranking to show.
        manifest: where the images are.
        which: the valid queries of highest AP, of lowest AP, or drawn at random.
        count: how many queries.
        top_k: how many entries for each; at most what the ranking lists.
        seed: of the random choice.
        out: a .png.
        cell_height: pixels per image.

    Returns:
        `out`.

    Raises:
        InputError: a bad option, a manifest that lacks an observation, an unreadable image.
    """
    ranking, matching = evaluation.ranking, evaluation.ranking.matching
    listed = ranking.top.shape[1]
    if top_k < 1 or count < 1:
        raise InputError(f"count={count}, top_k={top_k}", allowed="1 or more of each")
    rows = {row.observation: row for row in manifest.rows}
    strangers = [str(name) for name in (*matching.query, *matching.gallery) if str(name) not in rows]
    if strangers:
        raise InputError(
            f"{manifest.source} does not list {strangers[0]!r}", do="give the evaluated data set"
        )
    lines = []
    for query in choose_queries(evaluation, which, count, seed):
        row = rows[str(matching.query[query])]
        first = int(ranking.first_match_rank[query])
        texts = (f"query, AP {100 * ranking.ap[query]:.1f} %", f"first match: {first}", *_labels(row))
        cells = [_Cell(row, texts, QUERY)]
        for place in range(min(top_k, listed)):
            entry = int(ranking.top[query, place])
            if entry < 0:
                break
            right = bool(ranking.top_match[query, place])
            row = rows[str(matching.gallery[entry])]
            distance = f"{ranking.top_distance[query, place]:.3g}"
            texts = (f"{place + 1}. {'right' if right else 'wrong'}", f"distance {distance}", *_labels(row))
            cells.append(_Cell(row, texts, RIGHT if right else WRONG))
        lines.append(cells)
    title = f"{which} queries under {evaluation.protocol.name}: nearest {min(top_k, listed)}"
    return _draw(manifest, lines, title, Path(out), cell_height)


def choose_queries(evaluation: Evaluation, which: Which, count: int, seed: int) -> list[int]:
    """Return up to `count` valid queries: highest AP, lowest AP (ties in query order), or random."""
    ranking = evaluation.ranking
    valid = np.flatnonzero(ranking.valid)
    if which == "random":
        drawn = numpy_generator(seed, "pictures", "queries").permutation(valid)[:count]
        return [int(query) for query in drawn]
    if which not in ("best", "worst"):
        raise InputError(f"which={which!r}", allowed="best, worst, random")
    ap = ranking.ap[valid]
    order = np.argsort(-ap if which == "best" else ap, kind="stable")
    return [int(query) for query in valid[order[:count]]]


def sample_sheet(
    manifest: Manifest,
    out: Path | str,
    *,
    count: int = 24,
    per_line: int = 12,
    seed: int = 0,
    cell_height: int = 128,
) -> Path:
    """Draw a contact sheet: one column per observation, modalities in rows, identities together.

    Args:
        manifest: whose rows to draw from. Identities are drawn at random, two observations each,
            from two cameras where it can be, so that likeness and difference are both seen.
        out: a .png.
        count: how many observations. per_line: how many side by side.
        seed: of the draw.
        cell_height: pixels per image.

    Raises:
        InputError: a bad option, no rows, an unreadable image.
    """
    if count < 1 or per_line < 1 or not manifest.rows:
        raise InputError(
            f"count={count}, per_line={per_line}, {len(manifest.rows)} rows", allowed="1 or more of each"
        )
    generator = numpy_generator(seed, "pictures", "samples")
    by_identity: dict[str, list[Row]] = {}
    for row in manifest.rows:
        by_identity.setdefault(row.identity or row.observation, []).append(row)
    chosen: list[Row] = []
    for at in generator.permutation(len(by_identity)):
        group = by_identity[sorted(by_identity)[at]]
        shuffled = [group[i] for i in generator.permutation(len(group))]
        other = [row for row in shuffled[1:] if row.camera != shuffled[0].camera] or shuffled[1:]
        chosen += [shuffled[0], *other[:1]]
        if len(chosen) >= count:
            break
    cells = [_Cell(row, (*_labels(row), row.time or ""), None) for row in chosen[:count]]
    lines = [cells[start : start + per_line] for start in range(0, len(cells), per_line)]
    return _draw(manifest, lines, f"{manifest.name}: {len(cells)} observations", Path(out), cell_height)


def _labels(row: Row) -> tuple[str, str]:
    camera = f"camera {row.camera}" if row.camera is not None else row.observation
    return (f"id {row.identity}" if row.identity is not None else "id unknown", camera)


def _draw(manifest: Manifest, lines: Sequence[Sequence[_Cell]], title: str, out: Path, height: int) -> Path:
    if out.suffix.lower() != ".png":
        raise InputError(f"{out} is not a name for a picture", allowed="a path that ends in .png")
    shown = [cell for line in lines for cell in line]
    modalities = [name for name in manifest.modalities if any(name in cell.row.paths for cell in shown)]
    width = max(_cell_width(shown, height), 84)  # ours: wide enough for the text
    texts = max(len(cell.lines) for cell in shown)
    step_x = width + 2 * _FRAME + _GAP
    line_height = texts * _LINE + len(modalities) * (height + 2) + 2 * _FRAME + 2 * _GAP
    margin = 34  # ours: room for the modality's name
    sheet = Image.new(
        "RGB",
        (margin + max(len(line) for line in lines) * step_x + _GAP, 2 * _LINE + len(lines) * line_height),
        "white",
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    draw.text((_GAP, 4), title, fill=INK, font=font)
    for down, line in enumerate(lines):
        top = 2 * _LINE + down * line_height
        images_top = top + texts * _LINE + _FRAME
        for at, modality in enumerate(modalities):
            draw.text((4, images_top + at * (height + 2) + height // 2), modality, fill=INK, font=font)
        for across, cell in enumerate(line):
            left = margin + across * step_x + _FRAME
            for at, text in enumerate(cell.lines):
                draw.text(
                    (left, top + at * _LINE), _cut(text, width, font), fill=cell.frame or INK, font=font
                )
            if cell.frame:
                bottom = images_top + len(modalities) * (height + 2) - 2
                corners = (left - _FRAME, images_top - _FRAME, left + width + _FRAME, bottom + _FRAME)
                draw.rectangle(corners, fill=cell.frame)
            for at, modality in enumerate(modalities):
                corner = (left, images_top + at * (height + 2))
                sheet.paste(_tile(cell.row, modality, width, height), corner)
    with written_whole(out) as temporary:
        sheet.save(temporary, format="PNG")
    return out


def _cell_width(cells: Sequence[_Cell], height: int) -> int:
    """Return the width that suits the median shape of the first images."""
    shapes = []
    for cell in cells[:8]:
        for modality in cell.row.paths:
            image = _read(cell.row, modality)
            shapes.append(image.shape[1] / image.shape[0])
    return int(np.clip(round(height * float(np.median(shapes))), height // 3, 3 * height))


def _tile(row: Row, modality: str, width: int, height: int) -> Image.Image:
    """Return the image fitted into (width, height) on grey, or a hatched cell where it is absent."""
    tile = Image.new("RGB", (width, height), (225, 225, 225))
    if modality not in row.paths:
        draw = ImageDraw.Draw(tile)
        for start in range(-height, width, 10):
            draw.line((start, height, start + height, 0), fill=HATCH, width=1)
        return tile
    image = Image.fromarray(_read(row, modality))
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    tile.paste(
        image.resize(size, Image.Resampling.BICUBIC), ((width - size[0]) // 2, (height - size[1]) // 2)
    )
    return tile


def _read(row: Row, modality: str) -> np.ndarray:
    return read_image(row.paths[modality], box=row.boxes.get(modality), where=row.where(modality))


def _cut(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten a text to fit."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
