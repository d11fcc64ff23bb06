"""JSON out of a text that should be JSON: prose around it, code fences, small mistakes, a missing end.

Nothing is evaluated: a mistake costs an entry, never more. Time and depth are bounded, since the text may
be hostile.
"""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEEPEST = 8
"""Levels of nesting that are read (ours: an answer has three, with a wrapper four)."""

MOST_STARTS = 24
"""Opening braces that are tried (ours: prose before an answer may hold a few, and each try costs time)."""

MOST_REPAIRS = 4
"""Opening braces that are read leniently (ours: likewise, and this is slower)."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "`": "`"}
_FENCE = re.compile(r"\A```\w*\s*|\s*```\Z")
_BARE = re.compile(r"[^,:{}\[\]\n]*")
_SPACE = re.compile(r"(?:\s|//[^\n]*)*")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class Found:
    """What was found in a text.

    Attributes:
        value: the object, keys as text; of two equal keys the last counts, as in JSON.
        prose: other text stood around it.
        repaired: it was not JSON, and was read all the same.
        twice: keys that stood there more than once.
    """

    value: Any
    prose: bool = False
    repaired: bool = False
    twice: tuple[str, ...] = ()


def find_json(text: str, wanted: Callable[[Any], bool]) -> Found | None:
    """Find the object that a text holds.

    Args:
        text: at most some ten thousand characters.
        wanted: tells whether a value is the one looked for, not one of its parts.

    Returns:
        The whole text if it is JSON; else the longest wanted JSON object in it; else the first that can be
        read leniently; else None.
    """
    bare = _FENCE.sub("", text.strip())
    twice: list[str] = []
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _last_of(pairs, twice), strict=False)
    try:
        value = decoder.decode(bare)
        if wanted(value):
            return Found(value, twice=tuple(twice))
    except (ValueError, RecursionError):  # not JSON; a number of thousands of digits; a thousand brackets
        pass
    best: tuple[int, Found] | None = None
    end = 0
    for start in _places(bare, r"\{", MOST_STARTS):
        if start < end:
            continue
        twice = []
        try:
            value, after = decoder.raw_decode(bare, start)
        except (ValueError, RecursionError):
            continue
        if wanted(value):
            end = after
            if best is None or end - start > best[0]:
                best = (end - start, Found(value, prose=True, twice=tuple(twice)))
    if best is not None:
        return best[1]
    for start in _places(bare, r"[{\[]", MOST_REPAIRS):
        reader = _Lenient(bare, start)
        value = reader.value(0)
        if wanted(value):
            return Found(value, prose=start > 0, repaired=True, twice=tuple(reader.twice))
    return None


def _places(text: str, sign: str, most: int) -> list[int]:
    return [found.start() for found in itertools.islice(re.finditer(sign, text), most)]


def _last_of(pairs: list[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in pairs:
        if key in kept:
            twice.append(key)
        kept[key] = value
    return kept


class _Lenient:
    """Reads one value: other quotes, bare words, commas too many or too few, and an end that is missing."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.twice = text, at, list[str]()

    def value(self, depth: int) -> Any:
        """Read the value at the current place; past the end, or too deep, there is None."""
        sign = self._next()
        if sign == "" or depth > DEEPEST:
            self.at = len(self.text)
            return None
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._array(depth)
        if sign in _QUOTES:
            return self._string(_QUOTES[sign])
        return _plain(self._bare())

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        pairs: list[tuple[str, Any]] = []
        while (sign := self._next()) not in ("", "}"):
            if sign in ",:{[]":  # where a key should be: skip the sign
                self.at += 1
                continue
            key = self._string(_QUOTES[sign]) if sign in _QUOTES else self._bare()
            if self._next() == ":":
                self.at += 1
                if self._next() == "":  # cut off before the value
                    break
                pairs.append((key, self.value(depth + 1)))
        self.at += 1
        return _last_of(pairs, self.twice)

    def _array(self, depth: int) -> list[Any]:
        self.at += 1
        values: list[Any] = []
        while (sign := self._next()) not in ("", "]"):
            if sign in ",:}":
                self.at += 1
            else:
                values.append(self.value(depth + 1))
        self.at += 1
        return values

    def _string(self, close: str) -> str:
        self.at += 1
        letters: list[str] = []
        while self.at < len(self.text) and (sign := self.text[self.at]) != close:
            if sign == "\\" and self.at + 1 < len(self.text):
                self.at += 1
                sign = {"n": "\n", "t": "\t", "r": "\r"}.get(self.text[self.at], self.text[self.at])
            letters.append(sign)
            self.at += 1
        self.at += 1
        return "".join(letters)

    def _bare(self) -> str:
        found = _BARE.match(self.text, self.at)
        end = found.end() if found else self.at
        word, self.at = self.text[self.at : end], max(end, self.at + 1)
        return word.strip()

    def _next(self) -> str:
        """Skip blanks and remarks; return the sign that comes, "" at the end."""
        blank = _SPACE.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.text[self.at : self.at + 1]


def _plain(word: str) -> Any:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    try:
        return float(word)
    except ValueError:
        return word
