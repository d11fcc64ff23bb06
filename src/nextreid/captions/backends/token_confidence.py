"""How sure a language model was of each value it wrote, from the probabilities of the tokens."""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate


def value_confidence(pieces: Sequence[tuple[str, float]], attributes: Iterable[str]) -> dict[str, float]:
    """Return the probability with which each attribute's value was written.

    It is the product over the tokens that any of the value's letters lie in; quotes and braces around it
    do not count unless they share a token with it.

    Args:
        pieces: (text, natural logarithm of its probability) of every token, in order; together they are
            an answer such as `{"age": {"value": "adult", "confidence": 0.9}}`, or `{"age": "adult"}`.
        attributes: whose values to look for.

    Returns:
        Attribute -> 0..1, for the values that were found; of one that is answered twice, the last, as
        JSON is read.
    """
    text = "".join(piece for piece, _ in pieces)
    ends = list(accumulate(len(piece) for piece, _ in pieces))
    found: dict[str, float] = {}
    for attribute in attributes:
        spans = [match.span(1) for match in _value_of(attribute).finditer(text)]
        if spans and spans[-1][0] < spans[-1][1]:
            found[attribute] = _probability(pieces, ends, *spans[-1])
    return found


def _value_of(attribute: str) -> re.Pattern[str]:
    """Return what finds the letters of an attribute's value; they are group 1."""
    inside = r'\{[^{}]*?"value"\s*:\s*'
    return re.compile(rf'"{re.escape(attribute)}"\s*:\s*(?:{inside})?"((?:[^"\\]|\\.)*)"')


def _probability(pieces: Sequence[tuple[str, float]], ends: Sequence[int], start: int, end: int) -> float:
    """Return the product over the tokens that overlap the letters start..end; NaN and positives count as 1.

    Args:
        pieces: the tokens.
        ends: where each of them ends, counted in letters.
        start, end: the letters.
    """
    first, after = bisect_right(ends, start), bisect_left(ends, end) + 1
    return math.exp(sum(logarithm for _, logarithm in pieces[first:after] if logarithm < 0))
