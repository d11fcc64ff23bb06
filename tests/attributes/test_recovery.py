"""Recovering attributes: own sentences exactly, others by rules, hostile text without harm."""

import itertools
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.attributes import Grammar, Schema, load_schema
from nextreid.attributes.recovery import Recovered, Recovery

BOATS = Path(__file__).parents[2] / "examples" / "boats.yaml"
SCHEMAS = {"person": load_schema("person"), "vehicle": load_schema("vehicle"), "boat": load_schema(BOATS)}
READERS = {kind: Recovery(schema) for kind, schema in SCHEMAS.items()}
PERSON, VEHICLE = READERS["person"], READERS["vehicle"]


def told(reader: Recovery, caption: str) -> dict[str, str]:
    return dict(reader.read(caption).values)


def left(found: Recovered) -> list[str]:
    return [part.text for part in found.unplaced]


# ----- own sentences


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_every_value_is_read_back_from_every_sentence_that_says_it(kind: str) -> None:
    schema, reader = SCHEMAS[kind], READERS[kind]
    grammar = Grammar(schema)
    for attribute in schema.attributes:
        for value in attribute.values:
            for text in grammar.variants({attribute.name: value}):
                found = reader.read(text)
                assert dict(found.values) == {attribute.name: value}, text
                assert found.unplaced == ()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SCHEMAS)), st.data())
def test_own_captions_are_read_exactly(kind: str, data: st.DataObject) -> None:
    """Any subset of attributes, any values, any variant: the same values, in the schema's order."""
    schema = SCHEMAS[kind]
    names = data.draw(st.sets(st.sampled_from([a.name for a in schema.attributes])))
    values = {
        a.name: data.draw(st.sampled_from(a.values), label=a.name)
        for a in schema.attributes
        if a.name in names
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    caption = Grammar(schema).caption(values, rng=rng)
    found = READERS[kind].read(caption)
    assert found.values == values
    assert list(found.values) == [a.name for a in schema.attributes if a.name in names]
    assert found.unplaced == ()
    assert found.covered == found.words == len(caption.split())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SCHEMAS)), st.data())
def test_slots_that_say_unknown_are_no_values(kind: str, data: st.DataObject) -> None:
    schema = SCHEMAS[kind]
    every = [a.name for a in schema.attributes]
    known = data.draw(st.sets(st.sampled_from(every)))
    hidden = data.draw(st.sets(st.sampled_from(every))) - known
    values = {
        name: data.draw(st.sampled_from(schema.attribute(name).values)) for name in every if name in known
    }
    sentences = Grammar(schema).realise(values, unknown=hidden)
    found = READERS[kind].read(" ".join(sentence.text for sentence in sentences))
    assert found.values == values
    assert found.words - found.covered == len(re.findall(r"\bunknown\b", str(sentences).lower()))
    assert not {name for part in found.unplaced for name in part.attributes} & set(values)


def test_capitals_and_white_space_do_not_matter() -> None:
    caption = "An adult male seen from the back. He is wearing a black coat. The image appears clear."
    plain = told(PERSON, caption)
    assert len(plain) == 6
    assert told(PERSON, caption.upper()) == plain
    assert told(PERSON, "  " + caption.replace(" ", " \n\t ") + " ") == plain


def test_a_pronoun_tells_the_gender_and_can_contradict_it() -> None:
    assert told(PERSON, "She is wearing a coat.") == {"gender": "female", "upper": "coat"}
    assert told(PERSON, "The person is wearing a coat.") == {"upper": "coat"}
    assert told(PERSON, "A female person. She is wearing a coat.") == {"gender": "female", "upper": "coat"}
    assert told(PERSON, "A female person. He is wearing a coat.") == {"upper": "coat"}
    assert told(PERSON, "An adult non-binary person seen from the side. He is holding a phone.") == {
        "age": "adult",
        "viewpoint": "side",
        "carrying": "phone",
    }


def test_two_sentences_that_disagree_tell_nothing_and_those_that_agree_tell_it_once() -> None:
    assert told(PERSON, "The image appears clear. The image appears blurry.") == {}
    assert told(PERSON, "The image appears clear. This is a clear image.") == {"image_quality": "clear"}


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
    assert VEHICLE.read(Grammar(SCHEMAS["vehicle"]).caption(found.values)).values == found.values


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
    found = READERS["boat"].read(
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


# ----- what is counted, and hostile text


def test_words_are_counted_and_the_rest_is_listed() -> None:
    found = PERSON.read("Zebras gallop. He is wearing a tartan jacket with dark trousers, paired with clogs.")
    assert [(part.text, part.attributes) for part in found.unplaced] == [
        ("Zebras gallop.", ()),
        ("tartan", ("upper_colour", "upper")),
        ("dark", ("lower_colour", "lower")),
        ("clogs.", ("shoes",)),
    ]
    assert (found.words, found.covered) == (14, 9)
    empty = PERSON.read(" \n ")
    assert (empty.values, empty.groups, empty.unplaced, empty.words, empty.covered) == ({}, (), (), 0, 0)


WORDS = """An adult male seen from the back side during in dim lighting . , He is wearing a black or ( ) and
jacket with hair glasses not paired casual boots The image appears clear blurry carrying none | unknown [view]
{ e.g. possibly /"""


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(WORDS.split()),
            max_size=40,
        ).map(" ".join),
    )
)
def test_any_text_is_read_without_loss(text: str) -> None:
    """Values are the schema's, unplaced words stand in the caption in order, and the counts add up."""
    for kind in ("person", "vehicle"):
        found = READERS[kind].read(text)
        for name, value in found.values.items():
            assert value in SCHEMAS[kind].attribute(name).values
        assert found.words == len(text.split())
        assert found.covered + sum(len(part.text.split()) for part in found.unplaced) == found.words
        at, plain = 0, " ".join(text.split())
        for part in found.unplaced:
            at = plain.index(part.text, at) + len(part.text)
        assert found.groups == Grammar(SCHEMAS[kind]).read(text)


@pytest.mark.parametrize(
    "text",
    [
        "He is wearing a jacket" + " with a jacket" * 70_000,
        "a" * 1_000_000,
        "hair " * 200_000,
        "An adult male seen from the back. " * 3_000,
        "(" * 10_000 + ")" * 10_000,
    ],
    ids=["one sentence", "one word", "one cue", "many sentences", "brackets"],
)
def test_a_megabyte_ends(text: str) -> None:
    started = time.process_time()
    PERSON.read(text)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "text", ["He iſ wearing a coat.", "A male perſon.", "The image appearſ clear.", "\x00\x1b[2J"]
)
def test_letters_that_only_look_alike(text: str) -> None:
    PERSON.read(text)
