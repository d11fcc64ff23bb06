"""The skeleton of a walking person: where the joints are in one phase of the walk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.seeding import numpy_generator
from nextreid.synthetic.parts import ObjectState
from nextreid.synthetic.person_identities import PersonDetail

HEIGHT = 1.75
"""Everybody is built this tall; the camera frames persons by their height, as detectors do."""

FOLDED = 0.12
"""Share of the moments in which free arms are folded before the chest: ours; real crops show it often."""

Point = NDArray[np.float64]


@dataclass(frozen=True)
class Skeleton:
    """Joints in metres; pairs are (left, right).

    Args:
        hips, knees, ankles: of the legs.
        toes: unit directions of the feet.
        shoulders, elbows, wrists: of the arms.
        waist, chest, neck, head: on the middle line (head: its centre).
        head_radii: half axes of the head.
        torso_width, torso_depth: half sizes at the chest.
    """

    hips: tuple[Point, Point]
    knees: tuple[Point, Point]
    ankles: tuple[Point, Point]
    toes: tuple[Point, Point]
    shoulders: tuple[Point, Point]
    elbows: tuple[Point, Point]
    wrists: tuple[Point, Point]
    waist: Point
    chest: Point
    neck: Point
    head: Point
    head_radii: tuple[float, float, float]
    torso_width: float
    torso_depth: float


def _swing(angle: float, length: float, outward: float = 0.0) -> Point:
    """A vector hanging down, swung forward by `angle` (radians)."""
    return np.array([np.sin(angle) * length, outward, -np.cos(angle) * length])


def pose(detail: PersonDetail, state: ObjectState, *, holding: str) -> Skeleton:
    """Place the joints.

    Args:
        detail: proportions.
        state: phase and stride of the walk; its seed moves arms, back and head a little.
        holding: what is carried; it bends the arm of `detail.side`.
    """
    turn = 2 * np.pi * state.phase
    rng = numpy_generator(state.seed, "pose")
    raised, bent = rng.normal(0.0, 0.13, 2), rng.uniform(-0.1, 0.5, 2)
    bow, tilt, folded = rng.normal(0.0, 0.03), rng.normal(0.0, 0.02), rng.uniform() < FOLDED
    reach = 0.10 + 0.42 * state.stride * detail.swing
    leg = detail.legs * HEIGHT
    thigh, shin = 0.51 * leg, 0.44 * leg
    head = 0.118 * detail.head
    width = 0.2 * detail.shoulders
    hips, knees, ankles, toes = [], [], [], []
    for way in (1, -1):
        angle = way * reach * np.sin(turn)
        lift = max(0.0, way * np.cos(turn))
        bend = 0.12 + 0.85 * lift * min(1.0, reach * 2)
        hip = np.array([0.0, way * 0.088 * detail.girth**0.5, leg])
        knee = hip + _swing(angle, thigh)
        ankle = knee + _swing(angle - bend, shin)
        hips.append(hip)
        knees.append(knee)
        ankles.append(ankle)
        tip = angle - bend + 0.12
        toes.append(np.array([np.cos(tip), 0.08 * way, np.sin(tip)]))
    drop = min(float(ankle[2] + min(0.0, toe[2]) * 0.15) for ankle, toe in zip(ankles, toes, strict=True))
    down = np.array([0.0, 0.0, drop - 0.085])
    hips, knees, ankles = ([p - down for p in joints] for joints in (hips, knees, ankles))

    waist = np.array([0.01, 0.0, leg + 0.10]) - down
    spine = HEIGHT - 2 * head - 0.07 - leg - 0.10
    lean = detail.stoop + 0.03 * state.stride + bow
    chest = waist + np.array([lean * 0.6, 0.0, spine * 0.72])
    neck = waist + np.array([lean, 0.0, spine])
    centre = neck + np.array([lean * 0.7 + 0.015, tilt, 0.06 + head])
    upper_arm, forearm = 0.178 * HEIGHT * detail.arms, 0.155 * HEIGHT * detail.arms
    shoulders, elbows, wrists = [], [], []
    for way in (1, -1):
        angle = -way * reach * 0.85 * np.sin(turn) + raised[(1 - way) // 2]
        bend = 0.25 + 0.5 * state.stride + bent[(1 - way) // 2]
        inward = 0.4
        outward = way * 0.035 * detail.girth
        if way == detail.side and holding != "nothing":
            angle, bend, outward = _HOLDS.get(holding, (angle, bend, outward / way))
            outward *= way
        elif folded and holding in ("nothing", "backpack", "school bag"):
            angle, bend, outward, inward = 0.35, 1.35, way * 0.06, 3.2
        shoulder = neck + np.array([-0.01, way * width, -0.075])
        elbow = shoulder + _swing(angle, upper_arm, outward)
        wrist = elbow + _swing(angle + bend, forearm, -outward * inward)
        shoulders.append(shoulder)
        elbows.append(elbow)
        wrists.append(wrist)
    return Skeleton(
        (hips[0], hips[1]),
        (knees[0], knees[1]),
        (ankles[0], ankles[1]),
        (toes[0], toes[1]),
        (shoulders[0], shoulders[1]),
        (elbows[0], elbows[1]),
        (wrists[0], wrists[1]),
        waist,
        chest,
        neck,
        centre,
        (head * 0.86, head * 0.72, head),
        width,
        0.115 * detail.girth,
    )


_HOLDS: dict[str, tuple[float, float, float]] = {
    # swing of the upper arm, bend of the elbow, outward shift: ours, from looking at people
    "phone": (0.25, 1.9, 0.06),
    "bottle": (0.1, 1.2, 0.05),
    "umbrella": (0.35, 2.0, 0.06),
    "handbag": (0.02, 0.12, 0.08),
    "suitcase": (-0.35, 0.1, 0.07),
    "book": (0.15, 1.5, 0.05),
}
