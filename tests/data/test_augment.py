import time
from collections import Counter

import numpy as np
import pytest
import torch

from nextreid.data.augment import Augmentation
from nextreid.data.dropout import InputDropout
from nextreid.errors import InputError

MODALITIES = ("rgb", "nir", "tir")


def pictures(height=32, width=20):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(1, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    return {name: image.clone() for name in MODALITIES}


def slow_move(image, mirrored, top, left, pad):
    """Flip, pad and crop pixel by pixel."""
    _, height, width = image.shape
    moved = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            source_y, source_x = y + top - pad, x + left - pad
            if 0 <= source_y < height and 0 <= source_x < width:
                moved[:, y, x] = image[:, source_y, width - 1 - source_x if mirrored else source_x]
    return moved


def test_a_move_is_one_of_all_possible_ones_and_all_occur():
    image = torch.arange(1, 3 * 5 * 4 + 1, dtype=torch.uint8).reshape(3, 5, 4)
    possible = {
        slow_move(image, mirrored, top, left, 1).numpy().tobytes(): (mirrored, top, left)
        for mirrored in (False, True)
        for top in range(3)
        for left in range(3)
    }
    assert len(possible) == 18
    options = Augmentation(pad=1)
    found = [
        possible[options.move({"rgb": image}, seed=0, epoch=e, observation="a")["rgb"].numpy().tobytes()]
        for e in range(400)
    ]
    assert set(found) == set(possible.values())
    assert 0.4 < np.mean([mirrored for mirrored, _, _ in found]) < 0.6


def test_shared_geometry_moves_all_modalities_alike_and_independent_does_not():
    images = pictures()
    differs = False
    for epoch in range(10):
        shared = Augmentation().move(images, seed=0, epoch=epoch, observation="a")
        assert all(torch.equal(shared["rgb"], shared[name]) for name in MODALITIES)
        free = Augmentation(geometry="independent").move(images, seed=0, epoch=epoch, observation="a")
        differs |= not torch.equal(free["rgb"], free["tir"])
    assert differs


@pytest.mark.parametrize("geometry", ["shared", "independent"])
def test_draws_depend_on_seed_epoch_observation_and_not_on_other_modalities(geometry):
    options = Augmentation(geometry=geometry, erase=1.0)

    def drawn(names, seed=0, epoch=1, observation="a"):
        key = {"seed": seed, "epoch": epoch, "observation": observation}
        moved = options.move({name: pictures()[name] for name in names}, **key)
        return options.erased({name: image.float() for name, image in moved.items()}, **key)

    whole = drawn(MODALITIES)
    assert all(torch.equal(whole[name], drawn(MODALITIES)[name]) for name in MODALITIES)
    assert torch.equal(whole["tir"], drawn(("tir",))["tir"])
    for other in ({"seed": 1}, {"epoch": 2}, {"observation": "b"}):
        assert not torch.equal(whole["tir"], drawn(MODALITIES, **other)["tir"])


def test_erasing_fills_one_rectangle_of_the_allowed_size_with_noise():
    options, counts = Augmentation(erase=0.5), []
    for epoch in range(300):
        image = torch.full((3, 64, 32), 7.0)
        erased = options.erased({"rgb": image.clone()}, seed=0, epoch=epoch, observation="a")["rgb"]
        changed = (erased != image).all(0)
        assert torch.equal(changed, (erased != image).any(0))
        if not changed.any():
            counts.append(0)
            continue
        rows, columns = changed.any(1).nonzero().ravel(), changed.any(0).nonzero().ravel()
        height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        assert changed.sum() == height * width  # one full rectangle
        assert 0.015 < height * width / (64 * 32) < 0.36
        assert 0.25 < height / width < 4
        counts.append(1)
    assert 0.4 < np.mean(counts) < 0.6


def test_erasing_is_drawn_for_each_modality_by_itself():
    together = []
    for epoch in range(200):
        images = {name: torch.zeros(3, 32, 16) for name in MODALITIES}
        erased = Augmentation().erased(images, seed=0, epoch=epoch, observation="a")
        together.append(tuple(bool(erased[name].any()) for name in MODALITIES))
    assert len(set(together)) == 8


def test_options_that_cannot_be_are_errors():
    for bad in ({"flip": 1.5}, {"erase": -1}, {"pad": -1}, {"geometry": "tracked"}):
        with pytest.raises(InputError, match="augment"):
            Augmentation(**bad)
    with pytest.raises(InputError, match="dropout"):
        InputDropout(modality=2)


def test_an_observation_costs_less_than_two_milliseconds():
    images, options = (
        {name: torch.zeros(3, 192, 96, dtype=torch.uint8) for name in MODALITIES},
        Augmentation(),
    )
    best = float("inf")
    for epoch in range(50):
        start = time.perf_counter()
        moved = options.move(images, seed=0, epoch=epoch, observation="a")
        options.erased({n: i.float() for n, i in moved.items()}, seed=0, epoch=epoch, observation="a")
        best = min(best, time.perf_counter() - start)
    assert best < 2e-3


def test_dropout_shares_and_guards():
    dropout, kept, unnamed, cameras = InputDropout(), Counter(), 0, 0
    for index in range(4000):
        left = dropout.draw(MODALITIES, "3", seed=0, epoch=0, observation=str(index))
        assert left.modalities
        assert list(left.modalities) == [m for m in MODALITIES if m in left.modalities]
        assert len(left.unnamed) <= 1
        assert left.unnamed <= set(left.modalities)
        kept[left.modalities] += 1
        unnamed += len(left.unnamed)
        cameras += left.camera is None
    assert len(kept) == 7
    assert kept[MODALITIES] / 4000 == pytest.approx(0.7, abs=0.03)
    assert unnamed / 4000 == pytest.approx(0.2, abs=0.03)
    assert cameras / 4000 == pytest.approx(0.2, abs=0.03)
    shares = [count for names, count in kept.items() if names != MODALITIES]
    assert min(shares) > 0.7 * max(shares)  # all choices alike


def test_the_last_modality_is_never_dropped_and_draws_repeat():
    always = InputDropout(modality=1.0, name=1.0, camera=1.0)
    for index in range(50):
        assert always.draw(("tir",), None, seed=0, epoch=0, observation=str(index)).modalities == ("tir",)
        two = [always.draw(("rgb", "tir"), "1", seed=0, epoch=0, observation=str(index)) for _ in range(2)]
        assert two[0] == two[1]
        assert len(two[0].modalities) == 1
