"""Modalities are names: `rgb`, `nir`, `tir`, or the user's own (`depth`, `event`)."""

import re
from collections.abc import Iterable

from nextreid.errors import InputError

RGB, NIR, TIR = "rgb", "nir", "tir"

UNKNOWN = "unknown"
"""The name of the entry that stands for a modality or camera the model was not trained with."""

PUBLISHED_TAG = {RGB: "RGB", NIR: "NI", TIR: "TI"}
"""How published caption files and the RGBNT201 folders call the modalities (`train_NI.json`)."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def check_modality(name: str) -> str:
    """Return `name` if it can name a modality.

    Raises:
        InputError: not lower-case letters, digits and underscores, or a reserved name.
    """
    if not isinstance(name, str) or not _NAME.match(name) or name == UNKNOWN:
        raise InputError(
            f"{name!r} is not a modality name",
            allowed="lower-case letters, digits and underscores, beginning with a letter, "
            f"e.g. rgb, nir, tir, depth; {UNKNOWN!r} is reserved",
        )
    return name


def modality_tuple(names: Iterable[str]) -> tuple[str, ...]:
    """Check names and return them in the given order.

    Raises:
        InputError: none given, a bad name, or one given twice.
    """
    checked = tuple(check_modality(name) for name in names)
    if not checked:
        raise InputError("No modality given", allowed="at least one, e.g. rgb,nir,tir")
    if len(set(checked)) != len(checked):
        raise InputError(f"A modality is named twice in {', '.join(checked)}", allowed="each name once")
    return checked
