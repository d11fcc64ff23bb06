"""The text tower is taught first, by an encoder that reads the truth itself instead of a picture.

From random weights, sentences of two values of a small part ("The grille is striped." and "... meshed.")
have nearly one embedding. Pictures then learn nothing of what tells them apart, since it would change no
loss, and sentences learn nothing either, since the pictures do not differ: both stay there for tens of
thousands of steps. An encoder that is given the truth table of a picture has no such trouble. It is a
linear map, one for each kind of object; with the same sentences and losses it and the text tower agree in
a minute, and what is said of different values ends up as far apart as the losses want it. The map is
thrown away, the text tower stays as it is, and the visual tower learns to say the same from pixels.

Of half of the values the map is only told that the attribute is shown, and on which region, not which value
it has. A picture is often no clearer; then the sentences of all values of hair must still be nearer to hair
than to shoes. Told everything, sentences would share nothing but their value, and patches could not point.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nextreid.losses.grounding import PairSigmoid, ValueChoice
from nextreid.pretraining.drawing import Drawer, Heard
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

REGIONS = 4.0
"""Weight of the regions' term: ours, that of the dense term; a control without it hears the same."""

HIDDEN = 0.5
"""Share of the values that the map is not told: ours."""


@dataclass(frozen=True)
class Taught:
    """How the lesson ended: means over the last tenth of the steps.

    Attributes:
        pairs: loss of truth tables and texts.
        choice: cross-entropy of an attribute's values, of those told; 0 if all are told apart.
        regions: loss of regions and texts.
    """

    pairs: float
    choice: float
    regions: float


class _Reader(nn.Module):
    """Reads truth tables of one kind, and what they say of one region.

    Args:
        drawer: of that kind.
        width: D.
    """

    def __init__(self, drawer: Drawer, width: int) -> None:
        super().__init__()
        words = drawer.vocabulary
        names = [name for name, _ in words.columns]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        of = torch.zeros(len(names), len(numbers))
        of[torch.arange(len(names)), torch.tensor([numbers[name] for name in names])] = 1
        at = torch.zeros(len(names), len(words.places) + 1)  # the last is the background
        for column, pair in enumerate(words.columns):
            place = words.place_of(pair)
            if place is not None:
                at[column, place] = 1
        self.of: Tensor
        self.at: Tensor
        self.register_buffer("of", of)  # (V,A) which attribute a column is about
        self.register_buffer("at", at)  # (V,R) on which region it is seen
        self.picture = nn.Linear(len(names) + len(numbers), width)
        self.region = nn.Linear(len(names) + at.shape[1], width)

    def forward(self, truth: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors of pictures (B,D) and of their regions (B,R,D).

        Args:
            truth: (B,V) what is true and visible.
            told: (B,A) of which attributes the value is told.
        """
        shown = truth @ self.of  # (B,A)
        said = truth * (told @ self.of.T)  # (B,V)
        places = torch.eye(self.at.shape[1], device=truth.device).expand(len(truth), -1, -1)
        there = said[:, None] * self.at.T  # (B,R,V)
        found: Tensor = self.picture(torch.cat([said, shown], dim=1))
        regions: Tensor = self.region(torch.cat([there, places], dim=2))
        return found, regions


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
        readers = nn.ModuleDict({kind: _Reader(drawer, width) for kind, drawer in drawers.items()})
    readers.to(device)
    terms = nn.ModuleList([PairSigmoid(), ValueChoice(), PairSigmoid()]).to(device)
    groups = [
        {"params": [*texts.parameters(), *terms.parameters()], "full": RATE},
        {"params": list(readers.parameters()), "full": MAP_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=MOMENTA, weight_decay=0.01)
    others = dict(zip(drawers, [*list(drawers.values())[1:], next(iter(drawers.values()))], strict=True))
    log: list[list[float]] = []
    with (progress or Silent()).task("Reading", steps) as task:
        for step in range(steps):
            share = share_of_rate(step, total=steps, warmup=max(1, round(WARMUP * steps)))
            for group in optimizer.param_groups:
                group["lr"] = group["full"] * share
            optimizer.zero_grad()
            found = torch.zeros(3)
            for kind, drawer in drawers.items():
                rng = numpy_generator(seed, "reading", kind, step)
                rows = rng.integers(len(drawer.truth), size=ROWS)
                heard = drawer.hear(rows, rng, others[kind] if len(drawers) > 1 else None)
                losses = _losses(texts, readers[kind], terms, drawer, rows, heard, rng)
                (losses * losses.new_tensor([1.0, 1.0, REGIONS])).sum().backward()
                found += losses.detach().cpu() / len(drawers)
            optimizer.step()
            log.append(found.tolist())
            task.advance()
            task.note(f"pairs {found[0]:.3f}, values {found[1]:.3f}, regions {found[2]:.3f}")
    texts.zero_grad()  # what is left would count as gradient of the pictures' steps
    texts.requires_grad_(False)
    final = log[-max(1, steps // 10) :]
    return Taught(*(round(sum(column) / len(final), 5) for column in zip(*final, strict=True)))


def _losses(
    texts: TextTower,
    reader: nn.Module,
    terms: nn.ModuleList,
    drawer: Drawer,
    rows: NDArray[np.int64],
    heard: Heard,
    rng: np.random.Generator,
) -> Tensor:
    """Return the losses of pictures' truth, of its values, and of regions, (3,)."""
    device = texts.projection.weight.device
    pairs, choice, regions = terms
    truth = torch.from_numpy(drawer.truth[rows]).float().to(device)
    attributes = int(heard.attribute[-1]) + 1
    told = torch.from_numpy(rng.random((len(rows), attributes)) >= HIDDEN).float().to(device)
    labels = torch.from_numpy(heard.labels)
    weight, frequency = torch.from_numpy(heard.weight), torch.from_numpy(heard.frequency).to(device)
    sentences = texts([text.text for text in heard.texts])
    picture, region = reader(truth, told)
    image: Tensor = pairs(
        picture, sentences, labels=labels.to(device), frequency=frequency, weight=weight.to(device)
    )
    singles = len(heard.attribute)
    attribute = torch.from_numpy(heard.attribute).to(device)
    row, chosen = labels[:, :singles].to(device).nonzero(as_tuple=True)
    kept = told[row, attribute[chosen]] > 0
    row, chosen = row[kept], chosen[kept]
    value: Tensor = choice(
        picture[row],
        sentences[:singles],
        chosen=chosen,
        attribute=attribute,
        frequency=frequency[:singles],
        out_of=max(1, len(chosen)),
    )
    placed = np.array([s for s, text in enumerate(heard.texts) if text.place is not None], dtype=np.int64)
    everywhere = torch.ones(len(rows), 1, region.shape[1])
    place_labels, place_weight = drawer.places(
        [heard.texts[s] for s in placed], heard.labels[:, placed], everywhere
    )
    dense: Tensor = regions(
        region,
        sentences[placed],
        labels=place_labels.to(device),
        frequency=frequency[placed],
        weight=(place_weight * weight[:, None, placed]).to(device),
    )
    return torch.stack([image, value, dense])
