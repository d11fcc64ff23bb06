from dataclasses import dataclass

import pytest

from nextreid.errors import InputError
from nextreid.training.carving import carve_validation


@dataclass(frozen=True)
class Row:
    identity: str | None
    camera: str | None


ROWS = [Row(f"i{n:02}", str(c)) for n in range(20) for c in range(1 + n % 2) for _ in range(2)]


def test_only_identities_of_two_cameras_and_all_their_rows():
    carved = carve_validation(ROWS, fraction=0.25, seed=3)
    assert len(carved.identities) == 5
    assert all(int(name[1:]) % 2 for name in carved.identities)
    assert {row.identity for row in carved.validation} == set(carved.identities)
    assert not {row.identity for row in carved.train} & set(carved.identities)
    assert len(carved.train) + len(carved.validation) == len(ROWS)
    assert carved == carve_validation(ROWS, count=5, seed=3)


def test_the_choice_depends_on_the_seed_and_not_on_the_order_of_rows():
    chosen = {carve_validation(ROWS, count=4, seed=seed).identities for seed in range(10)}
    assert len(chosen) > 5
    assert carve_validation(ROWS[::-1], count=4, seed=1).identities == (
        carve_validation(ROWS, count=4, seed=1).identities
    )


def test_too_few_identities_say_what_to_do():
    with pytest.raises(InputError, match=r"10 were seen by two.*val.rule to none"):
        carve_validation(ROWS, count=11)
    with pytest.raises(InputError, match=r"0 were seen by two.*fill the column `camera`"):
        carve_validation([Row("a", None), Row("b", "1")], fraction=0.5)
    with pytest.raises(InputError, match="No training row has an identity"):
        carve_validation([Row(None, "1"), Row(None, "2")], fraction=0.5)
    with pytest.raises(InputError, match="either"):
        carve_validation(ROWS)
