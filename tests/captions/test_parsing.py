"""Replies, good, sloppy and hostile, become claims in the schema's words and faults, and nothing else."""

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.attributes.schema import load_schema
from nextreid.captions.answers import Answer, Reply
from nextreid.captions.lenient_json import find_json
from nextreid.captions.log import LONGEST
from nextreid.captions.parsing import ReplyReader, parse_reply, shown
from nextreid.captions.prompting import HIDDEN, answer_schema, askable, instructions
from nextreid.errors import InputError

SCHEMA = load_schema("person")
READER = ReplyReader(SCHEMA)


def read(raw: str, modality: str = "rgb", **more: object) -> Answer:
    return READER.read(Reply("answered", raw=raw, **more), observation="o", modality=modality, model="m")


def values(answer: Answer) -> dict[str, str]:
    return {name: claim.value for name, claim in answer.claims.items()}


def reasons(answer: Answer) -> list[str]:
    return [fault.reason for fault in answer.faults if fault.reason != "missing"]


def test_a_good_answer() -> None:
    whole = {a.name: {"value": a.values[-1], "confidence": 0.75} for a in SCHEMA.attributes}
    answer = read(json.dumps(whole))
    assert answer.faults == ()
    assert values(answer) == {a.name: a.values[-1] for a in SCHEMA.attributes}
    assert list(answer.claims) == [a.name for a in SCHEMA.attributes]
    assert {claim.confidence for claim in answer.claims.values()} == {0.75}
    one = parse_reply(
        Reply("answered", json.dumps(whole)), schema=SCHEMA, observation="o", modality="rgb", model="m"
    )
    assert one == answer


GENDER = '{"gender": {"value": "male", "confidence": 0.9}}'


@pytest.mark.parametrize(
    ("raw", "told", "faults"),
    [
        (GENDER, {"gender": "male"}, []),
        (f"```json\n{GENDER}\n```", {"gender": "male"}, []),
        (f"<think>{{maybe}}</think> So: {GENDER}", {"gender": "male"}, ["prose around json"]),
        ('{"a": 1} then ' + GENDER, {"gender": "male"}, ["prose around json"]),
        (f'{{"answer": {GENDER}}}', {"gender": "male"}, []),
        (f'{{"answer": {GENDER}, "note": "x"}}', {"gender": "male"}, []),
        (f"[{GENDER}]", {"gender": "male"}, []),
        ('[{"attribute": "gender", "value": "male", "confidence": 1}]', {"gender": "male"}, []),
        ('{"who": {"gender": {"value": "male", "confidence": 1}}}', {"gender": "male"}, []),
        ('{"gender": "male"}', {"gender": "male"}, ["bad confidence"]),
        ('{"Gender": {"value": " MALE. ", "confidence": 1}}', {"gender": "male"}, []),
        ('{"hair-length": {"value": "Long", "confidence": 1}}', {"hair_length": "long"}, []),
        ('{"carrying": {"value": "a backpack", "confidence": 1}}', {"carrying": "backpack"}, []),
        ('{"upper": {"value": "T Shirt", "confidence": 1}}', {"upper": "t-shirt"}, []),
        ("{'gender': {'value': 'male', 'confidence': .9},}", {"gender": "male"}, ["malformed"]),
        ("{gender: {value: male, confidence: 0.9}}", {"gender": "male"}, ["malformed"]),
        ('{"gender": {"value": "male", "confidence": 0.9', {"gender": "male"}, ["malformed"]),
        ('{"gender": {"value": "male", "confidence": 0.9}, "age": {"va', {"gender": "male"}, ["malformed"]),
        ('{"gender": "male", "age": ', {"gender": "male"}, ["malformed", "bad confidence"]),
        ('{"gender": {"value": "octarine", "confidence": 1}}', {}, ["value not allowed"]),
        ('{"gender": {"value": ["male"], "confidence": 1}}', {}, ["value not allowed"]),
        ('{"gender": {"value": 1, "confidence": 1}}', {}, ["value not allowed"]),
        ('{"gender": {"value": {"value": "male"}, "confidence": 1}}', {}, ["value not allowed"]),
        ('{"gender": {"value": "male\\u0000", "confidence": 1}}', {}, ["value not allowed"]),
        ('{"gender": {"value": "unknown", "confidence": 1}}', {}, ["hidden"]),
        ('{"gender": {"value": null}}', {}, ["hidden"]),
        ('{"gender": null, "colour": 1}', {}, ["hidden", "unknown attribute"]),
        ("", {}, ["empty"]),
        (" \n ", {}, ["empty"]),
        ("male", {}, ["malformed"]),
        ("[]", {}, ["malformed"]),
        ("17", {}, ["malformed"]),
        ("I\u2019m sorry, I cannot help.", {}, ["refused"]),
        ("I cannot identify people.", {}, ["refused"]),
    ],
)
def test_sloppy_answers(raw: str, told: dict[str, str], faults: list[str]) -> None:
    answer = read(raw)
    assert values(answer) == told
    assert reasons(answer) == faults
    assert answer.outcome == ("refused" if faults == ["refused"] else "answered")


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("0.25", 0.25),
        ("0", 0.0),
        ("1", 1.0),
        ('"high"', 0.75),
        ('"Very Low"', 0.1),
        ('"0.7"', 0.7),
        ('"85%"', 0.85),
        ('"0.5 %"', 0.005),
        ("85", 0.85),
        ("1.7", 0.5),
        ("7", 0.5),
        ("-1", 0.5),
        ("101", 0.5),
        ("1e999", 0.5),
        ("NaN", 0.5),
        ("true", 0.5),
        ("null", 0.5),
        ("[1]", 0.5),
        ('"sure"', 0.5),
        ("1" + "0" * 400, 0.5),
    ],
)
def test_confidences(stated: str, meant: float) -> None:
    answer = read(f'{{"gender": {{"value": "male", "confidence": {stated}}}}}')
    assert answer.claims["gender"].confidence == pytest.approx(meant)
    clean = stated in ("0.25", "0", "1")
    assert [f.used for f in answer.faults if f.reason == "bad confidence"] == ([] if clean else [True])


def test_of_two_values_the_last_counts_and_both_are_told() -> None:
    twice = read(
        '{"gender": {"value": "male", "confidence": 1}, "gender": {"value": "female", "confidence": 1}}'
    )
    assert values(twice) == {"gender": "female"}
    assert reasons(twice) == ["malformed"]
    spelt = read(
        '{"gender": {"value": "male", "confidence": 1}, "Gender": {"value": "female", "confidence": 1}}'
    )
    assert values(spelt) == {"gender": "male"}
    assert reasons(spelt) == ["malformed"]


def test_what_a_modality_cannot_show_is_not_claimed() -> None:
    colour = '{"upper_colour": {"value": "red", "confidence": 1}, "illumination": {"value": "unknown"}}'
    answer = read(colour, "tir")
    assert values(answer) == {}
    assert reasons(answer) == ["not observable"]
    assert {f.attribute for f in answer.faults if f.reason == "missing"} == {
        a.name for a in askable(SCHEMA, "tir")
    }
    assert values(read(colour, "rgb")) == {"upper_colour": "red"}


def test_token_confidence_is_combined_by_the_geometric_mean() -> None:
    for tokens, expected in ((0.4, math.sqrt(0.36)), (0.0, 0.0), (7.0, math.sqrt(0.9)), (-1.0, 0.0)):
        claim = read(GENDER, token_confidence={"gender": tokens, "age": 0.1}).claims["gender"]
        assert claim.confidence == pytest.approx(expected)


def test_replies_that_are_none() -> None:
    for outcome in ("refused", "failed"):
        reply = Reply(outcome, raw=GENDER, error="because\x1b[31m")
        answer = READER.read(reply, observation="o", modality="rgb", model="m")
        assert (answer.outcome, dict(answer.claims)) == (outcome, {})
        assert [(f.reason, f.given) for f in answer.faults] == [(outcome, "because\\x1b[31m")]


HOSTILE = {
    "a megabyte": GENDER + " " * 1_000_000,
    "just too long": GENDER + " " * LONGEST,
    "brackets": "[" * 60_000,
    "braces": "{" * 60_000,
    "nested": '{"a":' * 9_000 + "1" + "}" * 9_000,
    "nested answer": '{"gender":' * 6_000,
    "quotes": '"' * 60_000,
    "backslashes": '{"gender": "' + "\\" * 60_000,
    "commas": "{," * 30_000,
    "many keys": json.dumps({f"k{n}": n for n in range(6_000)} | {"gender": "male"}),
    "a long number": '{"gender": {"value": "male", "confidence": ' + "9" * 6_000 + "}}",
    "a long key": '{"' + "k" * 60_000 + '": 1, "gender": "male"}',
    "mixed": "[{" * 30_000,
    "odd quotes": "'{" * 30_000,
    "remarks": "{//" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_cost_neither_time_nor_a_crash(name: str) -> None:
    start = time.process_time()
    answer = read(HOSTILE[name])
    assert time.process_time() - start < 2.0
    assert values(answer) in ({}, {"gender": "male"})
    assert 1 <= len(answer.faults) < 60
    assert all(len(fault.given) <= 80 for fault in answer.faults)


NASTY = st.text(max_size=60) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "\x00",
        "\ud800",
        "\u202e",
        "{subject}",
        "'; DROP",
        "male",
        "unknown",
        GENDER,
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([a.name for a in SCHEMA.attributes]) | NASTY,
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | NASTY,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.fixed_dictionaries({"value": inner, "confidence": inner})
                | st.dictionaries(NASTY, inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=6,
    ),
    st.sampled_from(["rgb", "nir", "tir", "depth"]),
    st.integers(0, 400),
)
def test_whatever_comes_only_the_schemas_words_leave(entries: dict, modality: str, cut: int) -> None:
    text = json.dumps(entries)
    for raw in (
        text,
        text[:cut],
        f"Well, {text}",
        text.replace('"', "'"),
        json.dumps(entries, ensure_ascii=False),
    ):
        answer = read(raw, modality)
        for name, claim in answer.claims.items():
            assert claim.value in SCHEMA.attribute(name).values
            assert SCHEMA.observable(name, modality)
            assert 0.0 <= claim.confidence <= 1.0
        for fault in answer.faults:
            assert fault.given.isascii()
            assert fault.given.isprintable() or fault.given == ""


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="{}[]\",:\\'` \n/ab01nullmale", max_size=200))
def test_lenient_reading_ends_and_agrees_with_json(text: str) -> None:
    found = find_json(text, lambda value: isinstance(value, dict | list))
    try:
        strict = json.loads(text)
    except ValueError:
        return
    if isinstance(strict, dict | list) and found is not None and not text.strip().startswith("`"):
        assert found.value == strict
        assert not found.repaired


def test_what_a_fault_shows() -> None:
    assert shown("a\x1b\u202e<b>\n") == "a\\x1b\\u202e<b>\\n"
    assert shown("\ud800") == "\\ud800"
    assert len(shown("\x00" * 500)) == 80
    assert shown(["x"] * 99).startswith("['x'")


def test_every_schema_value_is_read_back_even_one_that_sounds_hidden() -> None:
    for kind in ("person", "vehicle"):
        schema = load_schema(kind)
        reader = ReplyReader(schema)
        for attribute in schema.attributes:
            for value in attribute.values:
                raw = json.dumps({attribute.name: {"value": value, "confidence": 1}})
                for modality in (m for m, share in attribute.observable.items() if share):
                    reply = Reply("answered", raw=raw)
                    answer = reader.read(reply, observation="o", modality=modality, model="m")
                    assert values(answer) == {attribute.name: value}


def test_prompts_ask_for_what_a_modality_shows_and_no_more() -> None:
    for kind in ("person", "vehicle"):
        schema = load_schema(kind)
        for modality in ("rgb", "nir", "tir"):
            words, form = instructions(schema, modality), answer_schema(schema, modality)
            assert list(form["properties"]) == [a.name for a in askable(schema, modality)] == form["required"]
            for attribute in schema.attributes:
                line = f"- {attribute.name}: {' | '.join(attribute.values)}"
                seen = schema.observable(attribute.name, modality)
                assert (line in words) == seen == (attribute.name in form["properties"])
                if seen:
                    entry = form["properties"][attribute.name]
                    assert entry["properties"]["value"]["enum"] == [*attribute.values, HIDDEN]
                    assert entry["additionalProperties"] is False
            assert "JSON" in words
    with pytest.raises(InputError, match="depth"):
        instructions(load_schema("person"), "depth")
