"""Look-alikes and twins are what they claim; the background tells nothing."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.modality import RGB
from nextreid.synthetic.colours import COLOUR_NAMES
from nextreid.synthetic.lineage import plan_lineage
from nextreid.synthetic.parts import OTHER
from nextreid.synthetic.person_identities import sample_person_identities

SHADES = {"upper_colour": {"upper"}, "lower_colour": {"lower"}}


@pytest.mark.parametrize("count", [2, 7, 8, 20, 41, 64, 96])
def test_lineage_splits_by_clan_and_gives_every_test_tuple_four_twins(count):
    slots = plan_lineage(count)
    assert [slot.index for slot in slots] == list(range(count))
    clans = defaultdict(set)
    for slot in slots:
        clans[slot.clan].add(slot.split)
    assert all(len(splits) == 1 for splits in clans.values())
    tests = [slot for slot in slots if slot.split == "test"]
    assert abs(len(tests) - count / 2) <= 1
    if len(tests) >= 8:
        assert min(Counter(slot.twins for slot in tests).values()) >= 4


def test_lineage_refuses_nonsense():
    with pytest.raises(InputError, match="identities = 1"):
        plan_lineage(1)
    with pytest.raises(InputError, match="test_fraction"):
        plan_lineage(10, test_fraction=1.5)


def test_lookalikes_share_all_but_one_attribute_and_the_shade_it_names():
    groups = defaultdict(list)
    for who in sample_person_identities(120, 5):
        groups[who.lookalike].append(who)
    assert max(map(len, groups.values())) == 2
    for members in groups.values():
        for one in members[1:]:
            first = members[0]
            names = set(one.attributes) | set(first.attributes)
            differing = {name for name in names if one.attributes.get(name) != first.attributes.get(name)}
            assert len(differing) == 1
            shade = SHADES.get(next(iter(differing)), set())
            assert {k for k in one.detail if one.detail[k] != first.detail[k]} <= shade


def test_twins_share_every_word_and_differ_in_detail():
    groups = defaultdict(list)
    for who in sample_person_identities(96, 5):
        groups[who.twins].append(who)
    for members in groups.values():
        assert len({tuple(sorted(who.attributes.items())) for who in members}) == 1
        assert len({repr(who.detail) for who in members}) == len(members)


def test_every_value_is_one_of_the_schema_and_every_colour_has_shades():
    schema = load_schema("person")
    for who in sample_person_identities(200, 3):
        for name, value in who.attributes.items():
            assert value in schema.attribute(name).values
    assert set(schema.attribute("upper_colour").values) <= set(COLOUR_NAMES)


def test_sightings_do_not_depend_on_who_is_seen(persons):
    """The share of nights, of occluders and the mean framing are alike over identities."""
    sightings = persons.plan.sightings
    occluded = np.mean([bool(s.occluders) for s in sightings])
    assert 0.3 <= occluded <= 0.5
    assert len({s.time for s in sightings}) > 0.95 * len(sightings)
    for s in sightings:
        for occluder in s.occluders:
            assert occluder.identity != s.identity


def _background(sample, margin=9):
    """Four bands of every picture: means over background pixels away from the object.

    The margin is wider than a block of the lossy coding at the lowest resolution, 8 / 0.45 / 2 pixels.
    """
    rows = []
    for rendered in sample.rendered:
        row = []
        for modality, mask in rendered.masks.items():
            target = (mask > 0) & (mask != OTHER)
            near = target.copy()
            for shift in range(1, margin + 1):
                for axis in (0, 1):
                    near |= np.roll(target, shift, axis) | np.roll(target, -shift, axis)
            picture = rendered.images[modality].astype(float)
            for band in np.array_split(np.arange(mask.shape[0]), 4):
                free = ~near[band]
                row += list(picture[band][free].mean(0)) if free.sum() > 20 else [np.nan] * 3
        rows.append(row)
    table = np.array(rows)
    table = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    return (table - table.mean(0)) / (table.std(0) + 1e-9)


def _mean_ap(features, labels, cameras):
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    scores = []
    for query in range(len(labels)):
        keep = cameras != cameras[query]
        order = np.argsort(distance[query][keep], kind="stable")
        good = (labels[keep] == labels[query])[order]
        rank = np.flatnonzero(good) + 1
        scores.append((np.arange(1, len(rank) + 1) / rank).mean())
    return float(np.mean(scores))


@pytest.mark.parametrize("kind", ["persons", "vehicles"])
def test_retrieval_with_the_object_masked_out_is_at_chance(kind, request):
    sample = request.getfixturevalue(kind)
    features = _background(sample)
    labels = np.array([s.identity for s in sample.plan.sightings])
    cameras = np.array([s.camera for s in sample.plan.sightings])
    rng = np.random.default_rng(0)
    chance = []
    for _ in range(100):
        shuffled = labels.copy()
        for camera in np.unique(cameras):  # keep how often each camera sees each identity
            here = np.flatnonzero(cameras == camera)
            shuffled[here] = rng.permutation(shuffled[here])
        chance.append(_mean_ap(features, shuffled, cameras))
    assert _mean_ap(features, labels, cameras) < np.quantile(chance, 0.99)


@pytest.mark.parametrize("kind", ["persons", "vehicles"])
def test_the_object_is_in_every_picture(kind, request):
    for rendered in request.getfixturevalue(kind).rendered:
        mask = rendered.masks[RGB]
        assert ((mask > 0) & (mask != OTHER)).mean() > 0.08
