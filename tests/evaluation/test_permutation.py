from itertools import product
from math import comb

import numpy as np
import pytest

from nextreid.errors import InputError
from nextreid.evaluation.permutation import EXACT, sign_flip_test


def slow_p(differences):
    """Try every sign of every difference, zeros too."""
    observed = abs(sum(differences))
    far = total = 0
    for signs in product((1, -1), repeat=len(differences)):
        total += 1
        far += abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - 1e-12
    return far / total


def test_few_differences_are_tried_in_every_sign():
    rng = np.random.default_rng(0)
    for case in range(300):
        n = int(rng.integers(1, 10))
        column = rng.standard_normal(n) + rng.random()
        if case % 3 == 0:
            column = rng.integers(-2, 3, n) / 4.0  # ties and zeros
        (found,) = sign_flip_test(column[:, None])
        assert found.exact
        assert found.p == pytest.approx(slow_p(column.tolist()), abs=1e-12), column


def test_a_worked_case():
    # 3 - 1 + 2 = 4; of the eight sums +-3 +-1 +-2 those at 4 or beyond are 6, 4, -4, -6
    (found,) = sign_flip_test(np.array([[3.0], [-1.0], [2.0]]))
    assert found.p == pytest.approx(4 / 8)


@pytest.mark.parametrize(
    ("wins", "losses"), [(5, 0), (9, 1), (40, 20), (300, 200), (7, 7), (0, 30), (900, 800)]
)
def test_differences_of_one_size_are_mcnemars_exact_test(wins, losses):
    column = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 11)
    (found,) = sign_flip_test(column[:, None], draws=1)
    n, more = wins + losses, max(wins, losses)
    tail = sum(comb(n, k) for k in range(more, n + 1)) / 2**n
    assert found.exact
    assert found.p == pytest.approx(1.0 if wins == losses else min(1.0, 2 * tail), rel=1e-9)


def test_nothing_differs():
    (found,) = sign_flip_test(np.zeros((400, 1)))
    assert (found.p, found.exact) == (1.0, True)


def test_drawn_signs_come_near_the_exact_answer():
    rng = np.random.default_rng(1)
    column = rng.standard_normal(EXACT) + 0.4
    (exact,) = sign_flip_test(column[:, None])
    split = np.concatenate([column, [1e-9, -2e-9]])  # two more that change nothing, but make it too long
    (drawn,) = sign_flip_test(split[:, None], draws=40_000)
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p * (1 - exact.p) / 40_000) + 1e-4)


def test_the_smallest_p_that_draws_can_give_is_not_zero():
    column = np.random.default_rng(2).random(200) + 1.0
    (found,) = sign_flip_test(column[:, None], draws=999)
    assert found.p == 1 / 1000


def test_swapping_and_scaling_change_nothing_and_the_seed_decides():
    columns = np.random.default_rng(3).standard_normal((60, 3)) + 0.2
    found = sign_flip_test(columns, draws=2000)
    assert [each.p for each in sign_flip_test(-columns, draws=2000)] == [each.p for each in found]
    assert [each.p for each in sign_flip_test(8.0 * columns, draws=2000)] == [each.p for each in found]
    assert [each.p for each in sign_flip_test(columns, draws=2000, seed=1)] != [each.p for each in found]
    (alone,) = sign_flip_test(columns[:, :1], draws=2000)
    assert alone == found[0]  # a column's answer does not depend on the others


def test_without_a_difference_p_is_uniform():
    rng = np.random.default_rng(4)
    ps = np.array([sign_flip_test(rng.standard_normal((30, 1)), draws=400, seed=i)[0].p for i in range(300)])
    assert abs((ps <= 0.05).mean() - 0.05) < 0.04
    assert abs(ps.mean() - 0.5) < 0.06


@pytest.mark.parametrize("bad", [np.zeros((0, 2)), np.zeros(3), np.array([[np.nan]]), np.array([[np.inf]])])
def test_bad_differences_are_refused(bad):
    with pytest.raises(InputError, match="shape"):
        sign_flip_test(bad)


def test_no_draws_are_refused():
    with pytest.raises(InputError, match="0 random signs"):
        sign_flip_test(np.ones((3, 1)), draws=0)
