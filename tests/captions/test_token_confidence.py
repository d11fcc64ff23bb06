"""The probability of a value is that of the tokens it was written with."""

import math

import pytest

from nextreid.captions.backends.token_confidence import value_confidence

ANSWER = '{"age": {"value": "adult", "confidence": 0.9}, "upper": {"value": "tank top", "confidence": 1}}'


def letters(text: str, chance: float = 1.0) -> list[tuple[str, float]]:
    return [(letter, math.log(chance)) for letter in text]


def test_a_hand_worked_case() -> None:
    pieces = [
        ('{"age": {"value": "', math.log(0.5)),  # only quotes and names: does not count
        ("ad", math.log(0.8)),
        ("ult", math.log(0.5)),
        ('", "confidence": 0.', math.log(0.1)),
        ('9}, "upper": {"value": ', 0.0),
        ('"tank', math.log(0.6)),  # a quote that shares a token with the value
        (' top"', math.log(0.9)),
        (', "confidence": 1}}', 0.0),
    ]
    assert "".join(piece for piece, _ in pieces) == ANSWER
    found = value_confidence(pieces, ["age", "upper", "glasses"])
    assert found == {"age": pytest.approx(0.4), "upper": pytest.approx(0.54)}


@pytest.mark.parametrize("length", [1, 2, 3, 7, 200])
def test_how_the_text_is_cut_does_not_matter_where_all_is_certain(length: int) -> None:
    pieces = [(ANSWER[at : at + length], 0.0) for at in range(0, len(ANSWER), length)]
    assert value_confidence(pieces, ["age", "upper"]) == {"age": 1.0, "upper": 1.0}


def test_each_letter_counts_once() -> None:
    found = value_confidence(letters(ANSWER, 0.9), ["age", "upper"])
    assert found == {
        "age": pytest.approx(0.9 ** len("adult")),
        "upper": pytest.approx(0.9 ** len("tank top")),
    }


def test_other_shapes_of_answer() -> None:
    assert value_confidence(letters('{"age":"adult"}', 0.5), ["age"]) == {"age": pytest.approx(0.5**5)}
    turned = '{"age": {"confidence": 0.9, "value": "adult"}}'
    assert value_confidence(letters(turned, 0.5), ["age"]) == {"age": pytest.approx(0.5**5)}
    twice = [*letters('{"age": "child", "age": ', 1.0), *letters('"adult"}', 0.5)]
    assert value_confidence(twice, ["age"]) == {"age": pytest.approx(0.5**5)}
    assert value_confidence(letters("sorry, I cannot"), ["age"]) == {}
    assert value_confidence(letters('{"age": {"value": ""}}'), ["age"]) == {}
    assert value_confidence([], ["age"]) == {}
    assert value_confidence(letters('{"teenage": "child"}'), ["age"]) == {}


def test_impossible_logarithms_never_give_more_than_one() -> None:
    assert value_confidence([('{"age": "adult"}', 3.0)], ["age"]) == {"age": 1.0}
    assert value_confidence([('{"age": "adult"}', math.nan)], ["age"]) == {"age": 1.0}
    assert value_confidence([('{"age": "adult"}', -math.inf)], ["age"]) == {"age": 0.0}
