"""The truth of an observation: its attributes, and which of them each modality can show in this view.

An attribute is visible in a modality when the schema calls it observable there, enough pixels of the
parts that show it are in the picture, and those pixels carry signal: lit above the noise in RGB and
NIR, not lost in fog, and inside the camera's span in TIR.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nextreid.attributes.schema import Schema
from nextreid.modality import RGB, TIR
from nextreid.synthetic.kinds import Kind
from nextreid.synthetic.render import Rendered
from nextreid.synthetic.sighting import Sensor, Sighting

ENOUGH = 0.0022
"""Least share of the picture that evidence must cover: ours, 72 pixels of 256x128, about 8x9."""

SMALL = 0.0004
"""The same for small things (glasses, shoes' kind, plates): ours, 13 pixels of 256x128."""

SMALL_PARTS = frozenset(
    {"glasses", "held", "mirror", "exhaust", "licence_plate", "emblem", "headlight", "taillight"}
)

LIT = 16.0
"""Least mean code (of 255) of lit evidence for its shape: ours, about twice the night noise."""

LIT_COLOUR = 30.0
"""The same for its colour: ours; below it the cast of noise exceeds the colour."""

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
            visible = seen > 0
            names = kind.evidence.get(f"{attribute.name}={value}", kind.evidence.get(attribute.name))
            if visible and names is not None:
                numbers = [kind.table.number(name) for name in names]
                least = SMALL if set(names) <= SMALL_PARTS else ENOUGH
                visible = float(shares[numbers].sum()) >= least / seen
                if visible and modality != TIR:
                    light = total[numbers].sum() / max(weight[numbers].sum(), 1)
                    visible = light >= _needed(attribute.name, modality, sighting)
            facts.append(Fact(sighting.observation, modality, attribute.name, value, bool(visible)))
    return tuple(facts)


def _needed(attribute: str, modality: str, sighting: Sighting) -> float:
    """Mean code that the evidence must reach, out of 255."""
    if modality == RGB and sighting.light.fog > FOG_LIMIT:
        return 256.0
    coloured = attribute.endswith("colour")
    if sighting.light.period == "day":
        return 0.0  # black cloth at noon is dark, and known to be black
    return LIT_COLOUR if coloured else LIT


def captions_of(facts: tuple[Fact, ...], modality: str) -> dict[str, str]:
    """The values that a caption of one modality may state: the visible ones."""
    return {f.attribute: f.value for f in facts if f.modality == modality and f.visible}
