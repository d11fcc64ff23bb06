"""Where two JSON values disagree: what a results file says, and what was computed again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SHOWN = 3
"""Disagreements that a message names; the rest are counted (ours)."""


def disagreements(written: Any, computed: Any, *, tolerance: float, where: str = "") -> Iterator[str]:
    """Yield a line for each place at which two values differ.

    Args:
        written: of the file.
        computed: again; tuples count as lists.
        tolerance: how far two numbers may lie apart; 0: not at all.
        where: the path of both, in front of every line.
    """
    if isinstance(written, Mapping) and isinstance(computed, Mapping):
        for key in dict.fromkeys([*written, *computed]):
            place = f"{where}.{key}" if where else str(key)
            if key not in written:
                yield f"{place} is not in the file; computed: {_shown(computed[key])}"
            elif key not in computed:
                yield f"{place} is {_shown(written[key])} in the file, and does not come out"
            else:
                yield from disagreements(written[key], computed[key], tolerance=tolerance, where=place)
    elif _is_list(written) and _is_list(computed) and len(written) == len(computed):
        for index, (one, two) in enumerate(zip(written, computed, strict=True)):
            yield from disagreements(one, two, tolerance=tolerance, where=f"{where}[{index}]")
    elif _is_number(written) and _is_number(computed):
        if not abs(written - computed) <= tolerance:
            yield f"{where} is {written!r} in the file, {computed!r} computed"
    elif written != computed or isinstance(written, bool) != isinstance(computed, bool):
        yield f"{where} is {_shown(written)} in the file, {_shown(computed)} computed"


def summary_of(lines: Sequence[str]) -> str:
    """Return the first lines, and how many more there are."""
    more = len(lines) - SHOWN
    return "; ".join(lines[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
