"""The paired permutation test: could differences as large come from swapping the two by chance?

Under the hypothesis that two runs are alike, each query's difference may as well have the other sign
(Fisher's randomisation test; Smucker, Allan and Carterette, CIKM 2007, recommend it for retrieval).
Queries are swapped one by one, as if independent.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from nextreid.errors import InputError
from nextreid.seeding import numpy_generator

DRAWS = 10_000
"""Of the signs, where not all can be tried (ours: near p = 0.05 they leave a standard error of 0.002)."""

EXACT = 16
"""Up to so many differences other than 0 all 2^n signs are tried (ours: 65,536, as quick as the draws)."""

_BLOCK_NUMBERS = 2**22  # ours: signs per block, 32 MB as float64
_ROUNDING = 1e-12  # ours: sums that differ by less of the sum of all are the same sum in another order


@dataclass(frozen=True)
class Significance:
    """How often chance alone gives a difference as far from 0.

    Attributes:
        p: two-sided, above 0 and at most 1.
        exact: whether every sign was counted, rather than `DRAWS` of them drawn.
    """

    p: float
    exact: bool


def sign_flip_test(differences: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> tuple[Significance, ...]:
    """Test each column's mean against 0 by flipping the signs of its rows.

    Exact where at most `EXACT` differences are not 0, and where all of them have one size (Rank-k: the
    binomial sign test, as McNemar's). Else from `draws` random signs, the same for every column, with
    the observed one counted among them, p = (1 + as far) / (1 + draws).

    Args:
        differences: (rows, columns) float64, finite; at least one row.
        draws: random signs where not all can be tried; at least 1.
        seed: of the draws.

    Returns:
        One result for each column.

    Raises:
        InputError: no row, other than finite numbers, or no draws.
    """
    if differences.ndim != 2 or not len(differences) or not np.isfinite(differences).all():
        raise InputError(
            f"Differences of the shape {differences.shape}", allowed="(rows, columns), finite, rows > 0"
        )
    if draws < 1:
        raise InputError(f"{draws} random signs", allowed="1 or more; 10000 is usual")
    results = [_exactly(differences[:, column]) for column in range(differences.shape[1])]
    open_columns = [column for column, result in enumerate(results) if result is None]
    if open_columns:
        drawn = _by_draws(differences[:, open_columns], draws, seed)
        for column, p in zip(open_columns, drawn, strict=True):
            results[column] = Significance(float(p), exact=False)
    return tuple(result for result in results if result is not None)


def _exactly(column: np.ndarray) -> Significance | None:
    """Count all signs, or return None where that would take too long."""
    sizes = np.abs(column[column != 0.0])
    if not len(sizes):
        return Significance(1.0, exact=True)
    if np.ptp(sizes) <= _ROUNDING * sizes.max():
        return Significance(_sign_test(int((column > 0).sum()), len(sizes)), exact=True)
    if len(sizes) > EXACT:
        return None
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    far = np.abs(sums) >= np.abs(column.sum()) - _ROUNDING * sizes.sum()
    return Significance(float(far.mean()), exact=True)


def _sign_test(positive: int, n: int) -> float:
    """Return the two-sided binomial p of `positive` among n equal differences."""
    more = max(positive, n - positive)
    if 2 * more == n:
        return 1.0
    tail = sum(comb(n, k) for k in range(more, n + 1))
    return min(1.0, 2 * tail / 2**n)  # whole numbers until here: exact for any n


def _by_draws(columns: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return (columns,) p from random signs."""
    generator = numpy_generator(seed, "sign flips")
    observed = np.abs(columns.sum(axis=0)) - _ROUNDING * np.abs(columns).sum(axis=0)
    far = np.zeros(columns.shape[1], dtype=np.int64)
    block = max(1, _BLOCK_NUMBERS // len(columns))
    for start in range(0, draws, block):
        size = (min(block, draws - start), len(columns))
        signs = 2.0 * generator.integers(0, 2, size=size, dtype=np.int8) - 1.0
        far += (np.abs(signs @ columns) >= observed).sum(axis=0)
    return (1 + far) / (1 + draws)
