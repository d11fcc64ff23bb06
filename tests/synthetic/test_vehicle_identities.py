"""Vehicles of a world: look-alikes by one attribute, twins by no word, the same seed the same vehicles."""

from collections import defaultdict
from dataclasses import asdict

import pytest

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.synthetic.parts import ObjectState
from nextreid.synthetic.vehicle import build_vehicle
from nextreid.synthetic.vehicle_identities import CHANGEABLE, VehicleIdentity, sample_vehicle_identities

SCHEMA = load_schema("vehicle")
WORLD = sample_vehicle_identities(96, 5)


def groups(key: str) -> list[list[VehicleIdentity]]:
    found = defaultdict(list)
    for identity in WORLD:
        found[getattr(identity, key)].append(identity)
    return list(found.values())


def test_lookalikes_differ_in_one_attribute_and_in_no_detail() -> None:
    changed = set()
    for members in groups("lookalike"):
        assert len(members) <= 2
        if len(members) == 2:
            one, other = members
            names = [n for n in one.attributes if one.attributes[n] != other.attributes[n]]
            assert len(names) == 1
            changed |= set(names)
            first, second = asdict(one.detail_of), asdict(other.detail_of)
            free = {"paint"} if names == ["colour"] else set()
            assert {n for n in first if first[n] != second[n]} <= free
            state = ObjectState(seed=3)
            assert any(
                a.name != b.name or a.material != b.material or a.vertices.tobytes() != b.vertices.tobytes()
                for a, b in zip(build_vehicle(one, state), build_vehicle(other, state), strict=False)
            ) or len(build_vehicle(one, state)) != len(build_vehicle(other, state))
    assert changed <= set(CHANGEABLE)
    assert len(changed) > 8


def test_twins_share_every_word_and_no_body() -> None:
    for members in groups("twins"):
        assert len({tuple(sorted(m.attributes.items())) for m in members}) == 1
        assert len({m.detail_of for m in members}) == len(members)
        if members[0].split == "test":
            assert len(members) >= 4


def test_values_are_the_schemas() -> None:
    expected = {a.name for g in SCHEMA.groups if g.identity for a in g.attributes}
    for identity in WORLD:
        assert set(identity.attributes) == expected - {"viewpoint", "headlights_state"}
        for name, value in identity.attributes.items():
            assert value in SCHEMA.attribute(name).values


def test_names_are_unique_and_groups_stay_in_one_split() -> None:
    assert len({identity.name for identity in WORLD}) == len(WORLD)
    for key in ("lookalike", "twins"):
        assert all(len({m.split for m in members}) == 1 for members in groups(key))


def test_the_same_seed_gives_the_same_vehicles() -> None:
    assert sample_vehicle_identities(20, 9) == sample_vehicle_identities(20, 9)
    assert sample_vehicle_identities(20, 9) != sample_vehicle_identities(20, 10)
    one, other = (
        build_vehicle(sample_vehicle_identities(4, 9)[2], ObjectState(engine=0.5, phase=0.3, seed=2))
        for _ in range(2)
    )
    assert [part.vertices.tobytes() for part in one] == [part.vertices.tobytes() for part in other]


def test_near_infrared_of_paint_does_not_follow_its_colour() -> None:
    whites = [i.detail_of.paint_nir for i in WORLD if i.attributes["colour"] == "white"]
    assert min(whites) < 0.4 < max(whites)


def test_one_vehicle_is_no_world() -> None:
    with pytest.raises(InputError):
        sample_vehicle_identities(1, 0)
