"""The text tower is taught first, by an encoder that reads the truth itself instead of a picture.

From random weights, sentences of two values of a small part ("The grille is striped." and "... meshed.")
have nearly one embedding. Pictures then learn nothing of what tells them apart, since it would change no
loss, and sentences learn nothing either, since the pictures do not differ: both stay there for tens of
thousands of steps. An encoder that is given the truth table of a picture has no such trouble. It is a
linear map, one for each kind of object; with the same sentences and losses it and the text tower agree in
a minute, and what is said of different values ends up as far apart as the losses want it. The map is
thrown away, the text tower stays as it is, and the visual tower learns to say the same from pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from nextreid.losses.grounding import PairSigmoid, ValueChoice
from nextreid.pretraining.drawing import Drawer
from nextreid.pretraining.optim import MOMENTA, share_of_rate
from nextreid.pretraining.text_tower import TextTower
from nextreid.progress import Progress, Silent
from nextreid.seeding import derive_seed, numpy_generator

RATE = 3e-3
"""AdamW, of the text tower: ours."""

MAP_RATE = 1e-2
"""AdamW, of the map from truth: ours."""

ROWS = 128
"""Truth tables in a step: ours; they cost nothing."""

WARMUP = 0.1
"""Share of the steps with a rising rate: ours."""


@dataclass(frozen=True)
class Taught:
    """How the lesson ended: means over the last tenth of the steps.

    Attributes:
        pairs: loss of truth tables and texts.
        choice: cross-entropy of an attribute's values; 0 if all are told apart.
    """

    pairs: float
    choice: float


def teach_text(
    texts: TextTower,
    drawers: Mapping[str, Drawer],
    *,
    steps: int,
    seed: int,
    progress: Progress | None = None,
) -> Taught:
    """Teach a text tower in place; its weights are not trained any more afterwards.

    Args:
        texts: with random weights.
        drawers: kind -> its texts and truth.
        steps: each hears texts about every kind.
        seed: of every choice.
        progress: draws the bar.
    """
    texts.requires_grad_(True)
    width = int(texts.projection.out_features)
    device = texts.projection.weight.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "reading"))
        maps = nn.ModuleDict({kind: nn.Linear(d.truth.shape[1], width) for kind, d in drawers.items()})
    maps.to(device)
    pairs, choice = PairSigmoid().to(device), ValueChoice().to(device)
    groups = [
        {"params": [*texts.parameters(), *pairs.parameters(), *choice.parameters()], "full": RATE},
        {"params": list(maps.parameters()), "full": MAP_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=MOMENTA, weight_decay=0.01)
    others = dict(zip(drawers, [*list(drawers.values())[1:], next(iter(drawers.values()))], strict=True))
    last: list[tuple[float, float]] = []
    with (progress or Silent()).task("Reading", steps) as task:
        for step in range(steps):
            share = share_of_rate(step, total=steps, warmup=max(1, round(WARMUP * steps)))
            for group in optimizer.param_groups:
                group["lr"] = group["full"] * share
            optimizer.zero_grad()
            told = torch.zeros(2)
            for kind, drawer in drawers.items():
                rng = numpy_generator(seed, "reading", kind, step)
                rows = rng.integers(len(drawer.truth), size=ROWS)
                foreign = others[kind] if len(drawers) > 1 else None
                heard = drawer.hear(rows, rng, foreign)
                labels = torch.from_numpy(heard.labels).to(device)
                frequency = torch.from_numpy(heard.frequency).to(device)
                sentences = texts([text.text for text in heard.texts])
                truth = maps[kind](torch.from_numpy(drawer.truth[rows]).float().to(device))
                image = pairs(
                    truth,
                    sentences,
                    labels=labels,
                    frequency=frequency,
                    weight=torch.from_numpy(heard.weight).to(device),
                )
                singles = len(heard.attribute)
                picture, chosen = labels[:, :singles].nonzero(as_tuple=True)
                values = choice(
                    truth[picture],
                    sentences[:singles],
                    chosen=chosen,
                    attribute=torch.from_numpy(heard.attribute).to(device),
                    frequency=frequency[:singles],
                    out_of=max(1, len(chosen)),
                )
                (image + values).backward()
                told += torch.stack([image, values]).detach().cpu() / len(drawers)
            optimizer.step()
            task.advance()
            task.note(f"pairs {told[0]:.3f}, values {told[1]:.3f}")
            last.append((float(told[0]), float(told[1])))
    texts.zero_grad()  # what is left would count as gradient of the pictures' steps
    texts.requires_grad_(False)
    final = last[-max(1, steps // 10) :]
    return Taught(*(round(sum(column) / len(final), 5) for column in zip(*final, strict=True)))
