"""Recipes by name or file, and the configuration a verb ends up with."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nextreid.configfile import Setting, describe, leaf_types, read_options, read_yaml, resolve
from nextreid.errors import InputError

T = TypeVar("T")

FOLDER = Path(__file__).parent / "configs"

COLUMN = 44
"""Where the meaning of an option begins in the help."""


def recipe_names() -> tuple[str, ...]:
    """Return the names of the shipped recipes for training, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "quickstart"))


def recipe_file(name: str) -> Path:
    """Return the file of a recipe: a YAML file that exists, or a shipped recipe's name.

    Raises:
        InputError: neither.
    """
    shipped = FOLDER / f"{name}.yaml"
    if Path(name).is_file():
        return Path(name)
    if name in recipe_names():
        return shipped
    raise InputError(f"There is no recipe {name!r}", allowed=f"a YAML file, or {', '.join(recipe_names())}")


def configured(
    tree: type[T],
    *,
    recipes: Sequence[str | Path],
    tokens: Sequence[str],
    more: Iterable[Setting] = (),
    options: Iterable[str] = (),
) -> T:
    """Return the configuration from defaults, recipe files, the verb's own options, `--section.option`.

    Args:
        tree: the tree of dataclasses.
        recipes: names or files; the later ones win.
        tokens: what is left of the command line.
        more: settings from the verb's own options; they win over recipes.
        options: the verb's own options, named as possible meanings of an unknown one.

    Raises:
        InputError: an unknown recipe or option, a value of a wrong type.
    """
    settings: list[Setting] = []
    for recipe in recipes:
        settings += read_yaml(recipe if isinstance(recipe, Path) else recipe_file(recipe))
    return resolve(tree, [*settings, *more, *read_options(tokens)], options=options)


def options_help(tree: Any, *, where: str = "") -> str:
    """List every option of a tree with its default, its meaning and where the default comes from.

    Args:
        tree: the tree of dataclasses.
        where: where else they can be given, for the headline.
    """
    types = leaf_types(tree)
    lines = [f"options of the configuration{where}:"]
    for key, field in _fields(tree, ""):
        shown = "all" if field.default == () else _written(field.default)
        option = f"  --{key} {shown}"
        if len(option) >= COLUMN:  # too long for its column: the meaning begins on the next line
            lines.append(option)
            option = ""
        lines.append(option.ljust(COLUMN) + f"{field.metadata['help']}")
        lines.append(" " * COLUMN + f"{describe(types[key])}; default from: {field.metadata['origin']}")
    return "\n".join(lines)


def _fields(tree: Any, prefix: str) -> Iterable[tuple[str, dataclasses.Field[Any]]]:
    for field in dataclasses.fields(tree):
        if field.default_factory is not dataclasses.MISSING:
            yield from _fields(field.default_factory, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ("x" if len(value) == 2 else ",").join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()  # as it is typed
    return "none" if value is None else str(value) if value != "" else '""'
