"""The truth of an observation: its attributes, and which of them each modality can show in this view.

An attribute is visible in a modality when the schema calls it observable there, its value changes what
that modality sees from this side (`UNSEEN`, `_is_hidden`), enough pixels of the parts that show it reach
the sensor, and those pixels carry signal: lit above the noise in RGB and NIR by night and dusk, and not lost
in fog there. In TIR, pixels are enough: whether they stand out from what is behind them is not asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nextreid.attributes.schema import Schema
from nextreid.modality import NIR, RGB, TIR
from nextreid.synthetic.kinds import Kind
from nextreid.synthetic.render import Rendered
from nextreid.synthetic.sighting import Sensor, Sighting

Rule = TypeVar("Rule")

ENOUGH = 0.0022
"""Least share of the picture that evidence must cover: ours, 72 pixels of 256x128, about 8x9."""

SMALL = 0.0007
"""The same for small things (glasses, plates, lamps): ours, 23 pixels of 256x128 or 13 of 192x96."""

BLURRED = 2.0
"""Factor on both in a blurry picture, where an edge is two pixels wide: ours."""

SMALL_PARTS = frozenset(
    {"glasses", "held", "mirror", "exhaust", "licence_plate", "emblem", "headlight", "taillight"}
)

UNSEEN = frozenset({("tyres_wear", TIR)})
"""Attribute and modality of which physics shows nothing that a small picture keeps, whatever the schema
says of good pictures: bald and new rubber are equally warm and emissive."""

LIT = 20.0
"""Least mean code (of 255) of lit evidence for its shape: ours, about twice the night noise."""

LIT_SMALL = 28.0
"""The same for small things and for details: their pixels are too few to average the noise (ours, three
times it)."""

DETAIL = 0.85
"""Observability in the schema below which an attribute is a detail: ours; shoes, glasses, wear are."""

LIT_COLOUR = 30.0
"""The same for its colour: ours; below it the cast of noise exceeds the colour."""

GLASSES_TO, HAIR_FROM = 70.0, 50.0
"""Degrees off the front up to which glasses show, and from which hair behind the head shows: ours."""

ROOF_FROM, PIPES_FROM = 30.0, 135.0
"""The same from which the line of a roof shows, and from which both tail pipes would: ours."""

FOG_LIMIT = 0.55
"""Fog above this hides everything but outlines in RGB: ours, by eye."""


@dataclass(frozen=True)
class Fact:
    """One attribute of one observation in one modality: a row of truth.parquet."""

    observation: str
    modality: str
    attribute: str
    value: str
    visible: bool


def light_words(sighting: Sighting) -> dict[str, str]:
    """Illumination and time of day in the schema's words."""
    light = sighting.light
    if light.period == "night":
        return {"time_of_day": "nighttime", "illumination": "normal" if light.lamp > 0.04 else "dim"}
    if light.period == "dusk":
        return {"time_of_day": "daytime", "illumination": "dim"}
    return {"time_of_day": "daytime", "illumination": "bright" if light.sun > 0.9 else "normal"}


def quality_word(sensor: Sensor) -> str:
    """Whether a picture counts as blurry: by its blur and its resolution (ours, by eye)."""
    return "blurry" if sensor.blur > 0.0035 or sensor.sharpness < 0.5 else "clear"


def find_truth(
    schema: Schema, kind: Kind, sighting: Sighting, described: Mapping[str, str], rendered: Rendered
) -> tuple[Fact, ...]:
    """List what is true of an observation and what each modality shows.

    Args:
        schema: attributes of the kind.
        kind: evidence and part numbers.
        sighting: light and sensors.
        described: attribute -> value of the object in this sighting.
        rendered: its pictures and masks.
    """
    facts = []
    for modality, mask in rendered.masks.items():
        sensor = sighting.sensors[modality]
        values = {**described, **light_words(sighting), "image_quality": quality_word(sensor)}
        shares = np.bincount(mask.ravel(), minlength=256) / mask.size
        codes = rendered.clean[modality]
        grey = codes.mean(axis=2) if codes.ndim == 3 else codes
        weight = np.bincount(rendered.parts.ravel(), minlength=256)
        total = np.bincount(rendered.parts.ravel(), grey.ravel(), minlength=256)
        for attribute in schema.attributes:
            if attribute.name not in values:
                continue
            value = values[attribute.name]
            seen = schema.observability(attribute.name, modality)
            visible = seen > 0 and not _is_hidden(attribute.name, modality, values, sighting)
            names = _of(kind.evidence, attribute.name, value)
            if visible and names is not None:
                numbers = [kind.table.number(name) for name in names]
                small = set(names) <= SMALL_PARTS
                least = _of(kind.least, attribute.name, value) or (SMALL if small else ENOUGH)
                blurred = BLURRED if values["image_quality"] == "blurry" else 1.0
                visible = float(shares[numbers].sum()) >= least * blurred / seen
                if visible and modality != TIR:
                    light = total[numbers].sum() / max(weight[numbers].sum(), 1)
                    visible = light >= _needed(
                        attribute.name, modality, sighting, small=small or seen < DETAIL
                    )
            facts.append(Fact(sighting.observation, modality, attribute.name, value, bool(visible)))
    return tuple(facts)


def _of(rules: Mapping[str, Rule], attribute: str, value: str) -> Rule | None:
    """The rule of a value, or else of its attribute, if there is one."""
    return rules.get(f"{attribute}={value}", rules.get(attribute))


def _is_hidden(attribute: str, modality: str, values: Mapping[str, str], sighting: Sighting) -> bool:
    """Whether the value makes no difference to this picture: by physics, side of view, or kind of light.

    Hidden are: absence of glasses to a camera that would not see glasses either; the length of hair that
    is tied behind a head seen from the front; the line of a roof that falls away from the camera; tail
    pipes from before the rear, where one of two looks like one; and in the near infrared, where the camera
    brings its own lamp, street light and the border of day and night.
    """
    away = abs((sighting.bearing + 180) % 360 - 180)
    if (attribute, modality) in UNSEEN:
        return True
    if attribute == "glasses":
        return away > GLASSES_TO
    if attribute == "exhaust":
        return away < PIPES_FROM
    if attribute == "roof_shape":
        return away < ROOF_FROM
    if attribute == "hair_length":
        return values.get("hair_style") == "tied-back" and away < HAIR_FROM
    if modality == NIR and attribute == "time_of_day":
        return sighting.light.period == "dusk"
    if modality == NIR and attribute == "illumination":
        return sighting.light.period != "day"
    return False


def _needed(attribute: str, modality: str, sighting: Sighting, *, small: bool) -> float:
    """Mean code that the evidence must reach, out of 255."""
    if modality == RGB and sighting.light.fog > FOG_LIMIT:
        return 256.0
    coloured = attribute.endswith("colour")
    if sighting.light.period == "day":
        return 0.0  # black cloth at noon is dark, and known to be black
    return LIT_COLOUR if coloured else LIT_SMALL if small else LIT


def captions_of(facts: tuple[Fact, ...], modality: str) -> dict[str, str]:
    """The values that a caption of one modality may state: the visible ones."""
    return {f.attribute: f.value for f in facts if f.modality == modality and f.visible}
