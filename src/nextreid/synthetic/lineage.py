"""Who looks like whom: look-alike pairs and twin sets, planned before any identity is drawn.

A *clan* is a grid. Its rows are bodies (geometry, shade, texture, reflectances: what words do not say),
its two columns are attribute tuples that differ in one attribute. Along a row stand look-alikes (the
same body, one attribute changed), down a column twins (the same words, another body). So every member
has a partner that only one attribute tells apart, and several that no word tells apart.
"""

from dataclasses import dataclass

from nextreid.errors import InputError

TEST_TWINS = 8
"""Least bodies in a test clan, where there are identities enough: ours. Four per attribute tuple keep
captions from identifying; with eight a perfect reader of captions is right once in eight times."""

TRAIN_TWINS = 2
"""Bodies in a training clan: ours; fewer twins leave more different attribute tuples to learn from."""


@dataclass(frozen=True)
class Slot:
    """The place of one identity.

    Args:
        index: position in the world, 0-based; `name` is 1-based with six digits.
        split: "train" or "test"; never divides a clan.
        clan: number of the clan: seeds the attribute tuple.
        body: number of the body inside the clan: seeds the details.
        variant: 0 the clan's tuple, 1 the tuple with one attribute changed.
    """

    index: int
    split: str
    clan: int
    body: int
    variant: int

    @property
    def name(self) -> str:
        """Six digits, as benchmark folders have it."""
        return f"{self.index + 1:06d}"

    @property
    def lookalike(self) -> str:
        """Look-alike group: one body of one clan."""
        return f"c{self.clan:03d}b{self.body:02d}"

    @property
    def twins(self) -> str:
        """Twin set: one attribute tuple of one clan."""
        return f"c{self.clan:03d}v{self.variant}"


def plan_lineage(count: int, *, test_fraction: float = 0.5) -> tuple[Slot, ...]:
    """Lay out the identities of a world; training ones come first.

    Every twin set of the test split has at least 4 members when the split has at least 8.

    Args:
        count: identities, train and test together, at least 2.
        test_fraction: share that is for testing, 0..1; rounded to whole identities.

    Raises:
        InputError: too few identities or a fraction outside 0..1.
    """
    if count < 2:
        raise InputError(f"identities = {count}", allowed="at least 2, so that there is somebody else")
    if not 0.0 <= test_fraction <= 1.0:
        raise InputError(f"test_fraction = {test_fraction}", allowed="0 to 1")
    tests = round(count * test_fraction)
    slots: list[Slot] = []
    clan = 0
    for split, members, twins in (("train", count - tests, TRAIN_TWINS), ("test", tests, TEST_TWINS)):
        clans = max(1, members // (2 * twins)) if members else 0
        for part in range(clans):
            size = members // clans + (part < members % clans)
            for place in range(size):
                slots.append(Slot(len(slots), split, clan, place // 2, place % 2))
            clan += 1
    return tuple(slots)
