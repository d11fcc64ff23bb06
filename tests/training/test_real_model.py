"""The NEXT model in training: every parameter moves, and resuming stays exact with captions."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_world import MODALITIES, save_weights

from nextreid.attributes.schema import load_schema
from nextreid.data.cache import ResizedImages
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import TrainingSet
from nextreid.losses.total import LossWeights
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.heads import IdentityHeads
from nextreid.model.sentences import select_prompts
from nextreid.observation import Observation, Sentence
from nextreid.training.checkpoint import load_checkpoint
from nextreid.training.fit import fit
from nextreid.training.metrics import read_metrics
from nextreid.training.optim import settings_for

SIZE = (64, 32)
WORDS = ("red", "blue", "green", "grey", "long", "short", "old", "young", "dark", "bright")


def observations(identities=6, each=4):
    """Every observation has captions of its own, of different lengths."""
    rng, made = np.random.default_rng(0), []
    groups = [group.name for group in load_schema("person").identity_groups]
    for identity in range(identities):
        for number in range(each):
            images = {m: rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for m in MODALITIES}
            captions = tuple(
                Sentence(
                    group, " ".join(rng.choice(WORDS, rng.integers(2, 9))) + ".", evidence=frozenset({m})
                )
                for group in groups
                for m in MODALITIES
            )
            made.append(
                Observation(
                    id=f"o{identity}_{number}",
                    identity=str(identity),
                    camera=str(number % 2),
                    images=images,
                    captions=captions,
                )
            )
    return made


def train(run, *, changes=None, auxiliary=None, **keywords):
    schema = load_schema("person")
    architecture = Architecture(modalities=MODALITIES, schema=schema.to_dict(), size=SIZE, **(changes or {}))
    model = build_model(architecture, load_clip("builtin:tiny", corpus=list(WORDS), seed=0), seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        heads = IdentityHeads(widths=model.widths, identities=6)
    prompts = partial(select_prompts, groups=[group.name for group in schema.identity_groups], dropout=0.2)
    images = ResizedImages(observations(), transform=ImageTransform(SIZE))
    fit(
        model=model,
        heads=heads,
        data=TrainingSet(
            images, modalities=MODALITIES, prompts=lambda s, p, rng: prompts(s, present=p, rng=rng)
        ),
        run=run,
        save=save_weights(model),
        p=3,
        k=2,
        optim=settings_for("scratch"),
        weights=LossWeights(auxiliary=auxiliary or {}),
        accelerator="cpu",
        tensorboard=False,
        check_gradients="always",
        **{"epochs": 3, "precision": "fp32", **keywords},
    )
    return load_checkpoint(run / "checkpoints" / "last.ckpt")


SWITCHES = {
    "whole": ({}, {}),
    "auxiliary": ({"text_loss": True}, {"text": 0.1, "mutual_information": 0.1, "agreement": 0.1}),
    "no text": ({"tmse_text": False}, {}),
    "no tmse": ({"tmse": False}, {}),
    "no csse": ({"csse": False}, {}),
    "no mmfa": ({"mmfa": False}, {}),
    "concat": ({"name": "concat"}, {}),
    "moe": ({"name": "moe"}, {}),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_parameter_gets_a_gradient_in_every_step(tmp_path, name):
    changes, auxiliary = SWITCHES[name]
    train(tmp_path / "run", changes=changes, auxiliary=auxiliary)
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 12


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resuming_is_exact_with_captions(tmp_path, precision):
    whole = train(tmp_path / "whole", precision=precision)

    def crash(model):
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path / "run", precision=precision, validate=crash, validate_every=2, checkpoint_every=3)
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt").step == 6
    state = tmp_path / "run" / "checkpoints" / "last.ckpt"
    again = torch.load(state, weights_only=True)
    again["settings"]["train.validate_every"] = "0"  # the other run has no validation
    torch.save(again, state)
    resumed = train(tmp_path / "run", precision=precision, resume=True, checkpoint_every=3)
    differing = [
        name for name in whole.weights if not torch.equal(whole.weights[name], resumed.weights[name])
    ]
    assert not differing
