"""The NEXT model in a short training run, as a program: `run_next.py RUN DEVICES`."""

import sys
from pathlib import Path

import torch
from test_real_model import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), devices=int(sys.argv[2]), epochs=1)
