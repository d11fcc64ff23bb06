"""The grammar: every subset of attributes is said, read back, and told apart."""

import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.attributes import Grammar, Group, load_schema
from nextreid.attributes.prompts import value_prompts
from nextreid.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "captions"
PERSON, VEHICLE = Grammar(load_schema("person")), Grammar(load_schema("vehicle"))
GRAMMARS = {"person": PERSON, "vehicle": VEHICLE}


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def assert_good_english(text: str) -> None:
    """Check what a program can check of grammar."""
    assert text[0].isupper()
    assert text.endswith(".")
    assert "  " not in text
    assert " ." not in text
    assert " ," not in text
    assert not re.search(r"[{}\[\]|<>]", text), text
    assert not re.search(r"\b(unknown|none|unclear)\b", text, re.IGNORECASE), text
    assert not re.search(r"\b(with|in|and|is|are|from|a|an|the|has|features|shows)\.", text), text
    assert not re.search(r"\ba (?=[aeio])", text, re.IGNORECASE), text
    assert not re.search(r"\ban (?=[bcdfgjklmnpqrtvwxyz])", text, re.IGNORECASE), text
    assert not re.search(r"\b(\w+) \1\b", text), text
    assert not re.search(r"\ban? (\w+ )?(jeans|trousers|shorts|leggings|sneakers)\b", text), text


def subsets(group: Group) -> list[tuple[str, ...]]:
    names = [a.name for a in group.attributes]
    return [s for size in range(1, len(names) + 1) for s in itertools.combinations(names, size)]


GROUPS = [(kind, group) for kind, grammar in GRAMMARS.items() for group in grammar.schema.groups]


@pytest.mark.parametrize(("kind", "group"), GROUPS, ids=[f"{k}-{g.name}" for k, g in GROUPS])
def test_every_subset_is_said_and_read_back(kind: str, group: Group) -> None:
    """Each subset of a group's attributes, under several values and variants, alone and after others."""
    grammar = GRAMMARS[kind]
    rng = np.random.default_rng(0)
    first = grammar.schema.groups[0].attributes[0]
    for names in subsets(group):
        for _ in range(6):
            values = {n: str(rng.choice(grammar.schema.attribute(n).values)) for n in names}
            for draw in (None, rng):
                (sentence,) = grammar.realise(values, rng=draw)
                assert sentence.group == group.name
                assert_good_english(sentence.text)
                assert grammar.read(sentence.text) == (sentence,)
            if group.name != "who":
                after = grammar.realise({first.name: first.values[0], **values})
                assert grammar.read(" ".join(s.text for s in after)) == after


@pytest.mark.parametrize(("kind", "group"), GROUPS, ids=[f"{k}-{g.name}" for k, g in GROUPS])
def test_distinct_values_give_distinct_sentences(kind: str, group: Group) -> None:
    """All value combinations of up to 3 attributes at once, and presence against absence."""
    grammar = GRAMMARS[kind]
    said: dict[str, dict[str, str]] = {}
    for names in subsets(group):
        if len(names) > 3:
            continue
        tables = [grammar.schema.attribute(name).values[:6] for name in names]
        for values in itertools.product(*tables):
            chosen = dict(zip(names, values, strict=True))
            (sentence,) = grammar.realise(chosen)
            assert sentence.text not in said, (chosen, said[sentence.text])
            said[sentence.text] = chosen
    for attribute in group.attributes:
        every = {grammar.caption({attribute.name: value}) for value in attribute.values}
        assert len(every) == len(attribute.values)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(GRAMMARS)), st.data())
def test_whole_captions_of_any_subset(kind: str, data: st.DataObject) -> None:
    grammar = GRAMMARS[kind]
    names = data.draw(st.sets(st.sampled_from([a.name for a in grammar.schema.attributes]), min_size=1))
    values = {
        name: data.draw(st.sampled_from(grammar.schema.attribute(name).values)) for name in sorted(names)
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    sentences = grammar.realise(values, rng=rng)
    caption = " ".join(s.text for s in sentences)
    assert_good_english(caption)
    assert [s.group for s in sentences] == [
        g.name for g in grammar.schema.groups if any(a.name in values for a in g.attributes)
    ]
    assert grammar.read(caption) == sentences


def test_who_speaks_of_whom() -> None:
    assert PERSON.caption({"gender": "male", "carrying": "phone"}) == "A male person. He is holding a phone."
    assert PERSON.caption({"gender": "female", "upper": "coat"}) == "A female person. She is wearing a coat."
    assert PERSON.caption({"carrying": "umbrella"}) == "The person is holding an umbrella."
    assert PERSON.caption({"carrying": "nothing"}) == "The person is not carrying anything."
    assert PERSON.caption({"age": "child", "gender": "female"}) == "A female child."
    assert VEHICLE.caption({"type": "SUV"}) == "An SUV."
    assert VEHICLE.caption({"taillights": "oval"}) == "The vehicle features oval taillights."
    assert VEHICLE.caption({"type": "van", "taillights": "oval"}) == "A van. It features oval taillights."


def test_number_agrees() -> None:
    said = PERSON.caption({"lower": "jeans", "lower_colour": "blue"})
    assert said == "The person is wearing blue jeans."
    assert (
        PERSON.caption({"lower": "skirt", "lower_colour": "orange"})
        == "The person is wearing an orange skirt."
    )
    assert PERSON.caption({"upper": "jacket", "upper_colour": "black", "lower": "trousers"}) == (
        "The person is wearing a black jacket with trousers."
    )


def test_nothing_known_is_nothing_said() -> None:
    assert PERSON.realise({}) == ()
    assert PERSON.caption({}) == ""
    assert PERSON.read("") == ()


def test_variants_are_drawn_by_the_generator_alone() -> None:
    values = {"gender": "male", "upper": "coat", "shoes": "casual boots", "hair_length": "short"}
    drawn = {PERSON.caption(values, rng=np.random.default_rng(seed)) for seed in range(20)}
    assert len(drawn) > 3
    assert PERSON.caption(values, rng=np.random.default_rng(5)) == PERSON.caption(
        values, rng=np.random.default_rng(5)
    )
    assert PERSON.caption(values) == PERSON.caption(values)


def test_unknown_names_and_values_are_errors() -> None:
    with pytest.raises(InputError, match=r"'unknown' is not a value of gender.*male, female.*leave out"):
        PERSON.realise({"gender": "unknown"})
    with pytest.raises(InputError, match="'tail' is not an attribute"):
        PERSON.realise({"tail": "long"})


def test_a_published_person_caption_is_cut_at_group_borders() -> None:
    read = PERSON.read(
        "An adult male seen from the side during nighttime in dim lighting. He is wearing a jacket with "
        "unclear trousers, paired with casual boots. Short unknowable hair and not wearing glasses. He is "
        "not carrying a handbag, not carrying a backpack. The image appears blurry."
    )
    assert [(s.group, s.text) for s in read] == [
        ("who", "An adult male seen from the side."),
        ("light", "During nighttime in dim lighting."),
        ("clothing", "He is wearing a jacket with unclear trousers, paired with casual boots."),
        ("hair", "Short unknowable hair and not wearing glasses."),
        ("carrying", "He is not carrying a handbag, not carrying a backpack."),
        ("quality", "The image appears blurry."),
    ]


def test_a_vehicle_caption_of_the_published_form_is_cut_and_joined() -> None:
    """The published form: three groups in the first sentence, one group in the last five."""
    read = VEHICLE.read(
        "A teal Lada sedan viewed from the back in dim nighttime light (image appears blurry). The vehicle "
        "shows used wear with tinted windows. It features off headlights and square taillights, complemented "
        "by a honeycomb grille with soft edges. The clean flat roof sits above old small tires with intact "
        "bumpers. Side mirrors are folded. License plate is visible. Spoiler is not present. Roof rack is "
        "present. Exhaust system features hidden pipes."
    )
    assert [(s.group, s.text) for s in read] == [
        ("who", "A teal Lada sedan viewed from the back."),
        ("light", "In dim nighttime light (image appears blurry)."),
        ("body", "The vehicle shows used wear with tinted windows."),
        (
            "front",
            "It features off headlights and square taillights, complemented by a honeycomb grille with soft "
            "edges.",
        ),
        ("build", "The clean flat roof sits above old small tires with intact bumpers."),
        (
            "fittings",
            "Side mirrors are folded. License plate is visible. Spoiler is not present. Roof rack is "
            "present. Exhaust system features hidden pipes.",
        ),
    ]


def test_a_vehicle_sentence_that_runs_over_into_the_next_group() -> None:
    read = VEHICLE.read(
        "A sedan viewed from the back (image appears clear). It features square taillights, complemented by "
        "a clean flat roof sitting above used tires."
    )
    assert [(s.group, s.text) for s in read] == [
        ("who", "A sedan viewed from the back."),
        ("light", "(image appears clear)."),
        ("front", "It features square taillights."),
        ("build", "Complemented by a clean flat roof sitting above used tires."),
    ]


@given(st.text(alphabet="abc the is hair wearing carrying A An in dim lighting.,;!", max_size=80))
@settings(max_examples=200, deadline=None)
def test_reading_loses_no_word(text: str) -> None:
    for grammar in GRAMMARS.values():
        assert words(" ".join(s.text for s in grammar.read(text))) == words(text)


def test_words_of_no_group_are_kept() -> None:
    read = PERSON.read("Zebras gallop. He is carrying a lamp.")
    assert [(s.group, s.text) for s in read] == [
        ("carrying", "He is carrying a lamp."),
        ("", "Zebras gallop."),
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="published captions are not beside the repository")
@pytest.mark.parametrize("captions", ["next_rgbnt201", "idea_rgbnt201"])
def test_published_captions_lose_no_word_and_find_their_groups(captions: str) -> None:
    groups: Counter[str] = Counter()
    total = 0
    for file in sorted((SHARED / captions).glob("*.json")):
        for entry in json.loads(file.read_text())[::7]:
            read = PERSON.read(entry["description"])
            assert words(" ".join(s.text for s in read)) == words(entry["description"])
            groups.update(s.group for s in read)
            total += 1
    if captions.startswith("next"):
        assert groups[""] <= 2
        for name in ("who", "clothing", "quality"):
            assert groups[name] >= total - 5, name
        assert groups["hair"] > 0.95 * total
        assert 0.55 * total < groups["light"] < 0.8 * total, "thermal captions have no light"
    else:
        assert groups[""] < 0.04 * total
        assert groups["clothing"] > 0.98 * total


def test_variants_say_exactly_the_values_of_one_group() -> None:
    grammar = Grammar(load_schema("person"))
    assert grammar.variants({"upper": "coat", "upper_colour": "red"}) == (
        "The person is wearing a red coat.",
        "The person is dressed in a red coat.",
    )
    assert grammar.variants({"gender": "male", "upper": "coat"})[0] == "He is wearing a coat."
    assert grammar.variants({"gender": "male"})[0] == "A male person."
    with pytest.raises(InputError, match="one group"):
        grammar.variants({"upper": "coat", "glasses": "glasses"})
    with pytest.raises(InputError, match="one group"):
        grammar.variants({})
    with pytest.raises(InputError, match="not a value"):
        grammar.variants({"upper": "cape"})


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_every_value_has_prompts_of_its_own(kind: str) -> None:
    schema = load_schema(kind)
    for attribute in schema.attributes:
        prompts = [value_prompts(schema, attribute.name, value) for value in attribute.values]
        flat = [text for ensemble in prompts for text in ensemble]
        assert all(prompts)
        assert len(set(flat)) == len(flat), attribute.name


def test_a_sentence_that_says_unknown_is_one_of_its_group() -> None:
    """No cue is needed: the whole sentence is the grammar's own, though a part of it would be one as well."""
    grammar = Grammar(replace(load_schema("person"), reading=()))
    values = {"upper": "jacket"}
    (said,) = grammar.realise(values, unknown=("upper_colour", "lower_colour"))
    assert said.text == "The person is wearing an unknown jacket with unknown legwear."
    assert grammar.read(said.text) == (said,)
