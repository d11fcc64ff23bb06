"""The steps of a pretraining: which kind each is about, and how large its pictures are."""

from collections.abc import Mapping

from torch.utils.data import Dataset

from nextreid.pretraining.drawing import Drawer, PairBatch

GOLDEN = 0.6180339887498949
"""Multiples of it, modulo one, fall evenly on 0..1."""


def is_coarse(step: int, *, share: float, total: float) -> bool:
    """Tell whether a step sees small pictures.

    The chance falls as 1 - x**k over the run, x from 0 to 1, with the k whose mean is the share: pictures
    that all become larger at once undo what hundreds of steps have learned.

    Args:
        step: from 0.
        share: of all steps, 0..1.
        total: steps in all.
    """
    if share in (0, 1):
        return bool(share)
    chance = 1 - min(1.0, step / total) ** (share / (1 - share))
    return step * GOLDEN % 1 < chance


class Steps(Dataset[PairBatch]):
    """The batches of a run, in order: the kinds take turns.

    Args:
        drawers: kind -> its batches.
        first, last: steps done before, and steps after the last one.
        coarse: share of the whole run's steps that see small pictures: nearly all at first, none at last.
        total: steps of the whole run.
        rank, world: this process and how many there are.
    """

    def __init__(
        self,
        drawers: Mapping[str, Drawer],
        *,
        first: int,
        last: int,
        coarse: float = 0.0,
        total: int | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.drawers = list(drawers.values())
        self.first, self.last, self.coarse, self.total = first, last, coarse, total or last
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        """Return how many steps are left."""
        return max(0, self.last - self.first)

    def __getitem__(self, index: int) -> PairBatch:
        """Draw the batch of a step, counted from the first one left.

        Raises:
            IndexError: no such step.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        turn, which = divmod(self.first + index, len(self.drawers))
        return self.drawers[which].batch(
            turn,
            rank=self.rank,
            world=self.world,
            foreign=self.drawers[(which + 1) % len(self.drawers)] if len(self.drawers) > 1 else None,
            coarse=is_coarse(turn, share=self.coarse, total=self.total / len(self.drawers)),
        )
