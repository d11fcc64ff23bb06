"""The kinds of object a world can hold: persons and vehicles, behind one protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nextreid.errors import InputError
from nextreid.synthetic.parts import PART_TABLES, PartTable

KINDS = ("person", "vehicle")


@dataclass(frozen=True)
class Kind:
    """What the world asks of a kind of object (the protocol is told in `parts.py`).

    Args:
        name: "person" or "vehicle"; also the name of its attribute schema.
        sample: (count, seed, test_fraction=) -> identities.
        build: (identity, state) -> parts.
        describe: (identity, state, bearing) -> attribute values.
        evidence: attribute -> parts that show it.
        least: attribute -> share of the picture that these must cover, where not the usual one.
        table: part names and numbers.
        fill: size of the object's box in the frame as shares (height, width); None: not fitted.
        nominal: height in metres that the camera is set for.
        stretch: width over true width in the crop: persons' boxes are narrower than 1:2 (ours, by eye
            beside real crops, where people nearly fill the width).
    """

    name: str
    sample: Callable[..., tuple[Any, ...]]
    build: Callable[[Any, Any], tuple[Any, ...]]
    describe: Callable[[Any, Any, float], dict[str, str]]
    evidence: Mapping[str, tuple[str, ...]]
    least: Mapping[str, float]
    table: PartTable
    fill: tuple[float, float | None]
    nominal: float
    stretch: float


def load_kind(name: str) -> Kind:
    """Return a kind by name.

    Raises:
        InputError: an unknown name.
    """
    if name not in KINDS:
        raise InputError(f"kind = {name!r}", allowed=", ".join(KINDS))
    model = import_module(f"nextreid.synthetic.{name}")
    names = import_module(f"nextreid.synthetic.{name}_identities")
    return Kind(
        name,
        getattr(names, f"sample_{name}_identities"),
        getattr(model, f"build_{name}"),
        getattr(model, f"describe_{name}"),
        getattr(model, f"{name.upper()}_EVIDENCE"),
        getattr(model, f"{name.upper()}_LEAST"),
        PART_TABLES[name],
        (0.92, None) if name == "person" else (0.80, 0.90),
        1.75 if name == "person" else 1.6,
        1.35 if name == "person" else 1.0,
    )
