"""The attribute schema: what can be said about a kind of object, and in which modality it shows.

A schema is data. `load_schema("person")` reads the one shipped with the package,
`load_schema("boats.yaml")` a user's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from nextreid.attributes.coverage import check_templates
from nextreid.attributes.schema_file import SchemaFile, validated
from nextreid.attributes.template import Nodes, Words, parse
from nextreid.errors import InputError

BUILTIN = ("person", "vehicle")
"""Names of the schemas shipped with the package."""


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    Attributes:
        name: its name, unique in the schema.
        values: the allowed values.
        observable: modality -> 0..1, how well it can be seen there; left out or 0: not at all.
        words: how its values are written in sentences.
        per_image: it belongs to one picture (sharpness), not to the object or the moment: what another
            modality shows says nothing about it.
    """

    name: str
    values: tuple[str, ...]
    observable: Mapping[str, float]
    words: Words
    per_image: bool = False


@dataclass(frozen=True)
class Group:
    """Attributes that share a sentence: the subject of one semantic expert.

    Attributes:
        name: its name.
        identity: False for what belongs to the picture, not to the object (illumination, quality).
        generic: the sentence an expert hears where there is no caption.
        attributes: its attributes.
        sentences: variants of its sentence, as written; the first serves every subset of attributes.
        phrases: named parts of those sentences, as written.
    """

    name: str
    identity: bool
    generic: str
    attributes: tuple[Attribute, ...]
    sentences: tuple[str, ...]
    phrases: Mapping[str, str] = field(default_factory=dict)

    def parsed(self) -> tuple[Nodes, ...]:
        """Return the sentence variants as parsed templates.

        Raises:
            InputError: brackets that do not match, or an empty slot.
        """
        parts: dict[str, Nodes] = {}
        for name, text in self.phrases.items():
            parts[name] = parse(text, parts)
        return tuple(parse(text, parts) for text in self.sentences)


@dataclass(frozen=True)
class SubjectRule:
    """How sentences refer to the object.

    Attributes:
        attribute: the attribute that decides (gender), or None.
        forms: its value -> he, she.
        otherwise: where the value is not known: the person, the vehicle.
        again: replaces `otherwise` in every sentence but a caption's first (it), or None.
    """

    attribute: str | None = None
    forms: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "the object"
    again: str | None = None

    def write(self, values: Mapping[str, str], *, first: bool) -> str:
        """Return the words for `{subject}`."""
        known = values.get(self.attribute, "") if self.attribute else ""
        if known in self.forms:
            return self.forms[known]
        return self.again if self.again and not first else self.otherwise

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that `{subject}` can become."""
        return (*self.forms.values(), self.otherwise, *([self.again] if self.again else []))


@dataclass(frozen=True)
class Cue:
    """Where a group's words begin in a caption that this grammar did not write.

    Attributes:
        group: the group.
        cue: a regular expression, not case-sensitive, searched in one sentence.
    """

    group: str
    cue: str


@dataclass(frozen=True)
class Schema:
    """What can be said about one kind of object.

    Attributes:
        kind: person, vehicle, boat ...
        version: raised when values or groups change.
        groups: in the order of a caption's sentences.
        subject: how sentences refer to the object.
        reading: cues to cut published captions at group borders.
    """

    kind: str
    version: int
    groups: tuple[Group, ...]
    subject: SubjectRule = field(default_factory=SubjectRule)
    reading: tuple[Cue, ...] = ()

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes, group by group."""
        return tuple(attribute for group in self.groups for attribute in group.attributes)

    @property
    def identity_groups(self) -> tuple[Group, ...]:
        """The groups that describe the object itself: the default experts."""
        return tuple(group for group in self.groups if group.identity)

    def group(self, name: str) -> Group:
        """Return a group by name.

        Raises:
            InputError: no such group.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise InputError(
            f"{name!r} is not a group of the {self.kind} schema",
            allowed=", ".join(group.name for group in self.groups),
        )

    def attribute(self, name: str) -> Attribute:
        """Return an attribute by name.

        Raises:
            InputError: no such attribute.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise InputError(
            f"{name!r} is not an attribute of the {self.kind} schema",
            allowed=", ".join(attribute.name for attribute in self.attributes),
        )

    def group_of(self, attribute: str) -> Group:
        """Return the group that holds an attribute.

        Raises:
            InputError: no such attribute.
        """
        wanted = self.attribute(attribute)
        return next(group for group in self.groups if wanted in group.attributes)

    def observability(self, attribute: str, modality: str) -> float:
        """Return how well an attribute can be seen in a modality, 0..1 (0 for one not listed)."""
        return float(self.attribute(attribute).observable.get(modality, 0.0))

    def observable(self, attribute: str, modality: str) -> bool:
        """Tell whether an attribute can be seen in a modality at all."""
        return self.observability(attribute, modality) > 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain values, in the form of its YAML file."""
        return {
            "kind": self.kind,
            "version": self.version,
            "subject": {
                "attribute": self.subject.attribute,
                "forms": dict(self.subject.forms),
                "otherwise": self.subject.otherwise,
                "again": self.subject.again,
            },
            "groups": [_group_to_dict(group) for group in self.groups],
            "reading": [{"group": cue.group, "cue": cue.cue} for cue in self.reading],
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any], *, source: str = "attribute schema") -> "Schema":
        """Build a schema from plain values, with every check of `load_schema`.

        Args:
            values: as `to_dict` returns them, or as read from YAML.
            source: the file they come from, for messages.

        Raises:
            InputError: naming source, group and attribute.
        """
        return _build(validated(values, source), source)


def load_schema(name_or_path: str | Path) -> Schema:
    """Load a schema by the name of a shipped one, or from a YAML file.

    Raises:
        InputError: no such schema, YAML that cannot be read, or content that breaks a rule; it
            names file, group, attribute, and what is allowed.
    """
    if str(name_or_path) in BUILTIN:
        file = resources.files("nextreid.attributes") / "schemas" / f"{name_or_path}.yaml"
        text, source = file.read_text(encoding="utf-8"), f"{name_or_path}.yaml"
    else:
        path, source = Path(name_or_path), str(name_or_path)
        if not path.is_file():
            raise InputError(
                f"There is no attribute schema {source!r}",
                allowed=f"{', '.join(BUILTIN)}, or the path of a YAML file",
            )
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{source}: not a text file ({error})", allowed="YAML in UTF-8") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error
    return Schema.from_dict(values, source=source)


def _group_to_dict(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "identity": group.identity,
        "generic": group.generic,
        "attributes": [
            {
                "name": attribute.name,
                "values": list(attribute.values),
                "bare": sorted(attribute.words.bare),
                "forms": {form: dict(table) for form, table in attribute.words.forms.items()},
                "observable": dict(attribute.observable),
                "per_image": attribute.per_image,
            }
            for attribute in group.attributes
        ],
        "phrases": dict(group.phrases),
        "sentences": list(group.sentences),
    }


def _build(file: SchemaFile, source: str) -> Schema:
    groups = tuple(
        Group(
            name=group.name,
            identity=group.identity,
            generic=group.generic,
            attributes=tuple(
                Attribute(
                    attribute.name,
                    tuple(attribute.values),
                    dict(attribute.observable),
                    Words(tuple(attribute.values), dict(attribute.forms), frozenset(attribute.bare)),
                    attribute.per_image,
                )
                for attribute in group.attributes
            ),
            sentences=tuple(group.sentences),
            phrases=dict(group.phrases),
        )
        for group in file.groups
    )
    subject = SubjectRule(
        file.subject.attribute, dict(file.subject.forms), file.subject.otherwise, file.subject.again
    )
    reading = tuple(Cue(cue.group, cue.cue) for cue in file.reading)
    schema = Schema(file.kind, file.version, groups, subject, reading)
    for group in groups:
        where = f"{source}, group {group.name!r}"
        try:
            variants = group.parsed()
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        check_templates(variants, {a.name: a.words for a in group.attributes}, where=where)
    return schema
