"""Recovery rules as files: those shipped fit their schemas, a user's own is checked."""

from pathlib import Path

import pytest

from nextreid.attributes import Schema, load_schema
from nextreid.attributes.phrasebook import OUTSIDE
from nextreid.attributes.recovery import Recovery
from nextreid.attributes.recovery_rules import Frame, Part, RecoveryRules, load_rules, rules_of
from nextreid.errors import InputError

RULES = """
kind: flag
words: {colour: {red: [crimson, scarlet], outside: [teal]}}
parts: {cloth: {attributes: [colour, shape], void: '^no\\b'}}
frames:
  - 'a flag of (?P<cloth>.+)'
  - {frame: 'a bare pole', states: {shape: none at all}}
phrases: ['{colour} flag']
glue: [a, of]
"""


def flags() -> Schema:
    attributes = [
        {"name": "colour", "values": ["red", "blue"], "observable": {"rgb": 1.0}},
        {"name": "shape", "values": ["square", "none at all"], "observable": {"rgb": 1.0}},
    ]
    group = {
        "name": "cloth",
        "identity": True,
        "generic": "A flag.",
        "attributes": attributes,
        "sentences": ["[{colour} |][{shape} |]cloth"],
    }
    return Schema.from_dict({"kind": "flag", "version": 1, "groups": [group]})


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_shipped_rules_speak_of_what_the_schema_has(kind: str) -> None:
    rules, schema = load_rules(kind), load_schema(kind)
    assert rules == rules_of(schema)
    assert rules.kind == kind
    names = {attribute.name for attribute in schema.attributes}
    for name, table in rules.words.items():
        assert set(table) <= {*schema.attribute(name).values, OUTSIDE}, name
        told = [text.lower() for texts in table.values() for text in texts]
        assert len(told) == len(set(told)), f"{name}: a phrase means two values"
        assert not set(told) & {value.lower() for value in schema.attribute(name).values}, name
    for part in rules.parts.values():
        assert set(part.attributes) <= names
    for frame in (*rules.frames, *rules.phrases):
        for name, value in frame.states.items():
            assert value in schema.attribute(name).values
    reader = Recovery(schema)
    assert len(reader._frames) == len(rules.frames)
    assert len(reader._phrases) == len(rules.phrases)
    named = {name for expression, _ in (*reader._frames, *reader._phrases) for name in expression.groupindex}
    assert named <= names | set(rules.parts), "a part that tells of nothing"
    assert set(rules.parts) <= named, "a part that no frame has"


def test_rules_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "flag.yaml").write_text(RULES)
    rules = load_rules(tmp_path / "flag.yaml")
    assert rules.parts == {"cloth": Part(("colour", "shape"), r"^no\b")}
    assert rules.frames[1] == Frame("a bare pole", {"shape": "none at all"})
    reader = Recovery(flags(), rules)
    for caption, values in (
        ("A flag of crimson, and square.", {"colour": "red", "shape": "square"}),
        ("A flag of teal or red.", {}),
        ("A flag of no red.", {}),
        ("A flag of teal and blue.", {}),
        ("A bare pole.", {"shape": "none at all"}),
        ("Behind a flag: a scarlet flag.", {"colour": "red"}),
        ("Crimson is a colour.", {}),
        ("Red square cloth.", {"colour": "red", "shape": "square"}),
    ):
        assert reader.read(caption).values == values, caption


def test_rules_of_a_kind_serve_a_schema_with_other_values_and_attributes() -> None:
    """A user's person schema without hair and with fewer garments: the rest is read, nothing invented."""
    values = load_schema("person").to_dict()
    values["groups"] = [group for group in values["groups"] if group["name"] != "hair"]
    clothing = next(group for group in values["groups"] if group["name"] == "clothing")
    clothing["attributes"][0]["values"] = ["coat", "sweater"]
    values["reading"] = []
    reader = Recovery(Schema.from_dict(values))
    said = (
        "He is wearing a {} with black jeans, paired with casual boots. Short hair and not wearing glasses."
    )
    assert "upper" not in reader.read(said.format("hooded sweatshirt")).values
    assert reader.read(said.format("jumper")).values == {
        "gender": "male",
        "upper": "sweater",
        "lower": "jeans",
        "lower_colour": "black",
        "shoes": "casual boots",
    }


def test_a_kind_without_rules_has_plain_ones() -> None:
    assert rules_of(flags()) == RecoveryRules("flag", phrases=(Frame("{colour}"), Frame("{shape}")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not valid YAML"),
        ("- kind", "flag.yaml"),
        ("kind: flag\nrules: []", r"rules: .*Allowed: kind, words, parts, frames, phrases"),
        ("frames: []", "kind: Field required"),
        ("kind: flag\nparts: {cloth: {attributes: []}}", "parts, cloth, attributes"),
        ("kind: flag\nframes: ['(']", r"frames: '\(' is not a regular expression"),
        ("kind: flag\nphrases: ['{colour} (']", "phrases: .* is not a regular expression"),
        (
            "kind: flag\nparts: {cloth: {attributes: [colour], void: '('}}",
            r"parts, cloth: '\(' is not a regular",
        ),
    ],
)
def test_rules_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "flag.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        load_rules(tmp_path / "flag.yaml")


def test_rules_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="person, vehicle, or the path"):
        load_rules(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not a text file"):
        load_rules(tmp_path / "bytes.yaml")
