"""Read YAML files and command-line options into a tree of dataclasses, strictly.

An unknown key is an error that names the nearest known one and the file and line (or the option) that
holds it; so is a value of a wrong type, a key given twice, and an option that would have no effect.
"""

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from nextreid.errors import InputError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One value for one key, and where it was given.

    Attributes:
        key: e.g. `model.rho`.
        value: as read.
        where: e.g. `rgbnt201.yaml, line 4` or `option --model.rho`.
    """

    key: str
    value: object
    where: str


def read_yaml(path: Path) -> tuple[Setting, ...]:
    """Read a YAML file into settings.

    Raises:
        InputError: no such file, no YAML, no mapping, or a key given twice.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Configuration file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if node is None:
        return ()
    settings = tuple(_flatten(node, (), path))
    seen: dict[str, str] = {}
    for setting in settings:
        if setting.key in seen:
            raise InputError(f"{setting.where}: {setting.key} is given twice, before in {seen[setting.key]}")
        seen[setting.key] = setting.where
    return settings


def _flatten(node: yaml.Node, prefix: tuple[str, ...], path: Path) -> Iterable[Setting]:
    where = f"{path.name}, line {node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        if not prefix:
            raise InputError(f"{where}: a configuration is `section: {{option: value}}`, not a single value")
        constructor = yaml.SafeLoader("")
        yield Setting(".".join(prefix), constructor.construct_object(node, deep=True), where)
        return
    for key, value in node.value:
        yield from _flatten(value, (*prefix, str(key.value)), path)


def read_options(tokens: Sequence[str]) -> tuple[Setting, ...]:
    """Read `--section.option value` and `--section.option=value` into settings.

    Raises:
        InputError: a token that is no such option, or an option without a value.
    """
    settings: list[Setting] = []
    remaining = list(tokens)
    while remaining:
        token = remaining.pop(0)
        if not token.startswith("--"):
            raise InputError(
                f"{token!r} on the command line belongs to no option",
                allowed="--section.option value, e.g. --train.epochs 20",
            )
        name, equals, value = token[2:].partition("=")
        if not equals:
            if not remaining or remaining[0].startswith("--"):
                raise InputError(f"Option --{name} has no value", allowed=f"--{name} VALUE")
            value = remaining.pop(0)
        settings.append(Setting(name, value, f"option --{name}"))
    return tuple(settings)


def resolve(tree: type[T], settings: Iterable[Setting], *, options: Iterable[str] = ()) -> T:
    """Build a tree of dataclasses from its defaults and settings; the later ones win.

    Args:
        tree: a frozen dataclass whose fields have defaults or are sections (dataclasses too).
        settings: from `read_yaml` and `read_options`.
        options: other options of the command line, named as possible meanings of an unknown key.

    Raises:
        InputError: an unknown key or a value of a wrong type.
    """
    types = leaf_types(tree)
    values: dict[str, Any] = {}
    for setting in settings:
        if setting.key not in types:
            raise _unknown(setting, [*types, *options])
        values[setting.key] = _convert(setting, types[setting.key])
    return _construct(tree, values, "")


def leaf_types(tree: type) -> dict[str, Any]:
    """Return every key of a tree (`model.rho`) with its type, in order."""
    types: dict[str, Any] = {}
    hints = get_type_hints(tree, include_extras=True)
    for field in dataclasses.fields(tree):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            types.update({f"{field.name}.{key}": value for key, value in leaf_types(hint).items()})
        else:
            types[field.name] = hint
    return types


def value_of(config: object, key: str) -> Any:
    """Return the value of a key like `model.rho`."""
    return functools.reduce(getattr, key.split("."), config)


def replace(config: T, **values: object) -> T:
    """Return a copy with other values; keys use two underscores: `train__epochs=3`."""
    for key, value in values.items():
        head, _, rest = key.partition("__")
        new = replace(getattr(config, head), **{rest: value}) if rest else value
        config = dataclasses.replace(config, **{head: new})  # type: ignore[type-var]
    return config


def to_yaml(config: Any) -> str:
    """Write a tree as YAML that `read_yaml` and `resolve` turn into an equal tree."""
    return yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _construct(tree: type[T], values: dict[str, Any], prefix: str) -> T:
    keywords: dict[str, Any] = {}
    hints = get_type_hints(tree, include_extras=True)
    for field in dataclasses.fields(tree):  # type: ignore[arg-type]
        hint, key = hints[field.name], f"{prefix}{field.name}"
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            keywords[field.name] = _construct(hint, values, f"{key}.")
        elif key in values:
            keywords[field.name] = values[key]
    return tree(**keywords)


def _unknown(setting: Setting, known: list[str]) -> InputError:
    section = setting.key.rpartition(".")[0]
    inside = [key for key in known if key.startswith(f"{setting.key}.")]
    siblings = [key for key in known if section and key.startswith(f"{section}.")]
    near = _nearest(setting.key, siblings) or _nearest(setting.key, known)
    if inside:
        allowed = f"it is a section, with the options {', '.join(inside)}"
    elif near:
        allowed = f"the nearest is {near}"
    elif siblings:
        allowed = f"in this section: {', '.join(siblings)}"
    else:
        allowed = f"sections and options: {', '.join(sorted({key.partition('.')[0] for key in known}))}"
    return InputError(
        f"{setting.where}: there is no option {setting.key}",
        allowed=allowed,
        do="correct the name; `--help` lists all options",
    )


def _nearest(key: str, known: list[str]) -> str | None:
    """Return the known key whose last word, then whose section, is most like the given one's."""
    section, _, last = key.rpartition(".")

    def likeness(other: str) -> tuple[float, float]:
        its_section, _, its_last = other.rpartition(".")
        match = difflib.SequenceMatcher
        return match(None, last, its_last).ratio(), match(None, section, its_section).ratio()

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best)[0] >= 0.6 else None  # difflib's own cutoff


def _convert(setting: Setting, hint: Any) -> Any:
    value = setting.value
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    optional = type(None) in get_args(hint)
    if isinstance(value, str):
        if optional and value.strip().lower() in ("none", "null", ""):
            return None
        if get_origin(hint) is tuple:  # 192x96, 192,96 and rgb,nir,tir
            text = value.strip("[]() ")
            parts = text.split("x") if "," not in text and _holds_numbers(hint) else text.split(",")
            value = [part.strip() for part in parts if part.strip()]
    if isinstance(value, bool) and bool not in kinds and hint is not bool and not _accepts_text_of_bool(hint):
        raise _wrong(setting, hint, "true and false are no value here")
    if isinstance(value, int | float) and not isinstance(value, bool) and str in kinds:
        value = str(value)  # a layout or folder called 2024
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        fault = error.errors()[0]
        beyond = fault["type"].startswith(("greater_than", "less_than"))  # limits are in `describe`
        raise _wrong(setting, hint, None if beyond else fault["msg"]) from error


def _holds_numbers(hint: Any) -> bool:
    return all(str not in (get_args(kind) or (kind,)) for kind in get_args(hint))


def _accepts_text_of_bool(hint: Any) -> bool:
    return get_origin(hint) is Literal and bool in [type(choice) for choice in get_args(hint)]


def _wrong(setting: Setting, hint: Any, reason: str | None) -> InputError:
    allowed = describe(hint)
    if reason:
        allowed += f" ({reason[0].lower()}{reason[1:]})"
    return InputError(f"{setting.where}: {setting.key} = {setting.value!r} cannot be used", allowed=allowed)


def _limits(hint: Any) -> list[str]:
    """Say in words what limits an annotated number has."""
    words = {"ge": "{} or more", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
    limits = [limit for field in hint.__metadata__ for limit in getattr(field, "metadata", ())]
    return [
        text.format(getattr(limit, name))
        for limit in limits
        for name, text in words.items()
        if hasattr(limit, name)
    ]


def describe(hint: Any) -> str:
    """Say in words what values a type takes."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    if hint in names:
        return names[hint]
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return " | ".join(map(str, arguments))
    if get_origin(hint) is tuple:
        inside = [kind for kind in arguments if kind is not Ellipsis]
        example = "256x128" if len(inside) == 2 else "0.5,0.5,0.5"
        if Ellipsis in arguments:
            return "names with commas between" if inside == [str] else "numbers with commas between, or []"
        return f"{len(inside)} numbers, e.g. {example}"
    if hasattr(hint, "__metadata__"):
        return ", ".join([describe(arguments[0]), *_limits(hint)])
    return " or ".join(describe(kind) for kind in arguments)
