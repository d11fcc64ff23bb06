"""Advice about schemas: the shipped ones and the example need none, each mistake is found."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nextreid.attributes import Schema, load_schema
from nextreid.attributes.advice import advise

BOATS = Path(__file__).parents[2] / "examples" / "boats.yaml"


def small(**changes: Any) -> Schema:
    """A schema of one group with two attributes, changed where the test says."""
    group = {
        "name": "who",
        "identity": True,
        "generic": "A dog seen in full.",
        "attributes": [
            {"name": "size", "values": ["small", "large"], "observable": {"rgb": 1.0}},
            {"name": "coat", "values": ["short", "curly"], "observable": {"rgb": 1.0, "tir": 0.5}},
        ],
        "sentences": ["A {size} dog[ with {coat} fur|]", "A dog[ with {coat} fur|][ of {size} size|]"],
    }
    group["sentences"][0] = "[A {size} dog with {coat} fur|A {size} dog|A dog with {coat} fur]"
    group.update(changes)
    return Schema.from_dict({"kind": "dog", "version": 1, "groups": [group]})


def said(schema: Schema) -> list[str]:
    return [f"{entry.where}: {entry.what}" for entry in advise(schema)]


@pytest.mark.parametrize("name", ["person", "vehicle", str(BOATS)])
def test_there_is_nothing_to_say_of_ours(name: str) -> None:
    assert said(load_schema(name)) == []


def test_the_small_one_is_fine_as_it_is() -> None:
    assert said(small()) == []


def attributes(**changes: Any) -> list[dict[str, Any]]:
    one = {"name": "size", "values": ["small", "large"], "observable": {"rgb": 1.0}} | changes
    return [one, {"name": "coat", "values": ["short", "curly"], "observable": {"rgb": 1.0, "tir": 0.5}}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"attributes": attributes(values=["small", "unknown"])}, "value 'unknown': it counts as a caption"),
        ({"attributes": attributes(values=["small", "none at all"])}, "does not know"),
        ({"attributes": attributes(observable={"rgb": 1.0, "thermal": 1.0})}, "thermal: not one of rgb"),
        (
            {"attributes": attributes(forms={"long": {"small": "little"}})},
            "attribute 'size', forms: no sentence uses long",
        ),
        (
            {
                "attributes": attributes(forms={"long": {"small": "little in size"}}),
                "sentences": [
                    "[A {size} dog with {coat} fur|A {size} dog|A dog with {coat} fur]",
                    "A {size.long} dog[ with {coat} fur|]",
                ],
            },
            "attribute 'size', form 'long': it lacks large: {size.long} is written 'large' there",
        ),
        ({"generic": "A small dog."}, "generic: it says 'small'"),
        ({"phrases": {"dog": "{size} dog"}}, "phrases: no sentence uses dog"),
        (
            {
                "sentences": [
                    "[A {size} dog with {coat} fur|A {size} dog|A dog with {coat} fur]",
                    "A {coat} one",
                ]
            },
            "sentence 2: it says nothing of size",
        ),
        (
            {
                "sentences": [
                    "[A {size} dog with {coat} fur|A {size} dog|A dog with {coat} fur]" + " and so on" * 20
                ]
            },
            "a sentence of",
        ),
    ],
)
def test_each_mistake_is_found(changes: dict[str, Any], expected: str) -> None:
    found = said(small(**changes))
    assert any(expected in line for line in found), found


def test_two_values_written_alike_are_found() -> None:
    forms = {"word": {"small": "little", "large": "little"}}
    sentences = ["[A {size.word} dog with {coat} fur|A {size.word} dog|A dog with {coat} fur]"]
    found = said(small(attributes=attributes(forms=forms), sentences=sentences))
    assert any("size" in line and "is read back as" in line for line in found), found


def test_a_picture_is_no_identity() -> None:
    single = [{**entry, "per_image": True} for entry in attributes()]
    assert any("identity: true" in line for line in said(small(attributes=single)))
    assert not any("identity: true" in line for line in said(small(attributes=single, identity=False)))


def test_the_example_is_what_it_says(tmp_path: Path) -> None:
    """The file's own remarks name every key that it uses."""
    text = BOATS.read_text()
    remarks = text[: text.index("kind: boat")]
    values = yaml.safe_load(text)
    for key in ("kind", "groups", "identity", "values", "observable", "sentences", "per_image"):
        assert key in remarks, key
    assert set(values) == {"kind", "version", "subject", "groups"}
