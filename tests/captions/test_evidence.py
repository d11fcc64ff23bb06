import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.captions.evidence import NOTHING, Weighed, weigh


def claim(value: str, weight: float, modality: str = "rgb", model: str = "m") -> Weighed:
    return Weighed(value, modality, model, weight)


def twin(claims: list[Weighed]) -> dict[str, float]:
    """Every claim is a coin that, if it falls, makes its value true. Of all ways in which the coins can fall,
    those count in which one value at most is true; a value's confidence is its share of them."""
    worlds: dict[str, float] = {}
    for fallen in itertools.product([False, True], repeat=len(claims)):
        chance = math.prod(c.weight if fell else 1 - c.weight for c, fell in zip(claims, fallen, strict=True))
        true = {c.value for c, fell in zip(claims, fallen, strict=True) if fell}
        if len(true) <= 1:
            name = next(iter(true), "")
            worlds[name] = worlds.get(name, 0.0) + chance
    total = sum(worlds.values())
    return {value: chance / total for value, chance in worlds.items() if value}


some_claims = st.lists(
    st.builds(claim, st.sampled_from("abc"), st.floats(0.01, 0.99), st.sampled_from(["rgb", "nir"])),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(some_claims)
def test_the_strongest_value_is_that_of_every_way_the_claims_can_fall(claims: list[Weighed]) -> None:
    found, slow = weigh(claims), twin(claims)
    assert found.confidence == pytest.approx(max(slow.values()), rel=1e-9)
    if found.value:
        assert slow[found.value] == pytest.approx(found.confidence, rel=1e-9)
        assert found.support == tuple(c for c in claims if c.value == found.value)
    else:
        assert sorted(slow.values())[-2] == pytest.approx(found.confidence, rel=1e-6)


@settings(deadline=None)
@given(some_claims, st.randoms())
def test_order_and_claims_without_weight_change_nothing(claims: list[Weighed], random: object) -> None:
    mixed = [*claims, claim("z", 0.0)]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    found, before = weigh(mixed), weigh(claims)
    assert found.value == before.value
    assert found.confidence == pytest.approx(before.confidence, rel=1e-9)


def test_by_hand() -> None:
    assert weigh([]) == NOTHING
    assert weigh([claim("a", 0.0)]) == NOTHING
    assert weigh([claim("a", 0.6)]).confidence == pytest.approx(0.6)
    assert weigh([claim("a", 0.5), claim("a", 0.5)]).confidence == pytest.approx(0.75)  # 1 - .5 x .5
    # a alone: .6 x .5 = .3; b alone: .5 x .4 = .2; neither: .2. So a has .3 / .7
    assert weigh([claim("a", 0.6), claim("b", 0.5)]).confidence == pytest.approx(3 / 7)
    assert weigh([claim("a", 0.6), claim("b", 0.5)]).value == "a"


def test_even_values_are_a_tie_that_chooses_none() -> None:
    found = weigh([claim("a", 0.8), claim("b", 0.8)])
    assert (found.value, found.support) == ("", ())
    assert found.confidence == pytest.approx(4 / 9)  # .8 x .2 of .16 + .16 + .04


def test_certain_claims_that_contradict_each_other_are_a_tie() -> None:
    found = weigh([claim("a", 1.0), claim("b", 1.0)])
    assert found.value == ""
    assert found.confidence == pytest.approx(0.5)
    assert weigh([claim("a", 1.0)]).confidence == pytest.approx(1.0)
