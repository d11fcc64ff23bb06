"""Recovering attributes: own sentences exactly, others by rules, hostile text without harm."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.attributes import Grammar, load_schema
from nextreid.attributes.recovery import Recovery

BOATS = Path(__file__).parents[2] / "examples" / "boats.yaml"
SCHEMAS = {"person": load_schema("person"), "vehicle": load_schema("vehicle"), "boat": load_schema(BOATS)}
READERS = {kind: Recovery(schema) for kind, schema in SCHEMAS.items()}
PERSON, VEHICLE = READERS["person"], READERS["vehicle"]


def told(reader: Recovery, caption: str) -> dict[str, str]:
    return dict(reader.read(caption).values)


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
    hidden -= {name.removesuffix("_colour") for name in known}  # "a black unknown" is a coat, or trousers
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
