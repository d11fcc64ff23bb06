"""One small world of persons, planned and rendered once for all tests of this room."""

from dataclasses import dataclass

import pytest

from nextreid.synthetic.plan import WorldPlan, WorldSpec, plan_world, render_observation
from nextreid.synthetic.render import Rendered
from nextreid.synthetic.truth import Fact


@dataclass(frozen=True)
class Sample:
    plan: WorldPlan
    rendered: tuple[Rendered, ...]
    facts: tuple[tuple[Fact, ...], ...]


def render_all(spec: WorldSpec) -> Sample:
    plan = plan_world(spec)
    pairs = [render_observation(plan, index) for index in range(len(plan.sightings))]
    return Sample(plan, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


@pytest.fixture(scope="session")
def persons() -> Sample:
    spec = WorldSpec("person", 24, 3, 2, seed=11, size=(128, 64), tir="gray", test_fraction=1.0)
    return render_all(spec)


@pytest.fixture(scope="session")
def vehicles() -> Sample:
    return render_all(WorldSpec("vehicle", 16, 3, 2, seed=12, size=(64, 128), tir="gray", test_fraction=1.0))
