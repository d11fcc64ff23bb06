"""What counts as visible makes a difference to the pixels, and what makes none does not count."""

from dataclasses import replace

import numpy as np
import pytest

from nextreid.attributes.schema import load_schema
from nextreid.modality import NIR, RGB, TIR
from nextreid.synthetic.plan import WorldSpec, plan_world
from nextreid.synthetic.render import render
from nextreid.synthetic.truth import BLURRED, find_truth

SIZES = {"person": (192, 96), "vehicle": (96, 192)}
UNLIKE = [
    # attribute and the two values of the kind that are hardest to tell apart
    ("person", "gender", "male", "female"),
    ("person", "shoes", "casual sneakers", "formal shoes"),
    ("person", "hair_style", "straight", "tied-back"),
    ("person", "glasses", "glasses", "sunglasses"),
    ("person", "lower", "trousers", "jeans"),
    ("person", "carrying", "backpack", "school bag"),
    ("vehicle", "wear", "new", "worn"),
    ("vehicle", "roof_state", "clean", "dirty"),
    ("vehicle", "taillights", "rectangular", "oval"),
    ("vehicle", "headlights_shape", "rectangular", "oval"),
    ("vehicle", "window_tint", "clear", "tinted"),
    ("vehicle", "bumpers", "intact", "damaged"),
    ("vehicle", "brand", "BYD", "Nissan"),
    ("vehicle", "mirrors", "intact", "damaged"),
    ("vehicle", "mirrors", "damaged", "missing"),
    ("vehicle", "grille_pattern", "hexagonal", "mesh"),
    ("vehicle", "grille_edges", "straight", "rounded"),
    ("vehicle", "roof_shape", "flat", "sloped"),
    ("vehicle", "exhaust", "single", "dual"),
    ("vehicle", "licence_plate", "visible", "not visible"),
    ("vehicle", "tyres_wear", "new", "worn"),
]


def stages(kind, attribute):
    """Stages without occluder or noise, of identities that have the attribute, with the noise left out."""
    plan = plan_world(WorldSpec(kind, 24, 3, 2, seed=41, size=SIZES[kind], tir="gray"))
    for index, sighting in enumerate(plan.sightings):
        who = plan.identities[sighting.identity]
        if not sighting.occluders and attribute in who.attributes:
            quiet = {m: replace(s, noise=0.0, jpeg=0) for m, s in sighting.sensors.items()}
            noise = {m: s.noise for m, s in sighting.sensors.items()}
            yield plan, who, replace(plan.stage(index), sighting=replace(sighting, sensors=quiet)), noise


def taken_as(plan, who, stage, attribute, value):
    """Render with one attribute set; the pictures, and the modalities that count it as visible."""
    other = replace(who, attributes={**who.attributes, attribute: value})
    state = stage.sighting.state
    rendered = render(replace(stage, target=plan.kind.build(other, state)))
    described = plan.kind.describe(other, state, stage.sighting.bearing)
    facts = find_truth(load_schema(plan.kind.name), plan.kind, stage.sighting, described, rendered)
    return rendered, {f.modality for f in facts if f.attribute == attribute and f.visible}


@pytest.mark.parametrize(("kind", "attribute", "one", "other"), UNLIKE)
def test_visible_values_differ_in_pixels_by_more_than_noise(kind, attribute, one, other):
    ratios = {RGB: [], NIR: [], TIR: []}
    for tried, (plan, who, stage, noise) in enumerate(stages(kind, attribute)):
        (a, seen_a), (b, seen_b) = (taken_as(plan, who, stage, attribute, v) for v in (one, other))
        for modality in seen_a & seen_b:
            change = a.images[modality].astype(float)[..., :1] - b.images[modality][..., :1]
            ratios[modality].append(np.sqrt((change**2).sum()) / noise[modality])
        if tried == 30 or sum(map(len, ratios.values())) >= 12:
            break
    seen = {m: r for m, r in ratios.items() if len(r) >= 2}
    assert seen
    for modality, values in seen.items():
        # A matched filter tells two pictures apart when their distance is some ten times the noise of a
        # pixel; 25 leaves room for not knowing the pose.
        assert np.median(values) > 25, (modality, values)


def test_what_physics_hides_is_not_visible(persons, vehicles):
    for sample in (persons, vehicles):
        for sighting, facts in zip(sample.plan.sightings, sample.facts, strict=True):
            away = abs((sighting.bearing + 180) % 360 - 180)
            seen = {(f.attribute, f.modality) for f in facts if f.visible}
            values = {f.attribute: f.value for f in facts}
            assert ("tyres_wear", TIR) not in seen
            if away > 90:
                assert not {m for name, m in seen if name == "glasses"}
            if away < 45 and values.get("hair_style") == "tied-back":
                assert not {m for name, m in seen if name == "hair_length"}
            if away < 90:
                assert not {m for name, m in seen if name == "exhaust"}
            if away < 15:
                assert not {m for name, m in seen if name == "roof_shape"}
            if sighting.light.period == "night":
                assert ("illumination", NIR) not in seen
                assert ("time_of_day", NIR) in seen


def test_a_brand_is_visible_where_its_emblem_is_large_enough(vehicles):
    table, schema = vehicles.plan.kind.table, load_schema("vehicle")
    number, least = table.number("emblem"), vehicles.plan.kind.least["brand"]
    shown = []
    for rendered, facts in zip(vehicles.rendered, vehicles.facts, strict=True):
        values = {(f.attribute, f.modality): f for f in facts}
        for modality, mask in rendered.masks.items():
            share, seen = (mask == number).mean(), schema.observability("brand", modality)
            factor = BLURRED if values["image_quality", modality].value == "blurry" else 1.0
            if values["brand", modality].visible:
                assert share >= least * factor / seen
                shown.append(modality)
            elif modality == TIR:  # there no light is missing
                assert share < least * factor / seen
    assert len(shown) > 5


def test_a_blurry_picture_needs_more_evidence():
    assert BLURRED > 1
    plan, who, stage, _ = next(stages("vehicle", "mirrors"))
    sharp = {m: replace(s, blur=0.002, sharpness=1.0) for m, s in stage.sighting.sensors.items()}
    soft = {m: replace(s, blur=0.009, sharpness=1.0) for m, s in sharp.items()}
    rendered = render(stage)
    described = plan.kind.describe(who, stage.sighting.state, stage.sighting.bearing)
    counts = [
        sum(f.visible for f in find_truth(load_schema("vehicle"), plan.kind, s, described, rendered))
        for s in (replace(stage.sighting, sensors=sensors) for sensors in (sharp, soft))
    ]
    assert counts[1] < counts[0]


def test_children_teenagers_and_seniors_are_built_unlike_adults():
    from nextreid.synthetic.person_identities import sample_person_identities

    built = {}
    for who in sample_person_identities(600, 9):
        built.setdefault(who.attributes["age"], []).append(
            (who.detail_of.head, who.detail_of.girth, who.detail_of.stoop)
        )
    mean = {age: np.mean(rows, axis=0) for age, rows in built.items()}
    assert mean["child"][0] > mean["teenager"][0] + 0.1 > mean["adult"][0] + 0.15
    assert mean["teenager"][1] < mean["adult"][1] - 0.1
    assert mean["senior"][2] > mean["adult"][2] + 0.08
