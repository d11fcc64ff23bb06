"""Cross-modal structural consistency by routing: do modalities send the same places to the same experts?

*Agreement* of two routing maps of one observation is 1 - JSD (base 2, so 0..1) of their routes in a grid
cell, averaged over the cells that lie on the object in both. It is 1 for a router that looks at nothing,
or at position alone. So beside it stands the *mutual information* of route and part given position, in
bits, over the object's patches of all modalities together: zero for those two, and low for one that sends
a part elsewhere in each modality. Counted on finitely many patches it is too high; what is left after the
parts of a cell are shuffled among its images is the error of counting, and is taken off.

Controls: a router by position alone (a horizontal stripe each expert), and random tokens (each patch takes
the route of a patch drawn from all images, without replacement).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.evaluation.resampling import cluster_interval, cluster_resamples, percentile_interval
from nextreid.evaluation.scenarios.consistency_parts import NO_PART
from nextreid.seeding import numpy_generator

SHUFFLES = 10
"""How often the parts are shuffled: ours; the mean of ten is steady to a tenth of its own spread."""


@dataclass(frozen=True, eq=False)
class RoutedImages:
    """The routing maps of I images, and what their patches show.

    Attributes:
        identity, observation, modality: (I,) text.
        routes: (I,N,J) float, sums to one over J.
        part: (I,N) int64, index of the part, `NO_PART` off the object.
        parts: P, how many parts there are.
        grid: patches as (rows, columns).
    """

    identity: Sequence[str]
    observation: Sequence[str]
    modality: Sequence[str]
    routes: NDArray[np.float32]
    part: NDArray[np.int64]
    parts: int
    grid: tuple[int, int]

    def with_routes(self, routes: NDArray[np.float32]) -> "RoutedImages":
        """Return the same images under another router."""
        return RoutedImages(
            self.identity, self.observation, self.modality, routes, self.part, self.parts, self.grid
        )


def divergence(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jensen-Shannon divergence in bits (0..1) of distributions along the last axis."""
    middle = (one + other) / 2
    return np.clip(_entropy(middle) - (_entropy(one) + _entropy(other)) / 2, 0.0, 1.0)


def information(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mutual information of route and part given the cell, in bits.

    Args:
        joint: (..., N, J, P) weights, not normalised; cells count by their share of the weight.

    Returns:
        (...,): the sum over cells of `w/W (H(route) + H(part) - H(route, part))`; NaN without any weight.
    """
    of_cell = joint.sum(axis=(-2, -1))  # (...,N)
    # sums of w log w: the normalisers cancel but for one term a cell
    within = _xlogx(joint).sum(axis=(-2, -1)) - _xlogx(joint.sum(axis=-1)).sum(axis=-1)
    within += _xlogx(of_cell) - _xlogx(joint.sum(axis=-2)).sum(axis=-1)
    total = of_cell.sum(axis=-1)
    return np.maximum(within.sum(axis=-1), 0.0) / np.where(total > 0, total, np.nan)


def part_entropy(joint: NDArray[np.float64]) -> float:
    """Return H(part | cell) in bits, the most that a route could tell. `joint` as for `information`."""
    of_part, of_cell = joint.sum(axis=-2), joint.sum(axis=(-2, -1))
    return float((_xlogx(of_cell).sum() - _xlogx(of_part).sum()) / of_cell.sum())


def routing_entry(images: RoutedImages, *, bootstrap: int, seed: int) -> dict[str, Any] | None:
    """Return `scenarios.consistency.routing` of results.json; None where no two maps can be compared.

    Args:
        images: with the routes of the model.
        bootstrap: resamples of whole identities for the 95 % intervals; 0 for none.
        seed: of shuffles and resamples.
    """
    pairs = _pairs(images)
    if not len(pairs) or not (images.part != NO_PART).any():
        return None
    agreement = _agreement(images, pairs)
    if not agreement[:, 0].sum():
        return None
    joints = _joints(images, images.part)
    entropy = part_entropy(joints.sum(axis=0))
    told = _information(images, joints, samples=bootstrap, seed=seed)
    document: dict[str, Any] = {"agreement": _share(agreement), **told.entry()}
    interval = cluster_interval(agreement, _shares, samples=bootstrap, seed=seed)
    if interval is not None:
        document["agreement_ci"] = list(interval)
    controls = {"position": _by_position(images), "random": _at_random(images, seed=seed)}
    return document | {
        "part_entropy": entropy,
        "explained": told.information / entropy if entropy > 0 else None,
        "experts": images.routes.shape[-1],
        "modalities": _by_modalities(images, pairs),
        "controls": {
            name: {
                "agreement": _share(_agreement(other, pairs)),
                **_information(other, _joints(other, other.part), samples=0, seed=seed).entry(),
            }
            for name, other in controls.items()
        },
    }


@dataclass(frozen=True)
class Told:
    """What routes tell about parts beyond position, in bits.

    Attributes:
        counted: as it was counted, too high.
        error: the mean of the same with shuffled parts.
        interval: 95 % interval of the difference, or None.
    """

    counted: float
    error: float
    interval: tuple[float, float] | None

    @property
    def information(self) -> float:
        """What is left above the error of counting; may be slightly below zero."""
        return self.counted - self.error

    def entry(self) -> dict[str, Any]:
        """Return plain values."""
        document: dict[str, Any] = {
            "information": self.information,
            "information_counted": self.counted,
            "information_shuffled": self.error,
        }
        return document if self.interval is None else document | {"information_ci": list(self.interval)}


def _information(images: RoutedImages, joints: NDArray[np.float64], *, samples: int, seed: int) -> Told:
    """Measure the information; each resample is set against one of the shuffles, in turn."""
    shape, flat = joints.shape[1:], joints.reshape(len(joints), -1)
    samples = samples if len(joints) > 1 else 0
    drawn = list(cluster_resamples(len(joints), samples=samples, seed=seed))
    counts = np.concatenate(drawn) if drawn else np.zeros((0, len(joints)))
    scores, errors = np.zeros(len(counts)), []
    for number in range(SHUFFLES):
        other = _joints(images, shuffled(images.part, number=number, seed=seed)).reshape(len(joints), -1)
        errors.append(float(information(other.sum(axis=0).reshape(shape))))
        for at in range(number, len(counts), SHUFFLES):
            here, there = (information((counts[at] @ matrix).reshape(shape)) for matrix in (flat, other))
            scores[at] = here - there
    return Told(
        counted=float(information(joints.sum(axis=0))),
        error=float(np.mean(errors)),
        interval=percentile_interval(scores),
    )


def _pairs(images: RoutedImages) -> NDArray[np.int64]:
    """Return (K,2): images of one observation in two modalities."""
    of: dict[str, list[int]] = {}
    for number, observation in enumerate(images.observation):
        of.setdefault(observation, []).append(number)
    return np.array([pair for some in of.values() for pair in combinations(some, 2)], np.int64).reshape(-1, 2)


def _agreement(images: RoutedImages, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (identities, 2): cells on the object in both maps, and their summed agreement."""
    names, place = np.unique(np.array(images.identity), return_inverse=True)
    sums = np.zeros((len(names), 2))
    for one, other in pairs:
        both = (images.part[one] != NO_PART) & (images.part[other] != NO_PART)
        alike = 1.0 - divergence(
            images.routes[one][both].astype(np.float64), images.routes[other][both].astype(np.float64)
        )
        sums[place[one]] += (both.sum(), alike.sum())
    return sums


def _by_modalities(images: RoutedImages, pairs: NDArray[np.int64]) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for number, (one, other) in enumerate(pairs):
        key = tuple(sorted((images.modality[one], images.modality[other])))
        found.setdefault(key, []).append(number)
    rows = []
    for key, numbers in found.items():
        cells, alike = _agreement(images, pairs[numbers]).sum(axis=0)
        rows.append(
            {"between": list(key), "cells": int(cells), "agreement": alike / cells if cells else None}
        )
    return rows


def _joints(images: RoutedImages, part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (identities, N, J, P): how much of each route goes with each part, cell by cell."""
    names, place = np.unique(np.array(images.identity), return_inverse=True)
    _, cells, experts = images.routes.shape
    joints = np.zeros((len(names), cells, experts, images.parts))
    for number, who in enumerate(place):
        seen = np.flatnonzero(part[number] != NO_PART)
        joints[who, seen, :, part[number, seen]] += images.routes[number, seen]
    return joints


def shuffled(part: NDArray[np.int64], *, number: int, seed: int) -> NDArray[np.int64]:
    """Return (I,N): each cell's parts shuffled among the images that have a part there.

    Args:
        part: (I,N), `NO_PART` off the object.
        number: which of the shuffles.
        seed: of all of them.
    """
    rng, mixed = numpy_generator(seed, "shuffled parts", number), part.copy()
    for cell in range(part.shape[1]):
        there = np.flatnonzero(part[:, cell] != NO_PART)
        mixed[there, cell] = part[rng.permutation(there), cell]
    return mixed


def _by_position(images: RoutedImages) -> RoutedImages:
    """Route by position alone: as many horizontal stripes as there are experts."""
    rows, columns = images.grid
    experts = images.routes.shape[-1]
    stripe = np.repeat(np.arange(rows) * experts // rows, columns)
    return images.with_routes(np.broadcast_to(np.eye(experts, dtype=np.float32)[stripe], images.routes.shape))


def _at_random(images: RoutedImages, *, seed: int) -> RoutedImages:
    """Give each patch the route of another patch, drawn from all images without replacement."""
    flat = images.routes.reshape(-1, images.routes.shape[-1])
    drawn = numpy_generator(seed, "random routes").permutation(len(flat))
    return images.with_routes(flat[drawn].reshape(images.routes.shape))


def _share(sums: NDArray[np.float64]) -> float:
    return float(_shares(sums.sum(axis=0)[None])[0])


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = sums[:, 1] / np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
    return shares


def _xlogx(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights * np.log2(np.where(weights > 0, weights, 1.0))


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return -_xlogx(shares).sum(axis=-1)
