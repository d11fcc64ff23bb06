"""Plan a world: what it is made from, drawn out into identities, cameras and sightings.

A plan renders nothing by itself; `render_observation` renders one of its observations, purely.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nextreid.attributes.schema import Schema, load_schema
from nextreid.errors import InputError
from nextreid.synthetic.cameras import Camera, draw_cameras
from nextreid.synthetic.draw import draw_sighting
from nextreid.synthetic.kinds import KINDS, Kind, load_kind
from nextreid.synthetic.render import Rendered, Stage, render, set_stage
from nextreid.synthetic.sighting import Sighting
from nextreid.synthetic.truth import Fact, find_truth
from nextreid.synthetic.writer import LAYOUTS

DEFAULT_SIZE = {"person": (256, 128), "vehicle": (128, 256)}
"""Stored height and width in pixels (reference: the sizes the peers train at)."""

PRETRAINING_SEEDS = range(900_000_000, 900_100_000)
"""Seeds of the worlds that shipped weights have seen (ours: far from any seed a person types). They are
rendered in memory for pretraining alone; nothing is measured on them."""


@dataclass(frozen=True)
class WorldSpec:
    """What a world is made from; two equal specs give equal files.

    Args:
        kind: "person" or "vehicle".
        identities: how many, train and test together.
        cameras: how many; each sees every identity.
        per_camera: sightings of an identity by a camera.
        seed: of everything.
        size: (H, W) in pixels.
        layout: "manifest" or "rgbnt201".
        tir: "false-colour" or "gray".
        test_fraction: share of identities for testing.
    """

    kind: str
    identities: int
    cameras: int
    per_camera: int
    seed: int
    size: tuple[int, int]
    layout: str = "manifest"
    tir: str = "false-colour"
    test_fraction: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.kind not in KINDS:
            raise InputError(f"kind = {self.kind!r}", allowed=", ".join(KINDS))
        if self.layout not in LAYOUTS:
            raise InputError(f"layout = {self.layout!r}", allowed=", ".join(LAYOUTS))
        if self.tir not in ("false-colour", "gray"):
            raise InputError(f"tir = {self.tir!r}", allowed="false-colour, gray")
        if min(self.size) < 32 or max(self.size) > 2048:
            raise InputError(f"size = {self.size[0]}x{self.size[1]}", allowed="32 to 2048 pixels a side")
        if self.identities < 2:
            raise InputError(f"identities = {self.identities}", allowed="2 or more")
        if self.cameras < 1 or self.per_camera < 1:
            raise InputError(
                f"cameras = {self.cameras}, per_camera = {self.per_camera}", allowed="at least 1 each"
            )
        if self.layout == "rgbnt201" and self.kind != "person":
            raise InputError(
                f"layout rgbnt201 with kind = {self.kind}",
                allowed="kind person: whoever reads that benchmark's folders takes them for persons",
                do="use layout manifest",
            )
        if self.layout == "rgbnt201" and (self.cameras > 4 or self.per_camera > 100):
            raise InputError(
                f"layout rgbnt201 with cameras = {self.cameras}, per_camera = {self.per_camera}",
                allowed="at most 4 cameras and 100 sightings by each, as its file names can tell",
                do="lower them or use layout manifest",
            )


@dataclass(frozen=True)
class WorldPlan:
    """A spec drawn out: identities, cameras and every sighting, nothing rendered."""

    spec: WorldSpec
    kind: Kind
    schema: Schema
    identities: tuple[Any, ...]
    cameras: tuple[Camera, ...]
    sightings: tuple[Sighting, ...]

    def stage(self, index: int) -> Stage:
        """Set the stage of one observation."""
        sighting = self.sightings[index]
        return set_stage(
            self.kind,
            self.cameras[sighting.camera],
            sighting,
            self.identities,
            size=self.spec.size,
            tir=self.spec.tir,
        )


@lru_cache(maxsize=2)
def plan_world(spec: WorldSpec) -> WorldPlan:
    """Draw identities, cameras and sightings; the same spec gives the same plan."""
    kind = load_kind(spec.kind)
    identities = kind.sample(spec.identities, spec.seed, test_fraction=spec.test_fraction)
    cameras = draw_cameras(spec.cameras, spec.seed)
    members = {
        split: [i for i, who in enumerate(identities) if who.split == split] for split in ("train", "test")
    }
    sightings = tuple(
        draw_sighting(
            seed=spec.seed,
            identity=index,
            name=who.name,
            camera=place,
            response=camera,
            number=number,
            others=members[who.split],
        )
        for index, who in enumerate(identities)
        for place, camera in enumerate(cameras)
        for number in range(spec.per_camera)
    )
    return WorldPlan(spec, kind, load_schema(spec.kind), identities, cameras, sightings)


def render_observation(plan: WorldPlan, index: int) -> tuple[Rendered, tuple[Fact, ...]]:
    """Render one observation of a plan and find its truth; pure."""
    sighting = plan.sightings[index]
    rendered = render(plan.stage(index))
    identity = plan.identities[sighting.identity]
    described = plan.kind.describe(identity, sighting.state, sighting.bearing)
    return rendered, find_truth(plan.schema, plan.kind, sighting, described, rendered)
