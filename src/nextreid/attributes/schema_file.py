"""The form of a schema file: what each field may hold, and messages that name the place."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nextreid.errors import InputError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Words = Annotated[str, Field(min_length=1, pattern=r"^[^{}\[\]|<>]+$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

MAX_ATTRIBUTES = 10
"""Attributes in one group (ours: a sentence that says more is not a sentence, and every subset is tried)."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AttributeFile(_Strict):
    """One attribute as written in the file."""

    name: Name
    values: Annotated[list[Words], Field(min_length=2)]
    bare: list[Words] = []
    forms: dict[Name, dict[Words, Words]] = {}
    observable: dict[Name, Share]
    per_image: bool = False

    @model_validator(mode="after")
    def _known_values(self) -> "AttributeFile":
        lowered = [value.lower() for value in self.values]
        twice = sorted({value for value in self.values if lowered.count(value.lower()) > 1})
        if twice:
            raise ValueError(f"values named twice: {', '.join(twice)}")
        for place, given in [("bare", self.bare), *((f"forms, {k}", list(v)) for k, v in self.forms.items())]:
            strange = [value for value in given if value not in self.values and value != "otherwise"]
            if strange:
                raise ValueError(f"{place}: {', '.join(strange)} is not one of {', '.join(self.values)}")
        if not any(share > 0 for share in self.observable.values()):
            raise ValueError("observable: no modality above 0, so it could never be stated")
        return self


class GroupFile(_Strict):
    """One group as written in the file."""

    name: Name
    identity: bool
    generic: Words
    attributes: Annotated[list[AttributeFile], Field(min_length=1, max_length=MAX_ATTRIBUTES)]
    phrases: dict[Name, str] = {}
    sentences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _phrase_names(self) -> "GroupFile":
        taken = {attribute.name for attribute in self.attributes} | {"subject"}
        clash = sorted(taken & set(self.phrases))
        if clash:
            raise ValueError(f"phrases: {', '.join(clash)} is already the name of an attribute, or reserved")
        return self


class SubjectFile(_Strict):
    """How sentences refer to the object, as written in the file."""

    attribute: Name | None = None
    forms: dict[Words, Words] = {}
    otherwise: Words = "the object"
    again: Words | None = None


class CueFile(_Strict):
    """One reading cue as written in the file."""

    group: Name
    cue: Annotated[str, Field(min_length=1)]

    @field_validator("cue")
    @classmethod
    def _compiles(cls, cue: str) -> str:
        try:
            compiled = re.compile(cue)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from error
        if compiled.match(""):
            raise ValueError("matches an empty text")
        return cue


class SchemaFile(_Strict):
    """A whole schema file."""

    kind: Name
    version: Annotated[int, Field(ge=1)]
    subject: SubjectFile = SubjectFile()
    groups: Annotated[list[GroupFile], Field(min_length=1)]
    reading: list[CueFile] = []

    @model_validator(mode="after")
    def _names_once(self) -> "SchemaFile":
        groups = [group.name for group in self.groups]
        attributes = {a.name: a for group in self.groups for a in group.attributes}
        for what, names in (
            ("group", groups),
            ("attribute", [a.name for group in self.groups for a in group.attributes]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} named twice: {', '.join(twice)}")
        rule = self.subject
        if rule.attribute is not None:
            if rule.attribute not in attributes:
                raise ValueError(f"subject: {rule.attribute!r} is not one of {', '.join(attributes)}")
            strange = [value for value in rule.forms if value not in attributes[rule.attribute].values]
            if strange:
                allowed = ", ".join(attributes[rule.attribute].values)
                raise ValueError(f"subject, forms: {', '.join(strange)} is not one of {allowed}")
        for cue in self.reading:
            if cue.group not in groups:
                raise ValueError(f"reading: {cue.group!r} is not one of the groups {', '.join(groups)}")
        return self


def validated(values: Any, source: str) -> SchemaFile:
    """Check the content of a schema file.

    Args:
        values: what the YAML holds.
        source: the file, for messages.

    Raises:
        InputError: with every fault: file, group, attribute, field, what is given, what is allowed.
    """
    if not isinstance(values, Mapping):
        raise InputError(
            f"{source}: holds {type(values).__name__}, not a schema",
            allowed="a mapping with kind, version, groups (and subject, reading)",
        )
    try:
        return SchemaFile.model_validate(dict(values))
    except ValidationError as error:
        faults = [_sentence(values, fault) for fault in _mistyped(error.errors())]
        raise InputError(f"{source}: " + "; ".join(faults)) from error


_FORMS: Mapping[str, type[BaseModel]] = {
    "": SchemaFile,
    "subject": SubjectFile,
    "groups": GroupFile,
    "attributes": AttributeFile,
    "reading": CueFile,
}
"""What a key of the file holds, itself or in a list; "": the file."""


def _mistyped(faults: Sequence[Any]) -> list[Any]:
    """Say of each unknown key what it stands for; a key that is missing for it is no fault of its own."""
    missing = {fault["loc"] for fault in faults if fault["type"] == "missing"}
    found = []
    for fault in faults:
        if fault["type"] == "extra_forbidden":
            above, key = fault["loc"][:-1], str(fault["loc"][-1])
            owner = next((name for name in reversed(above) if isinstance(name, str)), "")
            known = list(_FORMS[owner].model_fields)
            lacking = [name for name in known if (*above, name) in missing]
            near = get_close_matches(key, lacking, n=1, cutoff=0.5) or get_close_matches(key, known, n=1)
            missing -= {(*above, name) for name in near}
            meant = f"the nearest is {near[0]!r}" if near else f"allowed: {', '.join(known)}"
            found.append(
                {"type": "unknown key", "loc": above, "input": {}, "msg": f"no key {key!r} ({meant})"}
            )
        else:
            found.append(fault)
    return [fault for fault in found if fault["type"] != "missing" or fault["loc"] in missing]


def _sentence(values: Mapping[str, Any], fault: Any) -> str:
    """Write one fault with its place in words: group 'hair', attribute 'glasses', values."""
    place, at = [], values
    location = tuple(fault["loc"])
    for index, key in enumerate(location):
        if key == "[key]":
            place.append("name")
            continue
        owner = location[index - 1] if index else ""
        try:
            at = at[key]
        except (KeyError, IndexError, TypeError):
            at = {}
        if isinstance(key, int):
            name = at.get("name", key + 1) if isinstance(at, Mapping) else key + 1
            kind = {"groups": "group", "attributes": "attribute"}.get(str(owner), "entry")
            place[-1] = f"{kind} {name!r}" if kind != "entry" else f"{place[-1]} entry {key + 1}"
        else:
            place.append(str(key))
    given = fault.get("input")
    shown = (
        ""
        if isinstance(given, Mapping | list | BaseModel) or fault["type"] == "missing"
        else f" (given {given!r})"
    )
    hint = (
        " (quote it: YAML reads a bare on, off, yes and no as true or false)"
        if isinstance(given, bool)
        else ""
    )
    message = "missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, [", ".join(place), message + shown + hint]))
