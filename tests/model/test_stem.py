"""The convolutional stem: folding changes nothing, and folders with one are written, read and refused."""

import json

import pytest
import torch
from clip_cases import make_notes

from nextreid.errors import InputError
from nextreid.model.backbone import VisualEncoder, load_clip
from nextreid.model.builtin import random_clip
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import save_clip
from nextreid.model.stem import ConvStem, saved_state, stem_of

VISION = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 16,
    "stem": [4, 6, 8, 12],
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "max_position_embeddings": 77,
}


def small_clip(seed: int = 0, **vision: object) -> Clip:
    settings = {"projection_dim": 8, "vision_config": VISION | vision, "text_config": TEXT}
    return random_clip(settings, corpus=["a red car"], seed=seed)


def seen(stem: ConvStem, batches: int = 5) -> ConvStem:
    """Let a stem see some pictures, so that its statistics are no longer the first ones."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(batches):
        stem.train()(3 * torch.randn(8, 3, 64, 32, generator=generator) + 1)
    for norm in stem.norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.uniform_(norm.bias, -1, 1)
    return stem.eval()


def test_the_grid_is_that_of_linear_patches() -> None:
    assert ConvStem((4, 6, 8, 12), 24, normed=True)(torch.zeros(2, 3, 96, 48)).shape == (2, 24, 6, 3)


def test_folding_changes_nothing() -> None:
    stem = seen(ConvStem((4, 6, 8, 12), 24, normed=True))
    pixels = torch.randn(3, 3, 64, 48)
    with torch.no_grad():
        folded = stem.folded().eval()
        assert torch.allclose(stem(pixels), folded(pixels), atol=1e-4)
        assert torch.allclose(folded.folded()(pixels), folded(pixels), atol=0)
    assert not any("norms" in name for name in folded.state_dict())


def test_frozen_statistics_stand_while_the_rest_trains() -> None:
    stem = seen(ConvStem((4, 6, 8, 12), 24, normed=True))
    stem.train()
    stem.freeze_norms()
    before = {name: tensor.clone() for name, tensor in stem.named_buffers()}
    pixels = torch.randn(6, 3, 32, 32)
    alone = torch.cat([stem(pixels[at : at + 1]) for at in range(6)])
    assert torch.allclose(stem(pixels), alone, atol=1e-4)  # a picture is seen the same in any batch
    stem(pixels).sum().backward()
    assert all(p.grad is not None for p in stem.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in stem.named_buffers())


def test_a_folder_comes_back_with_the_same_function(tmp_path) -> None:
    clip = small_clip()
    seen(stem_of(clip.model))
    save_clip(clip, tmp_path / "clip", half=False, notes=make_notes())
    again = load_clip(tmp_path / "clip")
    assert not stem_of(again.model).normed
    assert stem_of(clip.model).normed  # in memory as it was
    nowhere, pixels = torch.zeros(2, dtype=torch.long), torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        one, other = (
            VisualEncoder(each.model, modalities=0, cameras=None, dense="last").eval()(
                pixels, nowhere, nowhere
            )
            for each in (clip, again)
        )
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(one, other, strict=True))
    assert saved_state(again.model).keys() == again.model.state_dict().keys()


def test_the_seed_draws_the_stem_too() -> None:
    one, same, other = (stem_of(small_clip(seed).model).last.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("widths", [[4, 6, 8], [4, 6, 8, -1], [4, 6, 8, "12"], "big", 4])
def test_a_wrong_stem_in_a_configuration_is_refused(tmp_path, widths) -> None:
    folder = save_clip(small_clip(), tmp_path / "clip", half=True, notes=make_notes())
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["stem"] = widths
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config.json"):
        load_clip(folder)


def test_other_widths_than_the_weights_have_are_refused(tmp_path) -> None:
    folder = save_clip(small_clip(), tmp_path / "clip", half=True, notes=make_notes())
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["stem"] = [4, 6, 10, 12]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError):
        load_clip(folder)


def test_without_a_stem_patches_are_linear() -> None:
    assert stem_of(small_clip(stem=[]).model) is None
    assert stem_of(load_clip("builtin:tiny").model) is None
