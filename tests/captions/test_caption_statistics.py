"""Statistics of caption texts: hand-worked, against a slow twin, and the published figures to the digit."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.captions.statistics import RULES, Rule, distinct, says_unknown, text_statistics
from nextreid.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "captions"


def test_worked_by_hand() -> None:
    found = text_statistics(
        {
            ("train", "rgb"): ["a b c d", "none of it"],  # mean 3.5
            ("test", "rgb"): ["a"],  # mean 1
            ("test", "tir"): ["Carrying none.", "", "unclear, x"],  # mean 4/3
            ("train", "tir"): [],
        }
    )
    assert found.words == {"rgb": 8, "tir": 4}
    assert found.captions == {"rgb": 3, "tir": 3}
    assert found.mean_length == pytest.approx((3.5 + 1 + 4 / 3) / 3)
    assert {name: (part.count, part.captions) for name, part in found.unknown.items()} == {
        "rgb": (1, 3),
        "tir": (0, 3),
    }
    assert found.overall == found.pooled.share == pytest.approx(1 / 6)
    # words: a b c d none of it a carrying none unclear x -> 12, 10 different
    assert found.distinct_1 == pytest.approx(10 / 12)
    # pairs: ab bc cd, none-of of-it, carrying-none, unclear-x
    assert found.distinct_2 == 1.0


@pytest.mark.parametrize(
    ("caption", "published", "strict"),
    [
        ("He is carrying none", True, True),
        ("He is carrying none.", False, True),
        ("None of it", False, True),
        ("UNKNOWN", False, True),
        ("unknowable due to blur", True, True),
        ("unclear-ish", False, True),
        ("nonetheless, unknowns are nonebinary", False, False),
        ("unknown\nunclear", True, True),
        ("", False, False),
    ],
)
def test_what_says_unknown(caption: str, published: bool, strict: bool) -> None:
    assert says_unknown(caption, "published") is published
    assert says_unknown(caption, "strict") is strict


def test_nothing_to_count() -> None:
    none: dict[tuple[str, str], list[str]] = {}
    for texts in (none, {("train", "rgb"): list[str]()}):
        found = text_statistics(texts)
        assert (found.words, found.unknown, found.mean_length, found.overall) == ({}, {}, 0.0, 0.0)
        assert (found.distinct_1, found.distinct_2) == (0.0, 0.0)
    with pytest.raises(InputError, match=r"'loose'.*published, strict"):
        text_statistics({}, rule="loose")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="published, strict"):
        says_unknown("", "loose")  # type: ignore[arg-type]


CAPTIONS = st.lists(st.text(alphabet="ab none.unkwcl \n", max_size=30), max_size=6)


@settings(deadline=None)
@given(CAPTIONS, CAPTIONS, st.sampled_from(RULES))
def test_against_a_slow_twin(one: list[str], two: list[str], rule: Rule) -> None:
    found = text_statistics({("train", "rgb"): one, ("test", "rgb"): two}, rule=rule)
    words = unknown = 0
    grams: list[tuple[str, str]] = []
    for caption in one + two:
        words += len(re.findall(r"\S+", caption))
        hits = [t for t in re.findall(r"\S+", caption) if t in ("none", "unknown", "unclear", "unknowable")]
        if rule == "strict":
            low = caption.lower()
            hits = [w for w in re.findall(r"\w+", low) if w in ("none", "unknown", "unclear", "unknowable")]
        unknown += bool(hits)
        tokens = re.findall(r"\w+", caption.lower())
        for at in range(len(tokens) - 1):
            grams.append((tokens[at], tokens[at + 1]))
    assert found.words.get("rgb", 0) == words
    assert found.pooled.count == unknown
    assert found.distinct_2 == (len(set(grams)) / len(grams) if grams else 0.0)
    assert found == text_statistics({("test", "rgb"): two, ("train", "rgb"): one}, rule=rule)


def test_distinct_does_not_cross_captions() -> None:
    assert distinct(["a b", "b a", "a b"], 2) == 2 / 3
    assert distinct(["a", "b"], 2) == 0.0


@pytest.mark.skipif(not SHARED.is_dir(), reason="published captions are not beside the repository")
@pytest.mark.parametrize(
    ("folder", "words", "length", "published", "strict"),
    [
        (
            "next_rgbnt201",
            {"RGB": 201934, "NI": 190389, "TI": 167144},
            "38.94",
            {"RGB": ("9.80", 469), "NI": ("1.69", 81), "TI": ("0.69", 33), "overall": ("4.06", 583)},
            {"RGB": "14.81", "NI": "8.67", "TI": "8.29", "overall": "10.59"},
        ),
        (
            "idea_rgbnt201",
            {"RGB": 162634, "NI": 172496, "TI": 172219},
            "35.47",
            {
                "RGB": ("40.36", 1932),
                "NI": ("50.99", 2441),
                "TI": ("43.53", 2084),
                "overall": ("44.96", 6457),
            },
            {"RGB": "44.16", "NI": "54.36", "TI": "46.40", "overall": "48.30"},
        ),
    ],
)
def test_the_published_figures_to_the_printed_digit(
    folder: str,
    words: dict[str, int],
    length: str,
    published: dict[str, tuple[str, int]],
    strict: dict[str, str],
) -> None:
    texts = {
        (split, tag): [
            e["description"] for e in json.loads((SHARED / folder / f"{split}_{tag}.json").read_text())
        ]
        for split in ("train", "test")
        for tag in ("RGB", "NI", "TI")
    }
    found = text_statistics(texts)
    assert found.words == words
    assert f"{found.mean_length:.2f}" == length
    shown = {name: (f"{100 * part.share:.2f}", part.count) for name, part in found.unknown.items()}
    assert {**shown, "overall": (f"{100 * found.overall:.2f}", found.pooled.count)} == published
    assert sum(found.captions.values()) == found.pooled.captions == 14361
    careful = text_statistics(texts, rule="strict")
    shares = {name: f"{100 * part.share:.2f}" for name, part in careful.unknown.items()}
    assert {**shares, "overall": f"{100 * careful.overall:.2f}"} == strict
