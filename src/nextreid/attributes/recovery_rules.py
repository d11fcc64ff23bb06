"""How captions that the grammar did not write are read: rules as data, one YAML file an object kind.

    words     attribute -> value -> other ways of writing it
    parts     a named stretch of words -> the attributes it tells of; `void`: what makes it tell nothing
    frames    whole sentences, as regular expressions with named parts; the first that fits counts
    phrases   pieces that are looked for in a sentence that no frame fits
    glue      words that belong to such a sentence and say nothing by themselves

In frames and phrases, not case-sensitive, `{subject}` stands for he, she, the person ..., `{attribute}` for
any way of writing one of its values, which it then states, and `{=attribute}` for the same without stating
it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nextreid.attributes.schema import BUILTIN, Schema
from nextreid.attributes.schema_file import Name
from nextreid.errors import InputError

DOUBT_BEFORE = (
    r"(?:(?<![\w-])(?:possibly|probably|likely|perhaps|maybe|or|no|(?:not|without)(?:\s+\w+ing)?|e\.g\.)(?![\w-])"
    r"|[/|])"
)
DOUBT_AFTER = r"(?:or(?![\w-])|[/|])"
"""Words before and after a value that take it back or leave it open (ours: those met in published captions,
and denials)."""

ASIDE = r"\([^()]*\)"
"""What stands in brackets is a comment on a value, not one: "dark (possibly black) jacket"."""


@dataclass(frozen=True)
class Part:
    """A stretch of words of a frame.

    Attributes:
        attributes: what it tells of.
        void: a regular expression; where it is found, the part tells nothing.
    """

    attributes: tuple[str, ...]
    void: str | None = None


@dataclass(frozen=True)
class Frame:
    """A sentence, or a phrase in one.

    Attributes:
        frame: regular expression with named parts.
        states: attribute -> value that it states by itself.
    """

    frame: str
    states: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecoveryRules:
    """The rules of one object kind.

    Attributes:
        kind: of the schema they belong to.
        words: attribute -> value -> other ways of writing it.
        parts: name -> part; a part named as an attribute tells of it unless it stands here.
        frames: whole sentences, the first that fits counts.
        phrases: pieces of other sentences; all of them are looked for.
        glue: words of such sentences that say nothing by themselves.
    """

    kind: str
    words: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    frames: tuple[Frame, ...] = ()
    phrases: tuple[Frame, ...] = ()
    glue: tuple[str, ...] = ()

    def part(self, name: str) -> Part:
        """Return a part; one that is not described tells of the attribute of its name."""
        return self.parts.get(name, Part((name,)))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _PartFile(_Strict):
    attributes: Annotated[list[Name], Field(min_length=1)]
    void: str | None = None


class _FrameFile(_Strict):
    frame: Annotated[str, Field(min_length=1)]
    states: dict[Name, str] = {}


class _RulesFile(_Strict):
    kind: Name
    words: dict[Name, dict[str, list[str]]] = {}
    parts: dict[Name, _PartFile] = {}
    frames: list[str | _FrameFile] = []
    phrases: list[str | _FrameFile] = []
    glue: list[str] = []


def rules_of(schema: Schema) -> RecoveryRules:
    """Return the rules for a schema: those shipped for its kind, or plain ones.

    Plain rules look for the values themselves, of every attribute that shares none of them with another.
    """
    if schema.kind in BUILTIN:
        return load_rules(schema.kind)
    written: dict[str, set[str]] = {}
    for attribute in schema.attributes:
        for text in attribute.values:
            written.setdefault(text.lower(), set()).add(attribute.name)
    shared = {name for names in written.values() if len(names) > 1 for name in names}
    phrases = (Frame(f"{{{attribute.name}}}") for attribute in schema.attributes)
    return RecoveryRules(schema.kind, phrases=tuple(p for p in phrases if p.frame[1:-1] not in shared))


def load_rules(name_or_path: str | Path) -> RecoveryRules:
    """Load the rules shipped for an object kind, or those of a YAML file.

    Raises:
        InputError: no such rules, or a file that cannot be read as rules, naming file and place.
    """
    if str(name_or_path) in BUILTIN:
        file = resources.files("nextreid.attributes") / "schemas" / f"{name_or_path}_recovery.yaml"
        text, source = file.read_text(encoding="utf-8"), f"{name_or_path}_recovery.yaml"
    else:
        path, source = Path(name_or_path), str(name_or_path)
        if not path.is_file():
            raise InputError(
                f"There are no recovery rules {source!r}",
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
    return _checked(values, source)


def _checked(values: Any, source: str) -> RecoveryRules:
    try:
        file = _RulesFile.model_validate(values)
    except ValidationError as error:
        faults = [f"{', '.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()]
        raise InputError(
            f"{source}: " + "; ".join(faults), allowed="kind, words, parts, frames, phrases, glue"
        ) from (error)
    for name, part in file.parts.items():
        _check_expression(part.void or "", f"{source}, parts, {name}")
    return RecoveryRules(
        file.kind,
        words={
            name: {value: tuple(texts) for value, texts in table.items()}
            for name, table in file.words.items()
        },
        parts={name: Part(tuple(part.attributes), part.void) for name, part in file.parts.items()},
        frames=tuple(_frame(frame, f"{source}, frames") for frame in file.frames),
        phrases=tuple(_frame(frame, f"{source}, phrases") for frame in file.phrases),
        glue=tuple(file.glue),
    )


def _frame(given: str | _FrameFile, where: str) -> Frame:
    frame = Frame(given) if isinstance(given, str) else Frame(given.frame, dict(given.states))
    _check_expression(re.sub(r"\{=?[a-z]\w*\}", "x", frame.frame), where)
    return frame


def _check_expression(expression: str, where: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise InputError(f"{where}: {expression!r} is not a regular expression ({error})") from error
