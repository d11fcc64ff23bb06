"""How pictures of a pretraining are moved, and become tensors."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def moved(length: int, zoom: float, shift: int) -> NDArray[np.int64]:
    """Return which row each row of a picture shows once it is zoomed about its middle and shifted."""
    middle = (length - 1) / 2
    rows = np.rint(middle + (np.arange(length) - middle) / zoom).astype(np.int64) + shift
    return np.clip(rows, 0, length - 1)


def centred(pixels: NDArray[np.uint8], smaller: int) -> Tensor:
    """Return pictures in -1..1, (B,H,W,3) -> (B,3,H/smaller,W/smaller), each pixel the mean of a square."""
    corners = [(y, x) for y in range(smaller) for x in range(smaller)]
    total = sum(pixels[:, y::smaller, x::smaller].astype(np.uint16) for y, x in corners)  # exact
    found = torch.from_numpy(np.asarray(total)).permute(0, 3, 1, 2).float()
    return found.div_(127.5 * smaller**2).sub_(1.0)
