"""The galleries that SYSU-MM01's official evaluation draws, as numbers beside each image.

`rand_perm_cam.mat` holds, for each camera and identity, permutations of its images, one for each trial;
a trial's gallery is the first (single-shot) or the first ten (multi-shot) of each. The columns `draw_1` to
`draw_10` say at which place of its permutation an image stands, counted from 0: single-shot trial t is
`draw_t < 1`, multi-shot `draw_t < 10`. A manifest that was written from the tree needs the file no more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nextreid.errors import InputError

TRIALS = 10
"""Trials of the official MATLAB evaluation of SYSU-MM01."""

FILE = "exp/rand_perm_cam.mat"
"""Where the permutations lie in the data set."""

Permutations = Mapping[tuple[int, int], np.ndarray]
"""(camera, identity) -> (trials, images) int, places from 0."""


def read_permutations(path: Path) -> dict[tuple[int, int], np.ndarray]:
    """Read the permutations of every camera and identity that has images.

    Args:
        path: `rand_perm_cam.mat`: a cell per camera, in it a cell per identity (counted from 1), in it
            (trials, images) image numbers counted from 1.

    Raises:
        InputError: a file that is not of this form, naming camera and identity.
    """
    cells = _cells(path)
    found: dict[tuple[int, int], np.ndarray] = {}
    for camera, people in enumerate(np.ravel(cells), start=1):
        for identity, drawn in enumerate(np.ravel(people), start=1):
            order = np.asarray(drawn)
            if order.size == 0:
                continue
            number = order.shape[-1]
            whole = order.ndim == 2 and len(order) >= TRIALS
            if not whole or not (np.sort(order, axis=1) == np.arange(1, number + 1)).all():
                raise InputError(
                    f"{path}, camera {camera}, identity {identity}: {order.shape} numbers that are no "
                    f"{TRIALS} permutations of 1 to {number}",
                    do="copy the file again",
                )
            found[camera, identity] = order[:TRIALS].astype(np.int64) - 1
    return found


def _cells(path: Path) -> Any:
    import scipy.io

    form = "the variable rand_perm_cam, a cell array over cameras of cell arrays over identities"
    try:
        cells = scipy.io.loadmat(path)["rand_perm_cam"]
    except KeyError as error:
        raise InputError(f"{path} has no variable rand_perm_cam", allowed=form) from error
    except Exception as error:  # damaged files raise what their bytes happen to mean
        raise InputError(f"{path} cannot be read as a MATLAB file: {error}", allowed=form) from error
    if cells.dtype != object or not all(np.asarray(one).dtype == object for one in np.ravel(cells)):
        raise InputError(f"{path}: rand_perm_cam holds {cells.dtype}, not cells", allowed=form)
    return cells


def draw_columns(order: np.ndarray) -> list[dict[str, str]]:
    """Return, for each image of one camera and identity in sorted order, its columns `draw_1` to `draw_10`.

    Args:
        order: (trials, n) permutations of 0 to n - 1.
    """
    places = np.argsort(order, axis=1)  # the inverse permutation: the place of each image
    return [
        {f"draw_{trial}": str(place) for trial, place in enumerate(column, start=1)}
        for column in places.T.tolist()
    ]
