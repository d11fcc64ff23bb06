"""What stands behind and falls before: drawn per sighting, in all spectra, never from the identity."""

from dataclasses import replace

import numpy as np
import pytest

from nextreid.modality import NIR, RGB, TIR
from nextreid.seeding import numpy_generator
from nextreid.synthetic.cameras import crop_rays
from nextreid.synthetic.render import render
from nextreid.synthetic.scenery import draw_backdrop
from nextreid.synthetic.surroundings import THINGS, draw_layers
from nextreid.synthetic.weather import FULL, bloom


def test_the_backdrop_does_not_know_who_stands_before_it(persons):
    plan, sighting = persons.plan, persons.plan.sightings[3]
    camera = plan.cameras[sighting.camera]
    rays = crop_rays(camera, size=(64, 32), margin=4, nominal=1.75, fill=0.9, stretch=1.0, shift=(0.0, 0.0))
    own = draw_backdrop(camera, sighting, rays)
    other = draw_backdrop(camera, replace(sighting, identity=sighting.identity + 1, bearing=3.0), rays)
    for name in ("albedo", "nir", "heat", "emissivity", "level", "depth", "sky"):
        assert np.array_equal(getattr(own, name), getattr(other, name))
        assert np.isfinite(getattr(own, name)).all()
    assert own.albedo.min() >= 0
    assert own.albedo.max() <= 1
    assert not np.array_equal(own.albedo, draw_backdrop(camera, replace(sighting, seed=1), rays).albedo)


@pytest.mark.parametrize("what", sorted(set(THINGS)))
def test_things_stand_on_the_ground_and_look_like_something_in_every_spectrum(what):
    y, z = (a.ravel().astype(np.float32) for a in np.meshgrid(np.linspace(-4, 4, 90), np.linspace(-1, 4, 60)))
    for seed in range(8):
        layers = draw_layers(what, numpy_generator(seed, "thing"), y, z, 1.0)
        covered = np.any([layer.mask for layer in layers], axis=0)
        assert 0 < covered.mean() < 0.5
        if what != "pole":
            assert not covered[z < 0].any()
        for layer in layers:
            assert layer.albedo.shape == (3,)
            assert 0 <= layer.albedo.min() <= layer.albedo.max() <= 1
            assert 0 < layer.nir < 1
            assert 0.8 < layer.emissivity <= 1
            assert abs(layer.heat) < 15


def test_a_halo_only_brightens_and_only_near_overexposed_places():
    codes = np.full((100, 60), 60, np.uint8)
    assert np.array_equal(bloom(codes, 1.0), codes)
    codes[48:52, 28:32] = FULL + 10
    shone = bloom(codes, 1.0)
    assert (shone >= codes).all()
    assert shone[50, 34] > 60
    assert shone[5, 5] == 60


def test_rain_and_halo_are_light_and_not_heat(persons):
    stage = persons.plan.stage(0)
    dry = replace(stage.sighting, light=replace(stage.sighting.light, rain=0.0, bloom=0.0, sun=1.0, sky=0.5))
    wet = replace(dry, light=replace(dry.light, rain=1.0, bloom=1.0))
    before, after = (render(replace(stage, sighting=s)) for s in (dry, wet))
    assert np.array_equal(before.images[TIR], after.images[TIR])
    for modality in (RGB, NIR):
        assert (after.clean[modality] >= before.clean[modality]).all()
        assert not np.array_equal(after.clean[modality], before.clean[modality])


def test_registration_stays_inside_the_margin(persons, vehicles):
    for sample in (persons, vehicles):
        for sighting in sample.plan.sightings:
            for sensor in sighting.sensors.values():
                assert abs(sensor.offset[0]) <= 0.038
                assert abs(sensor.offset[1]) + 0.5 * (1 / sensor.zoom - 1) <= 0.075
