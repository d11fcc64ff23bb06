"""Which images of a data set can be read; leaving out those that cannot, counted and listed.

Under `raise` nothing is read beforehand: whoever reads an unreadable image raises the error that
names file and row. Under `skip` every image is decoded once before the work begins, in threads: only
decoding finds a truncated file, and an observation must be left out before batches are drawn, or the
run would depend on when the fault is met.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from nextreid.data.images import read_image
from nextreid.data.rows import Manifest, Row
from nextreid.errors import ImageError, InputError
from nextreid.progress import Progress, Silent

ON_ERROR = ("raise", "skip")


@dataclass(frozen=True)
class ImageProbe:
    """What came of reading one image.

    Attributes:
        row: its observation.
        modality: its modality.
        path: its file.
        fault: why it cannot be read, with place, file and what to do; None if it can.
        cut: its box reaches beyond the image, and was cut off.
    """

    row: Row
    modality: str
    path: Path
    fault: str | None = None
    cut: bool = False


@dataclass(frozen=True)
class Skipped:
    """One image left out.

    Attributes:
        observation: the observation's id.
        modality: the modality that became absent.
        reason: why the image cannot be read.
        whole: nothing was left of the observation, so it was left out too.
    """

    observation: str
    modality: str
    reason: str
    whole: bool


@dataclass(frozen=True)
class Readable:
    """A data set without its unreadable images.

    Attributes:
        manifest: what is left.
        skipped: every image left out, in row order.
    """

    manifest: Manifest
    skipped: tuple[Skipped, ...] = ()

    @property
    def images(self) -> int:
        """How many images were left out."""
        return len(self.skipped)

    @property
    def observations(self) -> tuple[str, ...]:
        """The observations of which nothing was left."""
        return tuple(dict.fromkeys(entry.observation for entry in self.skipped if entry.whole))


def readable(
    manifest: Manifest,
    *,
    on_error: str = "raise",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Readable:
    """Leave out what cannot be read, if that is wanted.

    Args:
        manifest: the data set.
        on_error: `raise`: nothing is done here, and reading raises; `skip`: an unreadable image makes
            its modality absent, and an observation with no image left is left out.
        workers: threads; None: as many as there are cores, at most 8.
        progress: one step per image.

    Raises:
        InputError: another `on_error`, or nothing is left.
    """
    if on_error not in ON_ERROR:
        raise InputError(f"on_error={on_error!r}", allowed=", ".join(ON_ERROR))
    if on_error == "raise":
        return Readable(manifest)
    faults: dict[str, dict[str, str]] = {}
    for probe in probe_images(manifest, workers=workers, progress=progress):
        if probe.fault is not None:
            faults.setdefault(probe.row.observation, {})[probe.modality] = probe.fault
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for row in manifest.rows:
        bad = faults.get(row.observation, {})
        kept = {name: path for name, path in row.paths.items() if name not in bad}
        skipped += [Skipped(row.observation, name, reason, not kept) for name, reason in bad.items()]
        if kept:
            boxes = {name: box for name, box in row.boxes.items() if name in kept}
            rows.append(replace(row, paths=kept, boxes=boxes) if bad else row)
    if manifest.rows and not rows:
        raise InputError(
            f"No image of {manifest.source} can be read; the first: {skipped[0].reason}",
            do="run `nextreid data check` on it",
        )
    return Readable(manifest.keep(rows), tuple(skipped))


def probe_images(
    manifest: Manifest, *, workers: int | None = None, progress: Progress | None = None
) -> Iterator[ImageProbe]:
    """Decode every image, in threads; yield what came of it, in row and column order.

    Args:
        manifest: the data set.
        workers: threads; None: as many as there are cores, at most 8 (ours: decoding is bound by the
            cores, and every thread holds an image).
        progress: one step per image.
    """
    places = [(row, name) for row in manifest.rows for name in manifest.modalities if name in row.paths]
    threads = workers or min(8, os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(threads) as pool,
        (progress or Silent()).task("Reading images", len(places)) as task,
    ):
        ahead = 64 * threads  # probes under way: the pool is kept busy, memory stays small
        for start in range(0, len(places), ahead):
            yield from _counted(pool.map(_probe, places[start : start + ahead]), task.advance)


def _counted(probes: Iterator[ImageProbe], step: Callable[[], None]) -> Iterator[ImageProbe]:
    for probe in probes:
        step()
        yield probe


def _probe(place: tuple[Row, str]) -> ImageProbe:
    row, modality = place
    path, box = row.paths[modality], row.boxes.get(modality)
    try:
        pixels = read_image(path, box=box, where=row.where(modality))
    except ImageError as error:
        return ImageProbe(row, modality, path, fault=str(error))
    cut = box is not None and pixels.shape[:2] != (box[3] - box[1], box[2] - box[0])
    return ImageProbe(row, modality, path, cut=cut)
