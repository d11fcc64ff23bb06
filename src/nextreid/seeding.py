"""Random draws that depend on what they are for, never on the order in which they are made.

Every draw comes from a generator made of (seed, keys ...): the same observation in the same epoch
gets the same augmentation in any worker, process or resumed run.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *keys: int | str) -> int:
    """Derive a 63-bit seed from a seed and keys, the same on every machine.

    Args:
        seed: the run's seed.
        keys: what the draw is for, e.g. `"augment", epoch, observation`.
    """
    text = "\x1f".join([str(int(seed)), *(f"{type(key).__name__}:{key}" for key in keys)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, *keys: int | str) -> np.random.Generator:
    """Return a NumPy generator for (seed, keys)."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *keys)))


def torch_generator(seed: int, *keys: int | str) -> "torch.Generator":
    """Return a CPU torch generator for (seed, keys)."""
    import torch  # here, so that rendering processes start without it

    return torch.Generator().manual_seed(derive_seed(seed, *keys))
