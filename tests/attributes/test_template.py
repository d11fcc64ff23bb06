"""The template language: articles, alternatives, phrases, patterns."""

import re

import pytest

from nextreid.attributes.template import Words, article, parse, pattern, render
from nextreid.errors import InputError

WORDS = {
    "colour": Words(("red", "orange", "blue")),
    "type": Words(("boat", "SUV", "jeans"), bare=frozenset({"jeans"})),
    "load": Words(("nothing", "phone", "bag"), forms={"verb": {"phone": "holding", "otherwise": "carrying"}}),
}


def said(template: str, **values: str) -> str | None:
    part = render(parse(template), values, WORDS, "he")
    return None if part is None else part.text


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("adult", "an"),
        ("child", "a"),
        ("SUV", "an"),
        ("BMW sedan", "a"),
        ("MPV", "an"),
        ("used car", "a"),
        ("unusual hat", "an"),
        ("uniform", "a"),
        ("umbrella", "an"),
        ("uninteresting", "an"),
        ("hour", "an"),
        ("house", "a"),
        ("off-road tire", "an"),
        ("one-seater", "a"),
        ("t-shirt", "a"),
        ("European car", "a"),
        ("Audi", "an"),
    ],
)
def test_article(phrase: str, expected: str) -> None:
    assert article(phrase) == expected


def test_slots_phrases_and_plural() -> None:
    assert said("<{colour} {type}>", colour="orange", type="boat") == "an orange boat"
    assert said("<{colour} {type}>", colour="red", type="SUV") == "a red SUV"
    assert said("<{type}>", type="SUV") == "an SUV"
    assert said("<{colour} {type}>", colour="blue", type="jeans") == "blue jeans"


def test_a_missing_value_makes_a_part_unusable() -> None:
    assert said("{colour} {type}", colour="red") is None
    assert said("[{colour} {type}|{colour} one|{type}]", colour="red") == "red one"
    assert said("[{colour} {type}|{colour} one|{type}]") is None
    assert said("x[ in {colour}|]") == "x"


def test_the_fullest_alternative_wins_whatever_the_order() -> None:
    assert said("[{colour}|{colour} {type}|{type}]", colour="red", type="boat") == "red boat"
    assert said("[a {colour}|b {colour}]", colour="red") == "a red"


def test_guards_forms_and_subject() -> None:
    template = "{subject} is [{load=nothing}not carrying anything|{load.verb} <{load}>]"
    assert said(template, load="nothing") == "he is not carrying anything"
    assert said(template, load="phone") == "he is holding a phone"
    assert said(template, load="bag") == "he is carrying a bag"


def test_named_phrases() -> None:
    nodes = parse("on {thing}", {"thing": parse("[<{colour} {type}>|<{type}>]")})
    part = render(nodes, {"type": "boat"}, WORDS, "it")
    assert part is not None
    assert (part.text, part.mentions) == ("on a boat", frozenset({"type"}))


@pytest.mark.parametrize("bad", ["[a", "a]", "<a", "a>", "{a", "a}", "a|b", "{}", "[a<b]>", "{.x}"])
def test_broken_templates_are_errors(bad: str) -> None:
    with pytest.raises(InputError, match="Template"):
        parse(bad)


def test_the_pattern_matches_all_that_can_be_said_and_not_more() -> None:
    nodes = parse("{subject} has [<{colour} {type}>|<{type}>][ and {load.verb} {load}|]")
    expression = re.compile(pattern(nodes, WORDS, ("he", "the person")) + r"\Z", re.IGNORECASE)
    for colour in (None, *WORDS["colour"].values):
        for load in (None, *WORDS["load"].values):
            values = {
                "type": "boat",
                **({"colour": colour} if colour else {}),
                **({"load": load} if load else {}),
            }
            part = render(nodes, values, WORDS, "the person")
            assert part is not None
            assert expression.match(part.text)
    assert not expression.match("he has a green boat")
    assert not expression.match("she has a boat")
