"""Pictures moved: where each pixel comes from, by loops and by hand."""

import numpy as np
import pytest
import torch

from nextreid.pretraining.geometry import SHIFT, SLANT, STRETCH, ZOOM, Move, centred, draw_move, sources

STILL = {"mirrored": False, "zoom": (1.0, 1.0), "shift": (0, 0), "lean": 0.0, "tilt": 0.0}


def slow_sources(shape, move):
    height, width = shape
    found = np.empty(shape, np.int64)
    for y in range(height):
        for x in range(width):
            up, left = y - (height - 1) / 2, x - (width - 1) / 2
            row = round(up / move.zoom[0] + move.tilt * left + (height - 1) / 2 + move.shift[0])
            column = round(left / move.zoom[1] + move.lean * up + (width - 1) / 2 + move.shift[1])
            row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
            found[y, x] = row * width + (width - 1 - column if move.mirrored else column)
    return found


def test_no_move_takes_each_pixel_from_its_place():
    assert np.array_equal(sources((6, 4), Move(**STILL)), np.arange(24).reshape(6, 4))


def test_moves_by_hand():
    wide = np.arange(12).reshape(3, 4)
    assert np.array_equal(sources((3, 4), Move(**STILL | {"mirrored": True})), wide[:, ::-1])
    down = sources((3, 4), Move(**STILL | {"shift": (1, 0)}))  # what enters below repeats the last row
    assert np.array_equal(down, wide[[1, 2, 2]])
    right = sources((3, 4), Move(**STILL | {"shift": (0, -2)}))
    assert np.array_equal(right, wide[:, [0, 0, 0, 1]])
    leaning = sources((3, 4), Move(**STILL | {"lean": 1.0}))
    assert leaning.tolist() == [[0, 0, 1, 2], [4, 5, 6, 7], [9, 10, 11, 11]]
    twice = sources((8, 8), Move(**STILL | {"zoom": (2.0, 1.0)})) // 8
    assert twice[:, 0].tolist() == [2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("seed", range(6))
def test_drawn_moves_equal_their_slow_twin(seed):
    move = draw_move(np.random.default_rng(seed))
    assert np.mean(sources((40, 24), move) != slow_sources((40, 24), move)) < 0.01  # float32 rounds a few up


def test_moves_stay_within_their_limits_and_reach_them():
    moves = [draw_move(np.random.default_rng(seed)) for seed in range(600)]
    assert {move.mirrored for move in moves} == {True, False}
    for axis in (0, 1):
        assert {move.shift[axis] for move in moves} == set(range(-SHIFT, SHIFT + 1))
    for name in ("lean", "tilt"):
        slopes = [getattr(move, name) for move in moves]
        assert -SLANT <= min(slopes) < -0.9 * SLANT
        assert 0.9 * SLANT < max(slopes) <= SLANT
    zooms = np.array([move.zoom for move in moves])
    assert 1 - ZOOM <= zooms[:, 0].min() < 1 - 0.9 * ZOOM
    assert 1 + 0.9 * ZOOM < zooms[:, 0].max() <= 1 + ZOOM
    assert np.abs(zooms[:, 1] / zooms[:, 0] - 1).max() <= STRETCH + 1e-9


def test_smaller_pictures_are_means():
    pixels = np.random.default_rng(0).integers(0, 256, size=(2, 8, 6, 3), dtype=np.uint8)
    full, half = centred(pixels, 1), centred(pixels, 2)
    assert full.shape == (2, 3, 8, 6)
    assert torch.allclose(half, torch.nn.functional.avg_pool2d(full, 2), atol=1e-6)
