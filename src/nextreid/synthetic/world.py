"""Write a world: render its observations (in processes, if wanted) and write its files.

Every observation is rendered from (plan, index) alone, so the number of workers changes no byte.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from nextreid.attributes.grammar import Grammar
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR
from nextreid.progress import Progress, Silent
from nextreid.seeding import numpy_generator
from nextreid.synthetic.kinds import KINDS
from nextreid.synthetic.plan import (
    DEFAULT_SIZE,
    PRETRAINING_SEEDS,
    WorldPlan,
    WorldSpec,
    plan_world,
    render_observation,
)
from nextreid.synthetic.truth import Fact, captions_of
from nextreid.synthetic.writer import (
    MARKER,
    image_path,
    make_folders,
    mask_path,
    prepare_folder,
    write_captions,
    write_image,
    write_json,
    write_manifest_table,
    write_part_names,
    write_truth,
)

CHUNK = 8
"""Observations a worker takes at a time: ours, small enough for a smooth bar."""


@dataclass(frozen=True)
class WorldSummary:
    """What was written.

    Args:
        root: the folder.
        kind, layout: as asked.
        identities, train_identities, test_identities: counts.
        observations: triplets.
        seconds: wall time of the whole writing.
    """

    root: Path
    kind: str
    layout: str
    identities: int
    train_identities: int
    test_identities: int
    observations: int
    seconds: float


@dataclass(frozen=True)
class _Record:
    """What a worker hands back of one observation: everything but its pictures."""

    index: int
    view: str
    facts: tuple[Fact, ...]
    captions: tuple[tuple[str, str, str, str], ...]


def _render_chunk(spec: WorldSpec, root: Path, indices: Sequence[int]) -> list[_Record]:
    plan = plan_world(spec)
    grammar = Grammar(plan.schema)
    records = []
    for index in indices:
        sighting = plan.sightings[index]
        split = plan.identities[sighting.identity].split
        rendered, facts = render_observation(plan, index)
        captions = []
        for modality, pixels in rendered.images.items():
            write_image(root / image_path(spec.layout, split, modality, sighting.observation), pixels)
            write_image(root / mask_path(modality, sighting.observation), rendered.masks[modality])
            rng = numpy_generator(spec.seed, "caption", sighting.observation, modality)
            text = grammar.caption(captions_of(facts, modality), rng=rng)
            captions.append((split, modality, sighting.observation, text))
        view = next((fact.value for fact in facts if fact.attribute == "viewpoint"), "")
        records.append(_Record(index, view, facts, tuple(captions)))
    return records


def _run(spec: WorldSpec, root: Path, chunks: Sequence[range], workers: int) -> Iterator[list[_Record]]:
    if workers <= 1:
        for chunk in chunks:
            yield _render_chunk(spec, root, chunk)
        return
    pool: Executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        waiting = [pool.submit(_render_chunk, spec, root, chunk) for chunk in chunks]
        for done in as_completed(waiting):
            yield done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def write_world(
    out: Path | str,
    *,
    kind: str = "person",
    identities: int = 48,
    cameras: int = 4,
    per_camera: int = 3,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    layout: str = "manifest",
    workers: int = 0,
    tir: str = "false-colour",
    test_fraction: float = 0.5,
    progress: Progress | None = None,
) -> WorldSummary:
    """Render a world into a folder. An interrupted writing leaves no `world.json` and is refused later.

    Args:
        out: a folder that is empty or does not exist.
        kind: "person" or "vehicle".
        identities: how many, train and test together.
        cameras: how many; each sees every identity.
        per_camera: sightings of an identity by a camera.
        seed: the same seed gives the same bytes, with any number of workers.
        size: (H, W) in pixels; by default 256x128 for persons, 128x256 for vehicles.
        layout: "manifest", or "rgbnt201" for the benchmark's folders and names.
        workers: processes; 0 or 1 renders in this one.
        tir: "false-colour" as data sets store it, or "gray".
        test_fraction: share of identities for testing, by look-alike group.
        progress: draws the bar.

    Raises:
        InputError: an argument outside its range, a seed kept for pretraining, or a folder that is not empty.
    """
    started = time.perf_counter()
    root = Path(out)
    if kind not in KINDS:
        raise InputError(f"kind = {kind!r}", allowed=", ".join(KINDS))
    if seed in PRETRAINING_SEEDS:
        raise InputError(
            f"seed = {seed}",
            allowed=f"any below {PRETRAINING_SEEDS.start} or from {PRETRAINING_SEEDS.stop}",
            do="take another: these are kept for pretraining, so that nobody measures on what weights saw",
        )
    spec = WorldSpec(
        kind, identities, cameras, per_camera, seed, size or DEFAULT_SIZE[kind], layout, tir, test_fraction
    )
    plan = plan_world(spec)
    prepare_folder(root)
    splits = sorted({who.split for who in plan.identities})
    make_folders(root, layout, splits)
    total = len(plan.sightings)
    chunks = [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]
    records: list[_Record] = []
    with (progress or Silent()).task(f"Rendering {kind}s", total) as task:
        for part in _run(spec, root, chunks, workers):
            records += part
            task.advance(len(part))
    records.sort(key=lambda record: record.index)
    _write_tables(root, plan, records)
    return WorldSummary(
        root,
        kind,
        layout,
        identities,
        sum(who.split == "train" for who in plan.identities),
        sum(who.split == "test" for who in plan.identities),
        total,
        time.perf_counter() - started,
    )


def _write_tables(root: Path, plan: WorldPlan, records: Sequence[_Record]) -> None:
    layout = plan.spec.layout
    write_part_names(root, plan.kind)
    write_truth(root, [fact for record in records for fact in record.facts])
    write_captions(root, layout, [caption for record in records for caption in record.captions])
    if layout == "manifest":
        write_manifest_table(root, [_row(plan, record) for record in records])
    write_json(
        root / MARKER,
        {
            "format": "nextreid.world/1",
            "spec": asdict(plan.spec),
            "cameras": [asdict(camera) for camera in plan.cameras],
            "identities": [
                {
                    "name": who.name,
                    "split": who.split,
                    "lookalike": who.lookalike,
                    "twins": who.twins,
                    "attributes": dict(who.attributes),
                    "detail": dict(who.detail),
                }
                for who in plan.identities
            ],
            "sightings": [asdict(sighting) for sighting in plan.sightings],
        },
    )


def _row(plan: WorldPlan, record: _Record) -> dict[str, str]:
    sighting = plan.sightings[record.index]
    who = plan.identities[sighting.identity]
    test = "true" if who.split == "test" else "false"
    paths = {
        modality: image_path("manifest", who.split, modality, sighting.observation).as_posix()
        for modality in (RGB, NIR, TIR)
    }
    return {
        "observation": sighting.observation,
        "identity": who.name,
        "kind": plan.kind.name,
        "camera": plan.cameras[sighting.camera].name,
        "scene": sighting.scene,
        "time": sighting.time.isoformat(),
        "view": record.view,
        "lookalike": who.lookalike,
        "split": who.split,
        "is_query": test,
        "is_gallery": test,
        **paths,
    }
