"""Schemas: those shipped, a user's own, and what the loader refuses."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextreid.attributes import Grammar, Schema, load_schema
from nextreid.errors import InputError

BOATS: dict[str, Any] = {
    "kind": "boat",
    "version": 1,
    "groups": [
        {
            "name": "hull",
            "identity": True,
            "generic": "A boat on the water.",
            "attributes": [
                {"name": "colour", "values": ["orange", "white"], "observable": {"rgb": 1.0}},
                {"name": "type", "values": ["yacht", "ferry"], "observable": {"rgb": 1.0, "tir": 0.5}},
            ],
            "sentences": ["<[{colour} |][{type}|boat]>"],
        },
        {
            "name": "sails",
            "identity": True,
            "generic": "The sails of a boat.",
            "attributes": [
                {"name": "sails", "values": ["set", "furled"], "observable": {"rgb": 1.0, "depth": 0.2}}
            ],
            "sentences": ["The sails of {subject} are {sails}"],
        },
    ],
}


def changed(*path: Any, to: Any = None, remove: bool = False) -> dict[str, Any]:
    values = copy.deepcopy(BOATS)
    at: Any = values
    for key in path[:-1]:
        at = at[key]
    if remove:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return values


def test_person_schema_has_the_agreed_groups_and_names() -> None:
    schema = load_schema("person")
    assert [g.name for g in schema.groups] == ["who", "light", "clothing", "hair", "carrying", "quality"]
    assert [g.name for g in schema.identity_groups] == ["who", "clothing", "hair", "carrying"]
    assert [a.name for a in schema.group("clothing").attributes] == [
        "upper",
        "upper_colour",
        "lower",
        "lower_colour",
        "shoes",
    ]
    assert "nothing" in schema.attribute("carrying").values


def test_vehicle_schema_has_the_agreed_groups() -> None:
    schema = load_schema("vehicle")
    assert [g.name for g in schema.groups] == ["who", "light", "body", "front", "build", "fittings"]
    assert [g.name for g in schema.identity_groups] == ["who", "body", "front", "build", "fittings"]


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_colour_is_seen_in_rgb_alone(kind: str) -> None:
    schema = load_schema(kind)
    colours = [a.name for a in schema.attributes if "colour" in a.name]
    assert colours
    for name in colours:
        assert schema.observable(name, "rgb")
        assert not schema.observable(name, "nir")
        assert not schema.observable(name, "tir")
    for name in ("illumination", "time_of_day"):
        assert not schema.observable(name, "tir"), "thermal pictures have no light"


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_a_schema_survives_json(kind: str) -> None:
    schema = load_schema(kind)
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_look_ups() -> None:
    schema = load_schema("person")
    assert schema.group_of("glasses").name == "hair"
    assert schema.observability("shoes", "tir") < schema.observability("shoes", "rgb")
    assert schema.observability("shoes", "sonar") == 0.0
    with pytest.raises(InputError, match=r"'wings'.*age, gender"):
        schema.attribute("wings")
    with pytest.raises(InputError, match=r"'wings'.*who, light"):
        schema.group("wings")


def test_a_schema_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "boats.yaml"
    file.write_text(yaml.safe_dump(BOATS))
    schema = load_schema(file)
    grammar = Grammar(schema)
    assert grammar.caption({"colour": "orange", "sails": "set"}) == (
        "An orange boat. The sails of the object are set."
    )
    assert [s.group for s in grammar.read("A white ferry. The sails of the object are furled.")] == [
        "hull",
        "sails",
    ]
    assert schema.observable("sails", "depth")


FAULTS = [
    (
        changed("groups", 0, "attributes", 0, "values", to=["red"]),
        r"boats.yaml: group 'hull', attribute 'colour', values",
    ),
    (changed("groups", 0, "attributes", 0, "values", to=["red", "Red"]), r"'colour'.*named twice: Red, red"),
    (
        changed("groups", 1, "attributes", 0, "values", to=[True, False]),
        r"'sails'.*\(given True\) \(quote it",
    ),
    (changed("groups", 0, "attributes", 1, "observable", to={"rgb": 1.5}), r"'type', observable, rgb.*1.5"),
    (changed("groups", 0, "attributes", 1, "observable", to={"rgb": 0.0}), r"'type'.*no modality above 0"),
    (
        changed("groups", 0, "attributes", 1, "observed", to={}),
        r"'type': no key 'observed' \(the nearest is 'observable'\)",
    ),
    (
        changed("groups", 0, "attributes", 1, "bare", to=["rafts"]),
        r"'type'.*bare: rafts is not one of yacht, ferry",
    ),
    (
        changed("groups", 0, "attributes", 1, "forms", to={"x": {"raft": "y"}}),
        r"forms, x: raft is not one of",
    ),
    (changed("groups", 1, "name", to="hull"), r"group named twice: hull"),
    (changed("groups", 1, "attributes", 0, "name", to="type"), r"attribute named twice: type"),
    (changed("groups", 0, "identity", remove=True), r"group 'hull', identity: missing"),
    (changed("groups", 0, "generic", to=""), r"group 'hull', generic"),
    (changed("groups", to=[]), r"groups: "),
    (changed("version", to="1"), r"version.*'1'"),
    (changed("kind", remove=True), r"kind: missing"),
    (changed("subject", to={"attribute": "gender"}), r"subject: 'gender' is not one of colour, type, sails"),
    (
        changed("reading", to=[{"group": "mast", "cue": "mast"}]),
        r"'mast' is not one of the groups hull, sails",
    ),
    (changed("reading", to=[{"group": "hull", "cue": "("}]), r"not a regular expression"),
    (changed("reading", to=[{"group": "hull", "cue": "x*"}]), r"matches an empty text"),
    (changed("groups", 0, "sentences", to=["{colour"]), r"group 'hull': Template"),
    (changed("groups", 0, "sentences", to=["{colour} {length}"]), r"slot \{length\}.*colour, type"),
    (changed("groups", 0, "sentences", to=["[{colour=blue}x|y]"]), r"colour='blue'.*orange, white"),
    (changed("groups", 0, "sentences", to=["{colour.dark}"]), r"form 'dark' of 'colour'"),
    (
        changed("groups", 0, "sentences", to=["A {colour} {type}"]),
        r"cannot speak of colour when only colour is known",
    ),
    (changed("groups", 0, "sentences", to=["A boat[ in {colour}|]"]), r"cannot speak of type when only type"),
    (changed("groups", 0, "phrases", to={"type": "x"}), r"phrases: type is already the name"),
]


@pytest.mark.parametrize(("values", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults_name_file_group_and_attribute(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    file = tmp_path / "boats.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=message) as caught:
        load_schema(file)
    assert "boats.yaml" in str(caught.value)


def test_files_that_are_no_schema(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no attribute schema 'persons'.*person, vehicle"):
        load_schema("persons")
    file = tmp_path / "x.yaml"
    file.write_text("- 1\n- 2\n")
    with pytest.raises(InputError, match=r"x.yaml: holds list"):
        load_schema(file)
    file.write_text("kind: [boat\n")
    with pytest.raises(InputError, match=r"x.yaml: not valid YAML"):
        load_schema(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"x.yaml: not a text file"):
        load_schema(file)


def test_a_mistyped_key_is_said_once_with_the_nearest() -> None:
    values = changed("groups", 0, "sentences", remove=True)
    values["groups"][0]["sentances"] = ["A boat."]
    with pytest.raises(InputError) as raised:
        Schema.from_dict(values, source="boats.yaml")
    assert str(raised.value) == "boats.yaml: group 'hull': no key 'sentances' (the nearest is 'sentences')."
