"""Vehicles: sound meshes, every attribute in a part that is said to show it, warmth by state alone."""

from dataclasses import replace

import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.synthetic.parts import VEHICLE_PARTS, ObjectState, Part
from nextreid.synthetic.raycast import assemble, cast
from nextreid.synthetic.vehicle import VEHICLE_EVIDENCE, build_vehicle, describe_vehicle
from nextreid.synthetic.vehicle_brands import BRANDS, emblem_polygons
from nextreid.synthetic.vehicle_identities import VehicleIdentity, sample_vehicle_identities
from nextreid.synthetic.vehicle_paint import grille_frame
from nextreid.synthetic.vehicle_shapes import SHAPES

SCHEMA = load_schema("vehicle")
STATE = ObjectState(engine=1.0, seed=7)
IDENTITY_VALUES = {
    attribute.name: attribute.values
    for group in SCHEMA.groups
    if group.identity
    for attribute in group.attributes
    if attribute.name not in ("viewpoint", "headlights_state", "colour")
}


def a_vehicle(**words: str) -> VehicleIdentity:
    first = sample_vehicle_identities(2, 11)[0]
    plain = {"mirrors": "intact", "licence_plate": "visible", "wear": "new", "spoiler": "not present"}
    return replace(first, attributes={**first.attributes, "type": "sedan", **plain, **words})


def named(parts: tuple[Part, ...], name: str) -> list[Part]:
    return [part for part in parts if part.name == name]


def look(part: Part) -> tuple[object, ...]:
    return (part.vertices.tobytes(), part.faces.tobytes(), part.material, part.glow, part.glow_nir)


def looks(parts: tuple[Part, ...], name: str) -> list[tuple[object, ...]]:
    return [look(part) for part in named(parts, name)]


def mean_heat(parts: tuple[Part, ...], name: str) -> float:
    return float(
        np.mean(np.concatenate([np.broadcast_to(p.heat, len(p.vertices)) for p in named(parts, name)]))
    )


def view(bearing: float, height: float = 1.4) -> tuple[np.ndarray, np.ndarray]:
    """An eye 15 m away and 240 x 96 rays that hold the whole vehicle."""
    turn = np.radians(bearing)
    eye = np.array([15 * np.cos(turn), 15 * np.sin(turn), height], np.float32)
    forward = np.array([0.0, 0.0, 1.2]) - eye
    forward /= np.linalg.norm(forward)
    right = np.array([-np.sin(turn), np.cos(turn), 0.0])
    up = np.cross(forward, right)
    across, rise = np.meshgrid(np.linspace(-0.32, 0.32, 240), np.linspace(-0.15, 0.15, 96))
    rays = forward + across[..., None] * right + rise[..., None] * up
    return eye, (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).reshape(-1, 3).astype(np.float32)


def pixels(parts: tuple[Part, ...], bearing: float) -> dict[str, int]:
    """Pixels of each part, seen level from 15 m at `bearing`."""
    eye, rays = view(bearing)
    hits = cast(assemble(parts, [(np.eye(3), 1.0, np.zeros(3, np.float32))] * len(parts)), eye, rays)
    names = np.array([part.name for part in parts])
    seen = names[hits.part[hits.part >= 0]]
    return {name: int((seen == name).sum()) for name in VEHICLE_PARTS}


@pytest.mark.parametrize("kind", sorted(SHAPES))
@pytest.mark.parametrize("seed", [1, 2])
def test_meshes_are_sound(kind: str, seed: int) -> None:
    for identity in sample_vehicle_identities(6, seed):
        identity = replace(identity, attributes={**identity.attributes, "type": kind})
        parts = build_vehicle(identity, STATE)
        assert {part.name for part in parts} <= set(VEHICLE_PARTS)
        assert sum(len(part.faces) for part in parts) < 6500
        everything = np.concatenate([part.vertices for part in parts])
        assert np.isfinite(everything).all()
        assert everything[:, 2].min() == pytest.approx(0.0, abs=0.01), "wheels stand on the ground"
        length, width, height = np.ptp(everything, axis=0)
        assert 3.5 < length < 8.5
        assert 1.6 < width < 3.2
        assert 1.1 < height < 3.4
        for part in parts:
            assert part.vertices.dtype == np.float32
            assert part.faces.dtype == np.int32
            assert part.faces.min() >= 0
            assert part.faces.max() < len(part.vertices)
            heat = np.asarray(part.heat)
            assert heat.shape in ((), (len(part.vertices),))
            assert np.isfinite(heat).all()
            albedo = np.array([*part.material.albedo, part.material.nir, part.material.emissivity])
            assert (albedo >= 0).all()
            assert (albedo <= 1).all()


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_faces_look_outward(kind: str) -> None:
    identity = a_vehicle(type=kind, roof_rack="present", spoiler="present", exhaust="dual")
    parts = build_vehicle(identity, STATE)
    corners = np.concatenate([part.vertices[part.faces] for part in parts])
    names = np.repeat([part.name for part in parts], [len(part.faces) for part in parts])
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    scene = EmbreeScene()
    TriangleMesh(scene, corners.astype(np.float32))
    seen, outward = [], []
    for bearing in range(0, 360, 45):
        eye, rays = view(bearing, height=4.0)
        met = scene.run(np.tile(eye, (len(rays), 1)), rays, output=True)["primID"].astype(int)
        hit = met >= 0
        seen.append(names[met[hit]])
        outward.append((normals[met[hit]] * rays[hit]).sum(axis=1) < 0)
    part_seen, faces_eye = np.concatenate(seen), np.concatenate(outward)
    for name in np.unique(part_seen):
        # Arches are discs, pipes and beds are open, emblems are stiff plates on bent fronts: some of them is
        # seen from behind; the rest grazes a seam.
        least = {"underbody": 0.6, "exhaust": 0.8, "cargo": 0.9, "emblem": 0.94}.get(name, 0.97)
        assert faces_eye[part_seen == name].mean() > least, name


@pytest.mark.parametrize("name", sorted(IDENTITY_VALUES))
def test_every_value_shows_in_its_evidence(name: str) -> None:
    values = IDENTITY_VALUES[name]
    built = {value: build_vehicle(a_vehicle(**{name: value}), STATE) for value in values}
    for k, one in enumerate(values):
        for other in values[k + 1 :]:
            changed = {part for part in VEHICLE_PARTS if looks(built[one], part) != looks(built[other], part)}
            shown = set(VEHICLE_EVIDENCE.get(f"{name}={one}", VEHICLE_EVIDENCE[name]))
            shown |= set(VEHICLE_EVIDENCE.get(f"{name}={other}", VEHICLE_EVIDENCE[name]))
            assert changed & (shown | set(VEHICLE_EVIDENCE[name])), (one, other)


def test_one_attribute_changes_little_else() -> None:
    front = build_vehicle(a_vehicle(headlights_shape="round"), STATE)
    other = build_vehicle(a_vehicle(headlights_shape="angular"), STATE)
    same = [part for part in VEHICLE_PARTS if looks(front, part) == looks(other, part)]
    assert {"body", "door", "roof", "window", "tyre", "rim", "taillight", "grille", "bumper"} <= set(same)


def test_evidence_names_every_attribute_and_known_parts() -> None:
    plain = {key.split("=")[0] for key in VEHICLE_EVIDENCE}
    identity = {a.name for group in SCHEMA.groups if group.identity for a in group.attributes}
    assert plain == identity
    assert {part for parts in VEHICLE_EVIDENCE.values() for part in parts} <= set(VEHICLE_PARTS)
    for key in VEHICLE_EVIDENCE:
        if "=" in key:
            name, value = key.split("=")
            assert value in SCHEMA.attribute(name).values


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_front_parts_show_from_the_front_only(kind: str) -> None:
    parts = build_vehicle(a_vehicle(type=kind, exhaust="dual"), STATE)
    front, rear, side = (pixels(parts, bearing) for bearing in (0, 180, 90))
    for name in ("headlight", "grille", "windscreen", "emblem", "licence_plate"):
        assert front[name] > 3, name
    for name in ("headlight", "grille", "windscreen"):
        assert rear[name] == 0, name
    assert rear["taillight"] > 8
    assert rear["licence_plate"] > 8
    assert front["taillight"] == 0
    assert front["exhaust"] == 0
    assert side["door"] > 200
    assert side["tyre"] > 100
    assert side["rim"] > 30
    assert side["window"] > 50
    assert side["licence_plate"] < front["licence_plate"] / 3


def test_bearing_and_state_are_described() -> None:
    identity = a_vehicle()
    views = [
        describe_vehicle(identity, STATE, b)["viewpoint"] for b in (0, -10, 350, 45, 90, 270, 135, 175, 185)
    ]
    assert views == ["front", "front", "front", "diagonal", "side", "side", "diagonal", "back", "back"]
    lit = describe_vehicle(identity, replace(STATE, lights=True), 0)
    assert lit["headlights_state"] == "on"
    assert describe_vehicle(identity, STATE, 0)["headlights_state"] == "off"
    for name, value in lit.items():
        assert value in SCHEMA.attribute(name).values, name


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_running_engine_is_hotter_than_the_body(kind: str) -> None:
    hot = build_vehicle(a_vehicle(type=kind, exhaust="dual"), STATE)
    cold = build_vehicle(a_vehicle(type=kind, exhaust="dual"), replace(STATE, engine=0.0))
    body = mean_heat(hot, "roof")
    assert mean_heat(hot, "grille") > body + 10
    assert mean_heat(hot, "exhaust") > body + 20
    assert mean_heat(hot, "tyre") > mean_heat(cold, "tyre") + 4
    if SHAPES[kind].has_bonnet:
        assert mean_heat(hot, "bonnet") > body + 5
        assert mean_heat(cold, "bonnet") == pytest.approx(mean_heat(cold, "roof"), abs=0.01)


def test_warmth_belongs_to_the_sighting_not_to_the_vehicle() -> None:
    cold = replace(STATE, engine=0.0)
    one, other = (build_vehicle(identity, cold) for identity in sample_vehicle_identities(20, 3)[::19])
    assert mean_heat(one, "roof") == mean_heat(other, "roof")
    again = build_vehicle(sample_vehicle_identities(20, 3)[0], replace(cold, seed=8))
    assert mean_heat(again, "roof") != mean_heat(one, "roof")


def test_repainting_leaves_the_thermal_picture_alone() -> None:
    red = a_vehicle(colour="red", wear="worn", roof_state="dirty")
    blue = replace(red, detail_of=replace(red.detail_of, paint=(0.02, 0.05, 0.6), decal_film=(0.9, 0.1, 0.1)))
    for one, other in zip(build_vehicle(red, STATE), build_vehicle(blue, STATE), strict=True):
        assert one.material.emissivity == other.material.emissivity
        assert one.material.nir == other.material.nir
        np.testing.assert_array_equal(one.heat, other.heat)
        np.testing.assert_array_equal(one.vertices, other.vertices)


def test_stickers_have_the_warmth_and_emissivity_of_paint() -> None:
    identity = a_vehicle()
    sticker = replace(identity, detail_of=replace(identity.detail_of, decal="panel"))
    parts = build_vehicle(sticker, replace(STATE, engine=0.0))
    doors = named(parts, "door")
    assert len({part.material.name for part in doors}) == 2
    assert len({part.material.emissivity for part in doors}) == 1
    assert np.ptp(np.concatenate([np.asarray(part.heat) for part in doors])) < 0.01


def test_lamps_glow_when_lit_and_plates_send_light_back() -> None:
    dark, lit = (build_vehicle(a_vehicle(), replace(STATE, lights=on)) for on in (False, True))
    assert not any(any(part.glow) for part in dark)
    assert {part.name for part in lit if any(part.glow)} == {"headlight", "taillight"}
    assert max(part.material.retro for part in named(dark, "licence_plate")) > 0.7


def test_wheels_turn_and_nothing_else_does() -> None:
    first, second = (build_vehicle(a_vehicle(), replace(STATE, phase=phase)) for phase in (0.0, 0.07))
    for one, other in zip(first, second, strict=True):
        if look(one) != look(other):
            assert one.name == "rim"


def test_brands_differ_in_emblem_and_grille() -> None:
    assert set(BRANDS) == set(SCHEMA.attribute("brand").values)
    marks = {(tuple(b.emblem), b.stretch, b.grille, b.split) for b in BRANDS.values()}
    assert len(marks) == len(BRANDS)
    for brand in BRANDS.values():
        for polygons in emblem_polygons(brand):
            x, y = polygons[..., 0], polygons[..., 1]
            assert ((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) > 0).all()


def test_unknown_type_is_named() -> None:
    with pytest.raises(InputError, match="hovercraft"):
        build_vehicle(a_vehicle(type="hovercraft"), STATE)


def test_geometry_is_shared_and_read_only() -> None:
    parts = build_vehicle(a_vehicle(), STATE)
    with pytest.raises(ValueError, match="read-only"):
        parts[0].vertices[0, 0] = 1.0


def test_the_frame_of_a_grille_stands_out_from_the_paint_in_each_spectrum() -> None:
    detail = a_vehicle().detail_of
    for level in (0.02, 0.2, 0.3, 0.8):
        for nir in (0.05, 0.2, 0.3, 0.7):
            material = grille_frame(replace(detail, paint=(level, level, level), paint_nir=nir))
            assert abs(material.albedo[0] - level) > 0.2
            assert abs(material.nir - nir) > 0.2


def test_scratches_are_on_both_flanks() -> None:
    parts = build_vehicle(a_vehicle(wear="used"), STATE)
    sides = [p.vertices[:, 1] for p in parts if p.material.name == "primer"]
    assert min(y.min() for y in sides) < -0.5
    assert max(y.max() for y in sides) > 0.5
