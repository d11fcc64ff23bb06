import pickle

import pytest
import torch

from nextreid.data.batch import Sample, collate
from nextreid.errors import InputError


def sample(name, value=1.0, **keywords):
    modalities = keywords.pop("modalities", ("rgb", "tir"))
    images = {m: torch.full((3, 4, 2), value) for m in modalities}
    return Sample(images=images, observation=name, **keywords)


def test_columns_are_the_models_then_the_unknown_ones_sorted():
    batch = collate([sample("a", modalities=("rgb", "depth")), sample("b", modalities=("tir", "event"))],
                    ("tir", "rgb"))  # fmt: skip
    assert batch.modalities == ("tir", "rgb", "depth", "event")
    assert batch.present.tolist() == [[False, True, True, False], [True, False, False, True]]
    assert batch.named is None
    assert len(batch) == 2
    assert batch.images["depth"].shape == (2, 3, 4, 2)


def test_names_labels_and_seeds_travel():
    batch = collate(
        [
            sample("a", unnamed=frozenset({"tir"}), label=3, noise_seed=2**62 + 1, camera="2"),
            sample("b", label=1, noise_seed=5, prompts=((("words", 1.0),), ())),
        ],
        ("rgb", "tir"),
    )
    assert batch.named.tolist() == [[True, False], [True, True]]
    assert batch.label.tolist() == [3, 1]
    assert batch.noise_seed.tolist() == [2**62 + 1, 5]
    assert batch.camera == ("2", None)
    assert batch.prompts[1] == ((("words", 1.0),), ())


def test_a_batch_moves_and_pickles():
    batch = collate([sample("a", label=0)], ("rgb", "tir")).to("cpu")
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again.images["rgb"], batch.images["rgb"])


def test_faults_are_named():
    with pytest.raises(InputError, match="empty batch"):
        collate([], ("rgb",))
    with pytest.raises(InputError, match="'a' has no image"):
        collate([Sample(images={}, observation="a"), sample("b")], ("rgb",))
    small = Sample(images={"rgb": torch.zeros(3, 2, 2)}, observation="b")
    with pytest.raises(InputError, match="different sizes"):
        collate([sample("a"), small], ("rgb",))
    with pytest.raises(InputError, match="some have none"):
        collate([sample("a", label=1), sample("b")], ("rgb",))
