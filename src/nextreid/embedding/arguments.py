"""Checks of what a caller gives to an embedder, before the networks see it."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nextreid.errors import InputError
from nextreid.observation import Observation


def listed(observations: Iterable[Observation]) -> list[Observation]:
    """Return observations as a list.

    Raises:
        InputError: no list of observations, or something else in it.
    """
    example = 'a list such as [Observation(rgb="photo.png")]'
    single = isinstance(observations, Observation | str | Path | Mapping)
    if single or not isinstance(observations, Iterable):
        raise InputError(f"{type(observations).__name__} is not a list of observations", allowed=example)
    found = list(observations)
    for number, observation in enumerate(found):
        if not isinstance(observation, Observation):
            raise InputError(
                f"Number {number} of the observations is of type {type(observation).__name__}",
                allowed=example,
            )
    return found


def listed_texts(sentences: Iterable[str]) -> list[str]:
    """Return sentences as a list.

    Raises:
        InputError: a single text, no sentence, or something that is no text.
    """
    example = 'a list such as ["The person is wearing a red shirt."]'
    if isinstance(sentences, str) or not isinstance(sentences, Iterable):
        raise InputError(f"{type(sentences).__name__} is not a list of sentences", allowed=example)
    found = list(sentences)
    if not found:
        raise InputError("There is no sentence to embed", allowed="at least one")
    for number, text in enumerate(found):
        if not isinstance(text, str) or not _is_unicode(text):
            raise InputError(f"Number {number} of the sentences is {reprlib.repr(text)}", allowed="text")
    return found


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Check an argument that takes one of a few words.

    Raises:
        InputError: another word.
    """
    if value not in allowed:
        raise InputError(f"{name}={value!r}", allowed=", ".join(allowed))


def check_subset(subset: Sequence[str], known: set[str]) -> None:
    """Check a set of modalities to embed as if the others were absent.

    Args:
        subset: names.
        known: the modalities of the model and of the observations.

    Raises:
        InputError: a single text, no name, or an unknown one.
    """
    names = {subset} if isinstance(subset, str) else set(subset)
    if isinstance(subset, str) or not names or not names <= known:
        raise InputError(
            f"The subset {subset!r} is no set of modalities",
            allowed=f'names in a tuple, such as ("rgb",): {", ".join(sorted(known))}',
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair: the tokenizer cannot read it
        return False
    return True
