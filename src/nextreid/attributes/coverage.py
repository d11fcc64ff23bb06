"""Whether a group's templates can say everything they may be asked to say."""

import itertools
from collections.abc import Mapping

from nextreid.attributes.template import Guard, Nodes, Words, render, slots
from nextreid.errors import InputError


def check_templates(variants: tuple[Nodes, ...], words: Mapping[str, Words], *, where: str) -> None:
    """Check that templates use the group's own attributes, and that the first serves every subset.

    Every subset is tried with one value of each attribute, and with every value that a `{a=value}`
    asks for.

    Args:
        variants: the parsed templates of one group.
        words: its attributes and how their values are written.
        where: file and group, for messages.

    Raises:
        InputError: a slot that is no attribute, a form or value that is not defined, or a subset of
            attributes that the first template cannot speak of.
    """
    telling: dict[str, set[str]] = {name: {entry.values[0]} for name, entry in words.items()}
    for nodes in variants:
        for slot in slots(nodes):
            if slot.attribute not in words:
                raise InputError(
                    f"{where}: a sentence has the slot {{{slot.attribute}}}",
                    allowed=f"{', '.join(words)}, subject, or a name under phrases that stands above its use",
                )
            entry = words[slot.attribute]
            if isinstance(slot, Guard):
                if slot.value not in entry.values:
                    raise InputError(
                        f"{where}: a sentence asks for {slot.attribute}={slot.value!r}",
                        allowed=", ".join(entry.values),
                    )
                telling[slot.attribute].add(slot.value)
            elif slot.form is not None and slot.form not in entry.forms:
                raise InputError(
                    f"{where}: a sentence asks for the form {slot.form!r} of {slot.attribute!r}",
                    allowed=", ".join(entry.forms) or "none is defined",
                    do=f"define it under forms of {slot.attribute!r}",
                )
    for size in range(1, len(words) + 1):
        for given in itertools.combinations(words, size):
            for values in itertools.product(*(sorted(telling[name]) for name in given)):
                _check_subset(variants[0], dict(zip(given, values, strict=True)), words, where)


def _check_subset(nodes: Nodes, values: Mapping[str, str], words: Mapping[str, Words], where: str) -> None:
    spoken = render(nodes, values, words, "it")
    silent = sorted(set(values) - (spoken.mentions if spoken else set()))
    if spoken is None or silent:
        raise InputError(
            f"{where}: the first sentence cannot speak of {', '.join(silent)} when only "
            f"{', '.join(values)} is known",
            allowed="a first sentence that serves every subset of the group's attributes",
            do="add an alternative in square brackets, e.g. [{colour} {type}|{type}|{colour} one]",
        )
