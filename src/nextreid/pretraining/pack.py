"""A pack: rendered observations with their truth as plain arrays on disk, ready to be drawn from.

A world of files would cost a PNG decoder's time for each image and epoch; a pack is rendered once, by
several processes, and read through memory maps. It holds what pretraining needs and no more: pictures,
part masks, and for each attribute its value and whether each modality shows it.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.atomic import written_whole
from nextreid.attributes.schema import Schema, load_schema
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR
from nextreid.progress import Progress, Silent
from nextreid.synthetic.plan import WorldSpec, plan_world, render_observation

MODALITIES = (RGB, NIR, TIR)
"""Order of the second axis of every array."""

HEADER, DONE = "pack.json", "done.npy"

FORMAT = "nextreid.pack/5"
"""Raised when worlds are drawn otherwise, too, so that nobody trains on earlier pictures unawares."""

MAPPED = ("pixels", "masks")
"""Arrays that are read through memory maps."""

CHUNK = 8
"""Observations that a process renders at a time: ours, small enough for a smooth bar."""


@dataclass(frozen=True)
class Pack:
    """Observations of one kind, n of them, in A attributes and M = 3 modalities.

    Attributes:
        folder: where it lies.
        kind: "person" or "vehicle".
        schema: its attribute schema.
        pixels: (n, M, H, W, 3) uint8.
        masks: (n, M, H, W) uint8, part numbers of `Kind.table`.
        values: (n, M, A) int8, index into the attribute's values; -1 where the object has none. Image
            quality is each sensor's own; the others are equal in all modalities.
        visible: (n, M, A) bool.
    """

    folder: Path
    kind: str
    schema: Schema
    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    values: NDArray[np.int8]
    visible: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the files anew, instead of being sent all pictures."""
        return open_pack, (self.folder,)


def render_pack(spec: WorldSpec, folder: Path, *, workers: int = 0, progress: Progress | None = None) -> Pack:
    """Render a world into a pack, or finish one that was interrupted, or open one that is complete.

    Args:
        spec: the world; every observation of both splits is taken.
        folder: where the arrays lie; one folder a world.
        workers: processes; 0 or 1 renders in this one.
        progress: draws the bar.

    Raises:
        InputError: the folder holds the pack of another world or version, or a damaged one.
    """
    header = {"format": FORMAT, "spec": json.loads(json.dumps(asdict(spec)))}
    _check_header(folder, header)
    plan = plan_world(spec)
    count = len(plan.sightings)
    if not (folder / HEADER).exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, (shape, kind) in _shapes(count, plan.schema, spec.size).items():
            array = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)
            array.flush()
        with written_whole(folder / HEADER) as temporary:  # last: whoever finds it finds the arrays
            temporary.write_text(json.dumps(header, indent=1) + "\n", encoding="utf-8")
    done = _array(folder / DONE, (count,), np.bool_)
    missing = np.flatnonzero(~done)
    chunks = [missing[at : at + CHUNK].tolist() for at in range(0, len(missing), CHUNK)]
    if chunks:
        with (progress or Silent()).task(f"Rendering {spec.kind}s", count) as task:
            task.advance(int(done.sum()))
            for finished in _run(spec, folder, chunks, workers):
                task.advance(finished)
    return open_pack(folder)


def open_pack(folder: Path) -> Pack:
    """Open a complete pack.

    Raises:
        InputError: it is not there, not complete, or damaged.
    """
    if not (folder / HEADER).is_file() or not (done := _array(folder / DONE)).all():
        raise InputError(f"{folder} holds no complete pack", do="render it anew")
    spec = _header(folder / HEADER)["spec"]
    schema = load_schema(spec["kind"])
    arrays = {
        name: _array(folder / f"{name}.npy", shape, kind, mmap_mode="r" if name in MAPPED else None)
        for name, (shape, kind) in _shapes(len(done), schema, spec["size"]).items()
        if name != "done"
    }
    numbers = np.array([len(attribute.values) for attribute in schema.attributes])
    if ((arrays["values"] < -1) | (arrays["values"] >= numbers)).any():
        raise _damaged(folder / "values.npy", ValueError("a number is no value of its attribute"))
    return Pack(folder=folder, kind=spec["kind"], schema=schema, **arrays)


def _shapes(count: int, schema: Schema, size: Sequence[int]) -> dict[str, tuple[tuple[int, ...], type]]:
    """Return shape and number format of every array of a pack of `count` observations."""
    modalities, attributes, (height, width) = len(MODALITIES), len(schema.attributes), size
    return {
        "pixels": ((count, modalities, height, width, 3), np.uint8),
        "masks": ((count, modalities, height, width), np.uint8),
        "values": ((count, modalities, attributes), np.int8),
        "visible": ((count, modalities, attributes), np.bool_),
        "done": ((count,), np.bool_),
    }


def _array(
    path: Path, shape: tuple[int, ...] | None = None, kind: type | None = None, **how: Any
) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(path, **how)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, error) from error
    if shape is not None and (found.shape, found.dtype) != (shape, np.dtype(kind)):
        wanted = f"{shape} of {np.dtype(kind)}"
        raise _damaged(path, ValueError(f"it holds {found.shape} of {found.dtype}, not {wanted}"))
    return found


def _header(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["spec"]["kind"], found["spec"]["size"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is damaged: {error or type(error).__name__}",
        do=f"delete the folder {path.parent}; it is rendered anew",
    )


def _check_header(folder: Path, header: dict[str, object]) -> None:
    path = folder / HEADER
    if not path.exists():
        return
    found = _header(path)
    if found.get("format") != header["format"]:
        raise InputError(
            f"{folder} holds pictures that another version of nextreid drew ({found.get('format')})",
            allowed=str(header["format"]),
            do="name another folder, or delete this one; it is rendered anew",
        )
    if found != header:
        raise InputError(
            f"{folder} holds the pictures of another world",
            do="give the options it was begun with, name another folder, or delete it",
        )


def _run(spec: WorldSpec, folder: Path, chunks: Sequence[Sequence[int]], workers: int) -> Iterator[int]:
    if workers <= 1:
        for chunk in chunks:
            yield _render_chunk(spec, folder, chunk)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        waiting = [pool.submit(_render_chunk, spec, folder, chunk) for chunk in chunks]
        for finished in as_completed(waiting):
            yield finished.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _render_chunk(spec: WorldSpec, folder: Path, indices: Sequence[int]) -> int:
    """Render some observations into the arrays; each is a function of (spec, index) alone."""
    plan = plan_world(spec)
    order = {attribute.name: a for a, attribute in enumerate(plan.schema.attributes)}
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r+")
        for name in ("pixels", "masks", "values", "visible", "done")
    }
    for index in indices:
        rendered, facts = render_observation(plan, index)
        for m, modality in enumerate(MODALITIES):
            arrays["pixels"][index, m] = rendered.images[modality]
            arrays["masks"][index, m] = rendered.masks[modality]
        arrays["values"][index] = -1
        arrays["visible"][index] = False
        for fact in facts:
            m, a = MODALITIES.index(fact.modality), order[fact.attribute]
            arrays["values"][index, m, a] = plan.schema.attributes[a].values.index(fact.value)
            arrays["visible"][index, m, a] = fact.visible
    for name in ("pixels", "masks", "values", "visible"):
        arrays[name].flush()  # to the disk, before it says that they are there: a power cut may come
    arrays["done"][list(indices)] = True
    return len(indices)
