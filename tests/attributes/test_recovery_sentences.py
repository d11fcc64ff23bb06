"""Recovering attributes from sentences that the grammar did not write: published forms, other words."""

import itertools
from pathlib import Path

import pytest

from nextreid.attributes import Grammar, Schema, load_schema
from nextreid.attributes.recovery import Recovery

BOATS = Path(__file__).parents[2] / "examples" / "boats.yaml"
VEHICLES = load_schema("vehicle")
PERSON, VEHICLE = Recovery(load_schema("person")), Recovery(VEHICLES)


def told(reader: Recovery, caption: str) -> dict[str, str]:
    return dict(reader.read(caption).values)


# ----- published sentences


@pytest.mark.parametrize(
    ("sentence", "values"),
    [
        ("A teenager male seen from the front during in dim lighting", "teenager male front dim"),
        ("A adult male seen from the [view] during unclear in dim lighting", "adult male dim"),
        ("A side view of a person seen during nighttime in dim lighting", "side dim nighttime"),
        ("Short unknowable due to blurriness hair and he is not wearing glasses", "male short no glasses"),
        ("Short | medium hair and not wearing glasses", "no glasses"),
        ("Medium to long wavy hair and not wearing glasses", "wavy no glasses"),
        ("Long bun hair and the person is wearing sunglasses", "long tied-back sunglasses"),
        ("Medium straight hair and she is holding a phone", "female medium straight phone"),
        ("He is not wearing glasses and holding an umbrella", "male no glasses umbrella"),
        ("The person is carrying none", "nothing"),
        ("The person is not carrying a none", "nothing"),
        ("The person is not holding anything", "nothing"),
        ("The person is not carrying a handbag", ""),
        ("The person is not carrying a handbag, not carrying a backpack, and not dragging a suitcase", ""),
        ("The person is carrying a dragging suitcase", "suitcase"),
        ("The person is dragging", ""),
        ("The person is carrying luggage", ""),
        ("The person is holding a phone and carrying backpack", ""),
        ("The person is carrying a skateboard and carrying backpack", ""),
        ("The person is holding a small item, possibly a phone", ""),
        ("The person is carrying handbag", "handbag"),
        ("The person is carrying a sling bag", "shoulder bag"),
        ("The image appears blurred", "blurry"),
    ],
)
def test_person_sentences(sentence: str, values: str) -> None:
    for end in ("", "."):
        assert " ".join(told(PERSON, sentence + end).values()) == values


@pytest.mark.parametrize(
    ("top", "values"),
    [
        ("a light grey jacket", "jacket light gray"),
        ("a grey hooded sweatshirt", "hoodie gray"),
        ("a dark jacket", "jacket"),
        ("a light-colored jacket", "jacket"),
        ("a dark (possibly black or dark blue) jacket", "jacket"),
        ("a light, possibly beige dress", "dress"),
        ("a dark red coat", "coat red"),
        ("a navy blue t-shirt", "t-shirt dark blue"),
        ("a black and white jacket", "jacket"),
        ("a white or light-colored jacket", "jacket"),
        ("a light blue or gray jacket", "jacket"),
        ("a greenish-grey jacket", "jacket"),
        ("a white with black stripes t-shirt", "t-shirt"),
        ("a jacket or coat", ""),
        ("a brown vest over long-sleeve shirt", "brown"),
        ("a black robe or cloak", "black"),
        ("a white", "white"),
        ("an unclear", ""),
    ],
)
def test_garments_and_colours(top: str, values: str) -> None:
    caption = f"The person is wearing {top} with unclear shorts, paired with none visible footwear."
    found = PERSON.read(caption)
    names = [found.values.get(name) for name in ("upper", "upper_colour")]
    assert " ".join(filter(None, names)) == values
    assert found.values["lower"] == "shorts"
    assert "shoes" not in found.values


@pytest.mark.parametrize(
    ("legs", "lower", "colour"),
    [
        ("a long skirt", "skirt", None),
        ("khaki pants", "trousers", "beige"),
        ("a white dress", None, None),
        ("black none (part of dress)", None, None),
        ("black skirt or trousers", None, "black"),
        ("dark", None, None),
    ],
)
def test_a_dress_below_is_no_lower_garment(legs: str, lower: str | None, colour: str | None) -> None:
    found = PERSON.read(f"She is wearing a coat with {legs}, paired with casual sneakers.")
    assert (found.values.get("lower"), found.values.get("lower_colour")) == (lower, colour)
    assert (found.values["upper"], found.values["shoes"]) == ("coat", "casual sneakers")


@pytest.mark.parametrize(
    "shoes", ["casual shoes", "formal boots", "sneakers", "casual athletic shoes", "heels", ""]
)
def test_shoes_that_no_value_holds(shoes: str) -> None:
    found = PERSON.read(f"She is wearing a coat with a skirt, paired with {shoes}.")
    assert "shoes" not in found.values
    assert found.values["lower"] == "skirt"


VEHICLE_CAPTION = (
    "A teal Lada sedan viewed from the diagonal in dim nighttime light (image appears blurry). The vehicle "
    "shows used wear with unclear curved windows. It features off rectangular headlights and not visible "
    "taillights, complemented by an angular grille with sharp edges. The dirty sunroof roof sits above worn "
    "medium all-terrain tires with intact bumpers. Side mirrors are folded. License plate is not visible. "
    "Spoiler is not present. Roof rack is present. Exhaust system features dual pipes."
)


def test_a_vehicle_caption_of_the_published_form() -> None:
    found = VEHICLE.read(VEHICLE_CAPTION)
    assert found.values == {
        "type": "sedan",
        "viewpoint": "diagonal",
        "illumination": "dim",
        "time_of_day": "nighttime",
        "image_quality": "blurry",
        "wear": "used",
        "window_shape": "curved",
        "headlights_state": "off",
        "headlights_shape": "rectangular",
        "grille_edges": "sharp",
        "roof_state": "dirty",
        "tyres_wear": "worn",
        "tyres_size": "medium",
        "tyres_kind": "off-road",
        "bumpers": "intact",
        "licence_plate": "not visible",
        "spoiler": "not present",
        "roof_rack": "present",
        "exhaust": "dual",
    }
    assert [(part.text, part.attributes) for part in found.unplaced] == [
        ("teal Lada", ("colour", "brand", "type")),
        ("unclear", ("window_tint", "window_shape")),
        ("not visible", ("taillights",)),
        ("angular", ("grille_pattern",)),
        ("sunroof", ("roof_state", "roof_shape")),
        ("folded.", ("mirrors",)),
    ]
    assert (found.words, found.covered) == (76, 68)
    assert VEHICLE.read(Grammar(VEHICLES).caption(found.values)).values == found.values


@pytest.mark.parametrize(
    ("caption", "values"),
    [
        (
            "A Citroën SUV viewed from the back (image appears clear).",
            {"brand": "Citroen", "type": "SUV", "viewpoint": "back", "image_quality": "clear"},
        ),
        ("A silver vehicle viewed from the front.", {"colour": "silver", "viewpoint": "front"}),
        ("It features on oval headlights.", {"headlights_state": "on", "headlights_shape": "oval"}),
        (
            "It features on round headlights and a vertical grille with straight edges.",
            {
                "headlights_state": "on",
                "headlights_shape": "round",
                "grille_pattern": "vertical",
                "grille_edges": "straight",
            },
        ),
        (
            "It features off headlights and rectangular taillights, complemented by a grille.",
            {"headlights_state": "off", "taillights": "rectangular"},
        ),
        (
            "It features angular taillights, complemented by a clean flat roof sitting above new large "
            "street tires with damaged bumpers.",
            {
                "taillights": "angular",
                "roof_shape": "flat",
                "roof_state": "clean",
                "tyres_wear": "new",
                "tyres_size": "large",
                "tyres_kind": "street",
                "bumpers": "damaged",
            },
        ),
        ("The roof sits above tires with intact bumpers.", {"bumpers": "intact"}),
        ("The vehicle shows new wear.", {"wear": "new"}),
        ("Exhaust system features single pipes.", {"exhaust": "single"}),
        ("License plate is unclear.", {}),
    ],
)
def test_vehicle_sentences_of_the_published_forms(caption: str, values: dict[str, str]) -> None:
    assert told(VEHICLE, caption) == values


# ----- sentences in other words


def test_sentences_of_ones_own_are_read_by_their_phrases() -> None:
    caption = (
        "An adult man in a black jacket and dark blue jeans, with casual sneakers, seen from the back. He "
        "has short, straight hair, wears no glasses and carries a backpack. It is night under dim lighting "
        "and the image is blurry."
    )
    assert told(PERSON, caption) == {
        "age": "adult",
        "gender": "male",
        "viewpoint": "back",
        "illumination": "dim",
        "time_of_day": "nighttime",
        "upper": "jacket",
        "upper_colour": "black",
        "lower": "jeans",
        "lower_colour": "dark blue",
        "shoes": "casual sneakers",
        "hair_length": "short",
        "hair_style": "straight",
        "glasses": "no glasses",
        "carrying": "backpack",
        "image_quality": "blurry",
    }
    assert told(VEHICLE, "A red BMW sedan with tinted windows and round headlights, seen from the rear.") == {
        "colour": "red",
        "brand": "BMW",
        "type": "sedan",
        "viewpoint": "back",
        "window_tint": "tinted",
        "headlights_shape": "round",
    }


def test_what_is_denied_or_in_doubt_is_not_stated() -> None:
    for caption in (
        "Not wearing a jacket.",
        "There is no jacket.",
        "Perhaps a jacket.",
        "A hoodie or sweater.",
        "Without a backpack.",
        "A black and white something.",
    ):
        assert told(PERSON, caption) == {}, caption


def test_a_schema_without_rules_reads_its_values() -> None:
    found = Recovery(load_schema(BOATS)).read(
        "On calm water lies a white sailboat with raised sails, seen from its stern."
    )
    assert found.values == {
        "hull_colour": "white",
        "type": "sailboat",
        "viewpoint": "stern",
        "sea": "calm",
        "sails": "raised",
    }


def test_values_that_several_attributes_share_are_left_to_own_sentences() -> None:
    schema = Schema.from_dict(
        {
            "kind": "flag",
            "version": 1,
            "groups": [
                {
                    "name": "cloth",
                    "identity": True,
                    "generic": "A flag.",
                    "attributes": [
                        {"name": "left", "values": ["red", "blue"], "observable": {"rgb": 1.0}},
                        {"name": "right", "values": ["red", "blue"], "observable": {"rgb": 1.0}},
                        {"name": "shape", "values": ["long", "square"], "observable": {"rgb": 1.0}},
                    ],
                    "sentences": ["[{left} left |][{right} right |][{shape} shape|]"],
                }
            ],
        }
    )
    reader = Recovery(schema)
    for left_value, right_value in itertools.product(("red", "blue"), repeat=2):
        values = {"left": left_value, "right": right_value, "shape": "long"}
        assert reader.read(Grammar(schema).caption(values)).values == values
    assert told(reader, "A long flag of red and blue.") == {"shape": "long"}
