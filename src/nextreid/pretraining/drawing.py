"""Batches of pretraining: pictures of one kind, texts, and which text is true of which picture and where.

Every choice is a function of (seed, step), so a resumed run draws what an unbroken one would have.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import gcd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextreid.pretraining.epoch import TIMES, check_pictures
from nextreid.pretraining.geometry import centred, draw_move, sources
from nextreid.pretraining.importance import importance_of
from nextreid.pretraining.pack import MODALITIES, Pack
from nextreid.pretraining.sentences import Text, Vocabulary
from nextreid.seeding import numpy_generator
from nextreid.synthetic.kinds import load_kind

BACKGROUND = 0
"""Mask value of what is neither the object nor something in front of it."""

SWAPPED = 0.5
"""Share of pictures that get the background of another one: ours, so that none is known by it."""

COARSE = 2
"""Pictures of the coarse steps have this fraction of the height and width (after Li et al. 2023, RECLIP:
most is learned from small pictures, which cost a fraction)."""

SAMPLE = 20_000
"""Most pictures on which the frequency of a drawn text is counted: ours; thousandths do not matter."""

ENOUGH = 0.25
"""Least area of a region, in patches, for the dense term: ours; less is mostly its neighbours."""

UNSEEN = 0.1
"""Weight of a pair whose text speaks of something that the picture does not show, true or not: ours. Such a
pair is false by the rule "true and visible here" and easy to tell (it is dark; it is thermal); with full
weight these pairs are most of the loss, and what the visible ones say is learned late."""


@dataclass(frozen=True)
class PairBatch:
    """Pictures and texts of one step: B pictures, S texts, R regions (P places and the background).

    Attributes:
        pixels: (B,3,H,W) in -1..1.
        texts: S texts.
        labels: (B,S) bool.
        weight: (B,S) `UNSEEN` where the picture does not show all that the text speaks of, else 1.
        frequency: (S,) how often each text is true over all training pictures, so weighted.
        shares: (B,N,R) share of each patch on each region; the last region is the background.
        placed: (S',) which texts name a place.
        place_labels: (B,R,S') 0 or 1, label of region and placed text.
        place_weight: (B,R,S') 1 where the pair counts, else 0.
        attribute: (S'',) number of the attribute of each single value; these texts come first.
        importance: (S'',) weight of its choices (`importance_of`), 1 on average.
        choices: (C,2) picture and single text: the value that the picture shows.
        place_choices: (C',3) picture, region and single text: those seen on a region that is large enough.
    """

    pixels: Tensor
    texts: tuple[str, ...]
    labels: Tensor
    weight: Tensor
    frequency: Tensor
    shares: Tensor
    placed: Tensor
    place_labels: Tensor
    place_weight: Tensor
    attribute: Tensor
    importance: Tensor
    choices: Tensor
    place_choices: Tensor

    def to(self, device: torch.device | str) -> "PairBatch":
        """Return the batch on a device."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=True)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class Heard:
    """The S texts of a step.

    Attributes:
        texts: those of single values come first.
        labels: (B,S) bool, which text is true of which picture, and visible there.
        weight: (B,S), as in `PairBatch`.
        frequency: (S,), as there.
        attribute: (S'',), as there.
        importance: (S'',), as there.
    """

    texts: tuple[Text, ...]
    labels: NDArray[np.bool_]
    weight: NDArray[np.float32]
    frequency: NDArray[np.float32]
    attribute: NDArray[np.int64]
    importance: NDArray[np.float32]


class Drawer:
    """Draws batches from the packs of one kind.

    Args:
        packs: of the same kind and size.
        modalities: those that are seen; the others are left out altogether.
        patch: side of a patch in pixels.
        pictures, texts: B, and how many texts are drawn beside those of single values.
        strangers: texts about another kind of object, beside these.
        seed: of every choice.
    """

    def __init__(
        self,
        packs: Sequence[Pack],
        *,
        modalities: Sequence[str],
        patch: int,
        pictures: int,
        texts: int,
        strangers: int,
        seed: int,
    ) -> None:
        self.packs, self.patch, self.pictures, self.drawn, self.seed = packs, patch, pictures, texts, seed
        self.strangers = strangers
        self.kind = packs[0].kind
        kind = load_kind(self.kind)
        self.vocabulary = Vocabulary(packs[0].schema, kind.evidence)
        self.seen = [MODALITIES.index(name) for name in modalities for _ in range(TIMES.get(name, 1))]
        truth = [
            self.vocabulary.table(pack.values[:, self.seen], pack.visible[:, self.seen]) for pack in packs
        ]
        self.truth: NDArray[np.bool_] = np.concatenate(truth)  # (n*M, V)
        shown = [self.vocabulary.shown(pack.visible[:, self.seen]) for pack in packs]
        self.shown: NDArray[np.bool_] = np.concatenate(shown)  # (n*M, V)
        self.frequency = self.truth.sum(axis=0) / np.where(self.shown, 1, UNSEEN).sum(axis=0)  # (V,)
        self.importance = importance_of(self.truth.mean(axis=0), self.shown.mean(axis=0))
        every = -(-len(self.truth) // SAMPLE)
        while gcd(every, len(self.seen)) > 1:  # or one modality would be counted more than its share
            every += 1
        self._sample = np.asfortranarray(self.truth[::every]), np.asfortranarray(self.shown[::every])
        self.index = np.array(
            [(p, row, m) for p, pack in enumerate(packs) for row in range(len(pack)) for m in self.seen],
            dtype=np.int32,
        )
        self.surroundings = self._surroundings()
        check_pictures(pictures, sum(map(len, packs)), modalities)
        self.regions = np.zeros((256, len(self.vocabulary.places) + 1), dtype=np.float32)
        for place, parts in enumerate(self.vocabulary.places):
            for name in parts:
                self.regions[kind.table.number(name), place] = 1
        self.regions[BACKGROUND, -1] = 1
        places = self.regions[:, :-1]
        self.apart = (places.T @ places) == 0  # places that share no part

    def __len__(self) -> int:
        """Return the number of pictures in an epoch."""
        return len(self.index)

    def batch(
        self,
        step: int,
        *,
        rank: int = 0,
        world: int = 1,
        foreign: "Drawer | None" = None,
        coarse: bool = False,
    ) -> PairBatch:
        """Draw the batch of a step: this process's share of the pictures, all of the texts.

        Args:
            step: which one; the same step gives the same batch.
            rank, world: this process and how many there are.
            foreign: draws the texts about another kind of object.
            coarse: pictures of half the height and width.
        """
        per_epoch = len(self.index) // self.pictures
        epoch, at = divmod(step, per_epoch)
        order = numpy_generator(self.seed, "order", self.kind, epoch).permutation(len(self.index))
        rows = order[at * self.pictures : (at + 1) * self.pictures]
        heard = self.hear(rows, numpy_generator(self.seed, "texts", self.kind, step), foreign)
        share = slice(rank * len(rows) // world, (rank + 1) * len(rows) // world)
        rows, labels, weight = rows[share], heard.labels[share], torch.from_numpy(heard.weight[share])
        pixels, masks = self._pictures(rows, numpy_generator(self.seed, "geometry", self.kind, step, rank))
        smaller = COARSE if coarse else 1
        shares = self._shares(masks, self.patch * smaller)
        placed = np.array([s for s, text in enumerate(heard.texts) if text.place is not None], dtype=np.int64)
        place_labels, place_weight = self.places([heard.texts[s] for s in placed], labels[:, placed], shares)
        choices = np.argwhere(labels[:, : len(heard.attribute)])
        return PairBatch(
            pixels=centred(pixels, smaller),
            texts=tuple(text.text for text in heard.texts),
            labels=torch.from_numpy(labels),
            weight=weight,
            frequency=torch.from_numpy(heard.frequency),
            shares=shares,
            placed=torch.from_numpy(placed),
            place_labels=place_labels,
            place_weight=place_weight * weight[:, None, placed],
            attribute=torch.from_numpy(heard.attribute),
            importance=torch.from_numpy(heard.importance),
            choices=torch.from_numpy(choices),
            place_choices=_on_regions(choices, heard.texts, shares),
        )

    def hear(self, rows: NDArray[np.int64], rng: np.random.Generator, foreign: "Drawer | None") -> Heard:
        """Draw the texts of a step, and tell of which pictures they are true.

        Args:
            rows: the pictures.
            rng: of every choice.
            foreign: draws the texts about another kind of object.
        """
        singles = self.vocabulary.singles(rng)
        drawn = self.vocabulary.draw(self.truth[rows], self.drawn, rng)
        columns = [self.vocabulary.columns[next(iter(text.states))] for text in singles]
        frequency = np.concatenate([self.frequency[columns], self._frequency(drawn)])
        texts = singles + drawn
        others: list[Text] = []
        if foreign is not None and self.strangers:
            seen = foreign.truth[rng.integers(len(foreign.truth), size=self.strangers)]
            # light and quality are said of both kinds in the same words
            others = foreign.vocabulary.draw(foreign.vocabulary.of_the_object(seen), self.strangers, rng)
            frequency = np.concatenate([frequency, foreign._frequency(others)])
        never = np.zeros((len(rows), len(others)), dtype=bool)
        labels = np.concatenate([self.vocabulary.labels(self.truth[rows], texts), never], axis=1)
        shown = np.concatenate([self.vocabulary.labels(self.shown[rows], texts), ~never], axis=1)
        names = [next(iter(text.states))[0] for text in singles]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return Heard(
            texts=(*texts, *(Text(text.text, text.states, None) for text in others)),
            labels=labels,
            weight=np.where(shown, 1, UNSEEN).astype(np.float32),
            frequency=frequency.astype(np.float32),
            attribute=np.array([numbers[name] for name in names], dtype=np.int64),
            importance=self.importance[columns],
        )

    def _frequency(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Return how often texts are true over a sample of all pictures, weighted as in the loss, (S,)."""
        if not texts:
            return np.zeros(0)
        truth, shown = self._sample
        true = self.vocabulary.labels(truth, texts).sum(axis=0)
        weights = np.where(self.vocabulary.labels(shown, texts), 1, UNSEEN).sum(axis=0)
        return np.asarray(true / weights)

    def _surroundings(self) -> NDArray[np.int64]:
        """Return a number for each row of the index; equal ones share modality, light and quality."""
        schema = self.packs[0].schema
        told = [a for a, each in enumerate(schema.attributes) if not schema.group_of(each.name).identity]
        values = [pack.values[:, self.seen][..., told].reshape(-1, len(told)) for pack in self.packs]
        keys = np.concatenate([np.concatenate(values), self.index[:, 2:]], axis=1)
        return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)

    def _pictures(
        self, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read pictures and masks, moved alike; some pictures get the background of another like them."""
        pixels, masks = [], []
        pixels_of = [np.asarray(pack.pixels) for pack in self.packs]  # plain arrays: their rows are views
        masks_of = [np.asarray(pack.masks) for pack in self.packs]
        for p, row, m in self.index[rows]:
            mask = masks_of[p][row, m]
            taken = sources(mask.shape, draw_move(rng))
            pixels.append(pixels_of[p][row, m].reshape(-1, 3).take(taken, axis=0))
            masks.append(mask.reshape(-1).take(taken))
        found = pixels.copy()
        partners = _partners(self.surroundings[rows], rng)
        for at in np.flatnonzero(rng.random(len(rows)) < SWAPPED):
            other = partners[at]
            free = (masks[at] == BACKGROUND) & (masks[other] == BACKGROUND)
            found[at] = np.where(free[..., None], pixels[other], pixels[at])
        return np.stack(found), np.stack(masks)

    def _shares(self, masks: NDArray[np.uint8], side: int) -> Tensor:
        """Return the share of each patch, of this side, that lies on each region, (B,H,W) -> (B,N,R)."""
        b, height, width = masks.shape
        grid = masks.reshape(b, height // side, side, width // side, side).transpose(0, 1, 3, 2, 4)
        cells = grid.reshape(b * (height // side) * (width // side), side * side)
        offsets = np.arange(len(cells), dtype=np.int64)[:, None] * 256 + cells
        counts = np.bincount(offsets.ravel(), minlength=len(cells) * 256).reshape(len(cells), 256)
        shares = counts.astype(np.float32) @ self.regions / (side * side)
        return torch.from_numpy(shares.reshape(b, -1, self.regions.shape[1]))

    def places(
        self, texts: Sequence[Text], labels: NDArray[np.bool_], shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return labels and weights of (picture, region, text).

        A text about a place is true there, or not, as of the picture; anywhere apart from that place it
        is not true. Regions that overlap the place, and regions too small to see, do not count.
        """
        there = (shares.sum(dim=1) >= ENOUGH).float()  # (B,R)
        places = np.array([text.place for text in texts], dtype=np.int64)
        here = torch.zeros(len(self.vocabulary.places) + 1, len(texts))  # (R,S')
        here[places, np.arange(len(texts))] = 1
        apart = torch.from_numpy(np.concatenate([self.apart[:, places], np.ones((1, len(texts)), bool)]))
        counted = here + apart.float()
        return torch.from_numpy(labels).float()[:, None] * here, there[..., None] * counted


def _on_regions(choices: NDArray[np.int64], texts: Sequence[Text], shares: Tensor) -> Tensor:
    """Return (picture, region, text) of the choices whose text names a region that is large enough."""
    places = np.array([-1 if text.place is None else text.place for text in texts], dtype=np.int64)
    picture, text = choices.T
    region = places[text]
    large = shares.sum(dim=1).numpy()[picture, region] >= ENOUGH
    kept = large & (region >= 0)
    return torch.from_numpy(np.stack([picture, region, text], axis=1)[kept])


def _partners(kinds: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each picture another one of the same number, itself where there is none."""
    order = rng.permutation(len(kinds))
    partners = np.empty_like(order)
    for number in np.unique(kinds):
        alike = order[kinds[order] == number]
        partners[alike] = np.roll(alike, 1)
    return partners
