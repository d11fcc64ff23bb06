"""`nextreid pretrain` as a program: `run_pretrain.py [--pause SECONDS] [--still] WORDS ...`.

To be killed, it takes its time; to be compared with two processes, which draw other shifts, it moves no
picture.
"""

import sys
import time

import numpy as np
import torch

from nextreid.cli.main import main
from nextreid.pretraining import fit
from nextreid.pretraining.drawing import Drawer
from nextreid.pretraining.optim import share_of_rate

PAUSE, STILL = "--pause", "--still"


def slowly(step, **keywords):
    time.sleep(pause)
    return share_of_rate(step, **keywords)


def unmoved(self, rows, rng):
    chosen = self.index[rows]
    return tuple(
        np.stack([getattr(self.packs[p], name)[row, m] for p, row, m in chosen])
        for name in ("pixels", "masks")
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    words, pause = sys.argv[1:], 0.0
    if PAUSE in words:
        at = words.index(PAUSE)
        pause = float(words[at + 1])
        del words[at : at + 2]
        fit.share_of_rate = slowly
    if STILL in words:
        words.remove(STILL)
        Drawer._pictures = unmoved
    sys.exit(main(words))
