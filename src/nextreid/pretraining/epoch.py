"""What an epoch of one kind of object holds."""

from collections.abc import Sequence

from nextreid.errors import InputError
from nextreid.modality import RGB

TIMES = {RGB: 2}
"""How often each picture of a modality is drawn in an epoch, where not once: ours; RGB shows most values, and
differs most from picture to picture."""


def check_pictures(pictures: int, observations: int, modalities: Sequence[str]) -> None:
    """Check that an epoch of one kind holds a step.

    Args:
        pictures: of a step.
        observations: of the kind.
        modalities: those that are seen.

    Raises:
        InputError: too few.
    """
    epoch = observations * sum(TIMES.get(name, 1) for name in modalities)
    if pictures > epoch:
        raise InputError(
            f"--loss.pictures {pictures}: an epoch has {epoch} pictures of a kind",
            allowed=f"at most {epoch}",
            do="lower it, or render more with --world.identities",
        )
