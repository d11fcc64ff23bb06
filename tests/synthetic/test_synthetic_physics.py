"""Three physics, not one picture in three colours."""

from dataclasses import replace

import numpy as np
import pytest

from nextreid.modality import NIR, RGB, TIR
from nextreid.synthetic.parts import Pattern
from nextreid.synthetic.render import Stage, render

CLOTH = ("upper", "sleeve", "lower")


def by_period(persons, period):
    return [i for i, s in enumerate(persons.plan.sightings) if s.light.period == period]


def recoloured(stage: Stage, names=CLOTH, **change) -> Stage:
    target = tuple(
        replace(part, material=replace(part.material, **change)) if part.name in names else part
        for part in stage.target
    )
    return replace(stage, target=target)


def lit(stage: Stage, **change) -> Stage:
    return replace(stage, sighting=replace(stage.sighting, light=replace(stage.sighting.light, **change)))


@pytest.fixture
def noon(persons) -> Stage:
    index = next(i for i in by_period(persons, "day") if persons.plan.sightings[i].light.sun > 0.5)
    return persons.plan.stage(index)


def test_recolouring_and_printing_cloth_changes_rgb_and_no_thermal_pixel(noon):
    before = render(recoloured(noon, pattern=None))
    dyed = render(recoloured(noon, albedo=(0.6, 0.02, 0.4), pattern=None))
    printed = render(recoloured(noon, pattern=Pattern("check", (0.9, 0.9, 0.0), 0.9, scale=0.1)))
    for other in (dyed, printed):
        assert np.array_equal(before.images[TIR], other.images[TIR])
        assert np.abs(before.images[RGB].astype(int) - other.images[RGB]).mean() > 2
    assert np.array_equal(before.images[NIR], dyed.images[NIR])
    assert not np.array_equal(before.images[NIR], printed.images[NIR])


def test_switching_off_every_light_changes_no_thermal_pixel(noon):
    dark = lit(noon, sun=0.0, sky=0.0, lamp=0.0, nir_day=0.0, nir_lamp=0.0, flare=0.0)
    before, after = render(noon), render(dark)
    assert np.array_equal(before.images[TIR], after.images[TIR])
    assert after.clean[RGB].max() == 0
    assert after.clean[NIR].max() == 0


def test_near_infrared_has_shadows_under_a_clear_sky_alone(noon):
    clear, overcast = (render(recoloured(lit(noon, sun=sun), nir=0.3, pattern=None)) for sun in (1.2, 0.0))
    turned = render(recoloured(lit(noon, sun=0.0, direction=(0.0, 0.0, 1.0)), nir=0.3, pattern=None))
    assert np.array_equal(overcast.images[NIR], turned.images[NIR])
    cloth = np.isin(clear.parts, [noon.kind.table.number(name) for name in CLOTH])
    contrast = [codes[cloth].std() / codes[cloth].mean() for codes in (clear.clean[NIR], overcast.clean[NIR])]
    assert contrast[0] > 1.5 * contrast[1]


def test_cloths_of_one_colour_and_two_materials_differ_in_near_infrared(noon):
    absorbing, shining = (render(recoloured(noon, nir=nir, pattern=None)) for nir in (0.05, 0.9))
    assert np.array_equal(absorbing.images[RGB], shining.images[RGB])
    worn = absorbing.masks[NIR] == noon.kind.table.number("upper")
    assert shining.images[NIR][worn].mean() > 1.8 * absorbing.images[NIR][worn].mean()


def test_bare_skin_is_hotter_than_cloth_and_bags_near_the_air(persons):
    number = persons.plan.kind.table.number
    for rendered in persons.rendered:
        heat, parts = rendered.clean[TIR], rendered.parts
        skin = heat[parts == number("face")]
        if len(skin) < 20:
            continue
        for name in ("upper", "lower", "shoe", "bag"):
            other = heat[parts == number(name)]
            if len(other) > 20:
                assert skin.mean() > other.mean(), name


def test_a_warmer_bag_shows_in_thermal_alone(persons):
    index = next(
        i for i, s in enumerate(persons.plan.sightings)
        if persons.plan.identities[s.identity].attributes["carrying"] not in ("nothing", "phone")
        and (persons.rendered[i].masks[TIR] >= persons.plan.kind.table.number("bag")).sum() > 60
    )  # fmt: skip
    sighting = persons.plan.sightings[index]
    stage = persons.plan.stage(index)
    hot = replace(sighting, state=replace(sighting.state, load_heat=sighting.state.load_heat + 6))
    heated = replace(stage, target=stage.kind.build(persons.plan.identities[sighting.identity], hot.state))
    before, after = render(stage), render(heated)
    assert np.array_equal(before.images[RGB], after.images[RGB])
    assert not np.array_equal(before.images[TIR], after.images[TIR])


def test_night_rgb_is_dark_and_noisy(persons):
    def noise(index):
        """Standard deviation of what the sensor's noise adds, in codes of 255."""
        stage = persons.plan.stage(index)
        sensors = {m: replace(s, noise=0.0) for m, s in stage.sighting.sensors.items()}
        quiet = render(replace(stage, sighting=replace(stage.sighting, sensors=sensors)))
        return (persons.rendered[index].images[RGB].astype(float) - quiet.images[RGB]).std()

    day, night = by_period(persons, "day"), by_period(persons, "night")
    mean = {name: np.mean([persons.rendered[i].images[RGB].mean() for i in at]) for name, at in
            (("day", day), ("night", night))}  # fmt: skip
    assert mean["night"] <= 0.25 * mean["day"]
    by_day, by_night = (np.mean([noise(i) for i in at[:12]]) for at in (day, night))
    assert by_night > 1.5 * by_day
    assert by_night / mean["night"] > 6 * by_day / mean["day"]
    print(mean, by_day, by_night)


@pytest.mark.parametrize("modality", [NIR, TIR])
def test_no_linear_map_from_rgb_explains_the_other_spectra(persons, modality):
    for indices in (range(len(persons.rendered)), by_period(persons, "day"), by_period(persons, "night")):
        rgb = np.concatenate([persons.rendered[i].images[RGB].reshape(-1, 3) for i in indices]) / 255.0
        other = (
            np.concatenate([persons.rendered[i].images[modality][..., 0].ravel() for i in indices]) / 255.0
        )
        design = np.concatenate([rgb, np.ones((len(rgb), 1))], axis=1)
        fitted = design @ np.linalg.lstsq(design, other, rcond=None)[0]
        assert 1 - np.var(other - fitted) / np.var(other) < 0.6


def test_fog_hides_rgb_most_and_heat_least(noon):
    clear, foggy = render(lit(noon, fog=0.0)), render(lit(noon, fog=0.6))
    drop = {
        m: foggy.clean[m].astype(float).std() / clear.clean[m].astype(float).std() for m in (RGB, NIR, TIR)
    }
    assert drop[RGB] < drop[TIR]
    assert drop[TIR] > 0.85


def test_flare_is_light_and_not_heat(noon):
    plain, flared = render(noon), render(lit(noon, flare=0.8, flare_at=(0.5, 0.5)))
    assert flared.images[RGB].mean() > plain.images[RGB].mean()
    assert np.array_equal(plain.images[TIR], flared.images[TIR])


def test_masks_move_with_each_modalitys_misregistration(noon):
    sighting = noon.sighting
    still = {
        m: replace(s, offset=(0.0, 0.0), zoom=1.0, noise=2.0, sharpness=1.0, jpeg=0)
        for m, s in sighting.sensors.items()
    }
    moved = {**still, TIR: replace(still[TIR], offset=(8 / 128, 4 / 128))}
    before, after = (render(replace(noon, sighting=replace(sighting, sensors=s))) for s in (still, moved))
    assert np.array_equal(before.masks[RGB], before.masks[TIR])
    assert np.array_equal(before.masks[NIR], after.masks[NIR])
    assert np.array_equal(before.masks[TIR][:-4, :-8], after.masks[TIR][4:, 8:])
    assert np.abs(before.images[TIR][:-4, :-8].astype(int) - after.images[TIR][4:, 8:]).mean() < 4


def test_masks_fit_their_own_modality_better_than_another(persons):
    """Skin is hot where the thermal mask says face, not where the RGB mask does."""
    face = persons.plan.kind.table.number("face")
    own, borrowed = [], []
    for rendered in persons.rendered:
        heat = rendered.images[TIR][..., 0].astype(float)
        if (rendered.masks[TIR] == face).sum() > 25 and (rendered.masks[RGB] == face).sum() > 25:
            own.append(heat[rendered.masks[TIR] == face].mean())
            borrowed.append(heat[rendered.masks[RGB] == face].mean())
    assert len(own) > 20
    assert np.mean(own) > np.mean(borrowed)


def test_false_colour_is_a_table_of_the_gray_code(noon):
    from nextreid.synthetic.spectra import inferno

    gray, false = render(replace(noon, tir="gray")), render(replace(noon, tir="false-colour"))
    assert np.array_equal(inferno()[gray.images[TIR][..., 0]], false.images[TIR])


def test_a_running_engine_is_hot_in_thermal_and_invisible_otherwise(vehicles):
    number, seen = vehicles.plan.kind.table.number, 0
    for index, sighting in enumerate(vehicles.plan.sightings):
        if sighting.occluders or (vehicles.rendered[index].parts == number("bonnet")).sum() < 150:
            continue
        stage, who = vehicles.plan.stage(index), vehicles.plan.identities[sighting.identity]
        cold, hot = (
            render(replace(stage, target=stage.kind.build(who, replace(sighting.state, engine=engine))))
            for engine in (0.0, 1.0)
        )
        bonnet, body = (hot.parts == number(name) for name in ("bonnet", "body"))
        assert hot.clean[TIR][bonnet].mean() > hot.clean[TIR][body].mean()
        assert hot.clean[TIR][bonnet].mean() > cold.clean[TIR][bonnet].mean() + 10
        assert np.array_equal(hot.images[RGB], cold.images[RGB])
        seen += 1
        if seen == 4:
            return
    pytest.fail(f"only {seen} bonnets in sight")


def test_vehicles_keep_the_rules_of_light(vehicles):
    stage = vehicles.plan.stage(by_period(vehicles, "day")[0])
    body = ("body", "door", "bonnet", "roof")
    before = render(stage)
    repainted = render(recoloured(stage, body, albedo=(0.7, 0.1, 0.05)))
    assert np.array_equal(before.images[TIR], repainted.images[TIR])
    assert not np.array_equal(before.images[RGB], repainted.images[RGB])
    assert np.array_equal(before.images[TIR], render(lit(stage, sun=0.0, sky=0.0)).images[TIR])
