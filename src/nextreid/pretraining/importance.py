"""How much a choice among an attribute's values counts, by how often pictures show the attribute."""

import numpy as np
from numpy.typing import NDArray

RARELY = 0.02
"""Share of pictures that show an attribute below which its choices do not count more: ours."""


def importance_of(true: NDArray[np.float64], shown: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the weight of the choices of each value, (V,): choices among rarely shown ones count more.

    One over the root of how often the attribute is shown (ours): a grille, which one picture of ten shows,
    would be a hundredth of all choices, and all attributes matter alike. The mean over all choices is 1.

    Args:
        true: (V,) how often each value is true and visible, 0..1.
        shown: (V,) how often the value's attribute is shown at all, 0..1.
    """
    weight = 1 / np.sqrt(np.maximum(shown, RARELY))
    return (weight * true.sum() / max((weight * true).sum(), 1e-12)).astype(np.float32)
