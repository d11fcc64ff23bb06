"""Routing maps: agreement and information by hand, against slow twins, and the controls' invariants."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nextreid.evaluation.scenarios.consistency_parts import NO_PART
from nextreid.evaluation.scenarios.consistency_routing import (
    RoutedImages,
    divergence,
    information,
    part_entropy,
    routing_entry,
    shuffled,
)


def images(routes, part, *, identities=4, modalities=("rgb", "tir"), parts=3, grid=None):
    """I images: identity by identity, observations of each with all modalities in turn."""
    count = len(routes) // len(modalities)
    return RoutedImages(
        identity=[f"i{n * identities // count}" for n in range(count) for _ in modalities],
        observation=[f"o{n:03d}" for n in range(count) for _ in modalities],
        modality=list(modalities) * count,
        routes=np.asarray(routes, np.float32),
        part=np.asarray(part, np.int64),
        parts=parts,
        grid=grid or (len(part[0]), 1),
    )


def drawn(rng, count=40, cells=6, experts=3, parts=3):
    return images(
        rng.dirichlet(np.ones(experts), (2 * count, cells)),
        rng.integers(-1, parts, (2 * count, cells)),
        parts=parts,
    )


def test_divergence_by_hand():
    one = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])
    other = np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5], [0.2, 0.8]])
    # (1, 0) and (1/2, 1/2): the middle is (3/4, 1/4) with 0.8113 bits, minus half of one bit
    third = -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25) - 0.5
    np.testing.assert_allclose(divergence(one, other), [1, 0, third, 0], atol=1e-12)
    np.testing.assert_array_equal(divergence(one, other), divergence(other, one))


def slow_information(joint):
    """Sum p log p / (p p) over every cell, route and part."""
    total, found = joint.sum(), 0.0
    for cell in joint:
        weight = cell.sum()
        if weight == 0:
            continue
        for j in range(cell.shape[0]):
            for p in range(cell.shape[1]):
                both = cell[j, p] / weight
                if both > 0:
                    apart = cell[j].sum() / weight * (cell[:, p].sum() / weight)
                    found += weight / total * both * math.log2(both / apart)
    return found


def test_information_by_hand_and_against_a_slow_twin():
    one_to_one = np.array([[[2.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert information(one_to_one) == pytest.approx(0.5)  # a bit in the first cell, none in the second
    assert part_entropy(one_to_one) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        joint = rng.random(rng.integers(1, 5, size=3)) * (rng.random() < 0.8)
        joint[rng.random(joint.shape) < 0.3] = 0
        if joint.sum():
            assert information(joint) == pytest.approx(slow_information(joint), abs=1e-12)
    stacked = rng.random((3, 4, 2, 3))
    np.testing.assert_allclose(information(stacked), [slow_information(joint) for joint in stacked])
    assert np.isnan(information(np.zeros((2, 2, 2))))


def slow_agreement(found):
    values = []
    for a in range(len(found.routes)):
        for b in range(a + 1, len(found.routes)):
            if found.observation[a] != found.observation[b]:
                continue
            for n in range(found.part.shape[1]):
                if NO_PART in (found.part[a, n], found.part[b, n]):
                    continue
                p, q = (found.routes[i, n].astype(float) for i in (a, b))
                total = 0.0
                for x, y in zip(p, q, strict=True):
                    middle = (x + y) / 2
                    total += (x * math.log2(x / middle) if x else 0) + (y * math.log2(y / middle) if y else 0)
                values.append(1 - total / 2)
    return sum(values) / len(values)


def slow_joint(found, part):
    joint = np.zeros((found.part.shape[1], found.routes.shape[2], found.parts))
    for i in range(len(found.routes)):
        for n in range(found.part.shape[1]):
            for j in range(found.routes.shape[2]):
                if part[i, n] != NO_PART:
                    joint[n, j, part[i, n]] += found.routes[i, n, j]
    return joint


def test_the_entry_against_slow_twins():
    found = drawn(np.random.default_rng(1))
    document = routing_entry(found, bootstrap=0, seed=3)
    assert document["agreement"] == pytest.approx(slow_agreement(found))
    counted = slow_information(slow_joint(found, found.part))
    mixed = [slow_information(slow_joint(found, shuffled(found.part, number=k, seed=3))) for k in range(10)]
    assert document["information_counted"] == pytest.approx(counted)
    assert document["information"] == pytest.approx(counted - np.mean(mixed))
    assert document["experts"] == 3
    assert "agreement_ci" not in document
    assert document["modalities"] == [
        {
            "between": ["rgb", "tir"],
            "cells": document["modalities"][0]["cells"],
            "agreement": document["agreement"],
        }
    ]


def test_shuffling_keeps_what_each_cell_has_and_who_is_on_the_object():
    part = np.random.default_rng(0).integers(-1, 4, (30, 5))
    mixed = shuffled(part, number=0, seed=0)
    np.testing.assert_array_equal(mixed == NO_PART, part == NO_PART)
    np.testing.assert_array_equal(np.sort(mixed, axis=0), np.sort(part, axis=0))
    assert (mixed != part).any()
    np.testing.assert_array_equal(mixed, shuffled(part, number=0, seed=0))
    assert (mixed != shuffled(part, number=1, seed=0)).any()


def test_a_router_that_knows_the_part_and_one_that_looks_at_nothing():
    rng = np.random.default_rng(4)
    found = drawn(rng, count=60)
    one = rng.integers(0, 3, (60, 6))
    found = replace(found, part=np.repeat(one, 2, axis=0))  # both modalities show the same
    knowing = routing_entry(found.with_routes(np.eye(3, dtype=np.float32)[found.part]), bootstrap=100, seed=0)
    assert knowing["agreement"] == 1
    assert knowing["agreement_ci"] == [1, 1]
    assert knowing["information_counted"] == pytest.approx(knowing["part_entropy"])
    assert knowing["explained"] > 0.9
    low, high = knowing["information_ci"]
    assert 1.2 < low < knowing["information"] < high < math.log2(3)
    # each modality with its own code: agreement is lost, and most of the information with it
    swapped = np.where((np.arange(120) % 2 == 0)[:, None], found.part, (found.part + 1) % 3)
    coded = routing_entry(found.with_routes(np.eye(3, dtype=np.float32)[swapped]), bootstrap=0, seed=0)
    assert coded["agreement"] == 0
    assert coded["information"] < 0.7 * knowing["information"]
    nothing = routing_entry(found.with_routes(np.full_like(found.routes, 1 / 3)), bootstrap=100, seed=0)
    assert nothing["agreement"] == pytest.approx(1)
    assert nothing["information"] == pytest.approx(0, abs=1e-6)


def test_the_interval_of_routes_that_tell_nothing_is_about_zero_and_not_about_the_error_of_counting():
    rng = np.random.default_rng(8)
    found = images(
        np.eye(3)[rng.integers(0, 3, (80, 6))], rng.integers(0, 3, (80, 6)), identities=10, parts=3
    )
    document = routing_entry(found, bootstrap=200, seed=0)
    low, high = document["information_ci"]
    assert low < 0 < high
    assert document["information_counted"] > 0.02


def test_the_controls_are_where_they_belong():
    rng = np.random.default_rng(5)
    found = drawn(rng, count=100, cells=8)
    found = replace(found, grid=(4, 2))
    document = routing_entry(found.with_routes(np.eye(3, dtype=np.float32)[found.part]), bootstrap=0, seed=0)
    position, random = document["controls"]["position"], document["controls"]["random"]
    assert position["agreement"] == 1
    assert position["information"] == pytest.approx(0, abs=1e-9)
    assert random["information"] == pytest.approx(0, abs=0.02)
    assert random["agreement"] < 0.5


def test_what_has_no_pair_gives_nothing():
    found = drawn(np.random.default_rng(0), count=4)
    assert routing_entry(replace(found, part=np.full_like(found.part, NO_PART)), bootstrap=0, seed=0) is None
    alone = images(found.routes, found.part, modalities=("rgb",))
    assert routing_entry(alone, bootstrap=0, seed=0) is None
    apart = found.part.copy()
    apart[::2] = NO_PART
    assert routing_entry(replace(found, part=apart), bootstrap=0, seed=0) is None
