"""What can be counted in the texts of captions: words, lengths, variety, and how many say "unknown".

The rule `published` is the recipe behind the figures published with NEXT, found by reproducing them; `strict`
also counts the word before a comma or full stop, and in capitals.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nextreid.errors import InputError

Rule = Literal["published", "strict"]
"""What counts as saying "unknown" (`says_unknown`)."""

RULES: tuple[Rule, ...] = ("published", "strict")

UNKNOWN_WORDS = ("none", "unknown", "unclear", "unknowable")
"""The words that are counted: with these four, and no other token, the published figures come out."""

_STRICT = re.compile(rf"\b({'|'.join(UNKNOWN_WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class UnknownCount:
    """How many captions say "unknown".

    Attributes:
        count: of them.
        captions: of all.
    """

    count: int
    captions: int

    @property
    def share(self) -> float:
        """The share of captions, 0..1; 0 where there is none."""
        return self.count / self.captions if self.captions else 0.0


@dataclass(frozen=True)
class TextStatistics:
    """Figures of the texts of one caption set.

    Attributes:
        rule: what counts as saying "unknown".
        captions: modality -> captions.
        words: modality -> words, split at white space.
        mean_length: words a caption: the mean over files (split and modality) of each file's mean,
            unweighted, as published.
        unknown: modality -> captions that say "unknown", all splits together.
        distinct_1, distinct_2: different words (pairs of neighbouring words) over all of them, 0..1; in small
            letters, without punctuation, pairs within one caption.
    """

    rule: Rule
    captions: Mapping[str, int]
    words: Mapping[str, int]
    mean_length: float
    unknown: Mapping[str, UnknownCount]
    distinct_1: float
    distinct_2: float

    @property
    def pooled(self) -> UnknownCount:
        """Captions of all modalities that say "unknown"."""
        parts = self.unknown.values()
        return UnknownCount(sum(part.count for part in parts), sum(part.captions for part in parts))

    @property
    def overall(self) -> float:
        """The share of all captions that say "unknown", 0..1.

        The published figure is the mean of the modalities' shares; where all modalities have as many
        captions, as in RGBNT201, it is the same.
        """
        return self.pooled.share


def says_unknown(caption: str, rule: Rule) -> bool:
    """Tell whether a caption says that something is not known.

    Args:
        caption: its text.
        rule: published: a word split at white space is exactly one of `UNKNOWN_WORDS`; strict: one of them
            stands there as a whole word, ignoring case and punctuation.

    Raises:
        InputError: no such rule.
    """
    if rule == "published":
        return not set(UNKNOWN_WORDS).isdisjoint(caption.split())
    if rule == "strict":
        return _STRICT.search(caption) is not None
    raise InputError(f"The rule {rule!r}", allowed=", ".join(RULES))


def text_statistics(
    texts: Mapping[tuple[str, str], Sequence[str]], *, rule: Rule = "published"
) -> TextStatistics:
    """Count in captions.

    Args:
        texts: (split, modality) -> the captions of one file, in any order; files without captions have no
            mean length and are left out.
        rule: what counts as saying "unknown".

    Raises:
        InputError: no such rule.
    """
    if rule not in RULES:
        raise InputError(f"The rule {rule!r}", allowed=", ".join(RULES))
    captions: dict[str, int] = {}
    words: dict[str, int] = {}
    unknown: dict[str, int] = {}
    means: list[float] = []
    for (_, modality), part in texts.items():
        if not part:
            continue
        lengths = [len(text.split()) for text in part]
        means.append(sum(lengths) / len(lengths))
        captions[modality] = captions.get(modality, 0) + len(part)
        words[modality] = words.get(modality, 0) + sum(lengths)
        unknown[modality] = unknown.get(modality, 0) + sum(says_unknown(text, rule) for text in part)
    every = [text for part in texts.values() for text in part]
    return TextStatistics(
        rule=rule,
        captions=captions,
        words=words,
        mean_length=sum(means) / len(means) if means else 0.0,
        unknown={name: UnknownCount(unknown[name], captions[name]) for name in captions},
        distinct_1=distinct(every, 1),
        distinct_2=distinct(every, 2),
    )


def distinct(texts: Iterable[str], n: int) -> float:
    """Return the number of different n-grams over the number of all n-grams (distinct-n); 0 where none is.

    Args:
        texts: captions; an n-gram lies within one of them.
        n: words of an n-gram, 1 or more.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        tokens = re.findall(r"\w+", text.lower())
        grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else 0.0
