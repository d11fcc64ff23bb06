"""A tiny training run as a program, to be killed or started twice: `run_tiny.py RUN [--resume] ...`."""

import argparse
import time

import torch
from tiny_world import TinyHeads, TinyModel, save_weights, training_set
from torch import nn

from nextreid.training.fit import fit
from nextreid.training.optim import OptimSettings


class Slow(TinyModel):
    """Takes its time, so that a kill can be aimed."""

    pause = 0.0

    def forward(self, batch):
        time.sleep(self.pause)
        return super().forward(batch)


def score(model: nn.Module) -> dict[str, float]:
    """A score that is a function of the weights alone."""
    return {"mAP": float(model.coarse.weight.detach().double().sum() * 1000 % 1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=1e-2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Slow()
    model.pause = options.pause
    result = fit(
        model=model,
        heads=TinyHeads(model.widths, 6),
        data=training_set(each=9),
        run=options.run,
        save=save_weights(model),
        epochs=options.epochs,
        p=3,
        k=2,
        optim=OptimSettings(
            "adamw", backbone_rate=options.rate, rate=options.rate, warmup_epochs=1, clip_norm=1.0
        ),
        validate=score,
        resume=options.resume,
        checkpoint_every=3,
        workers=options.workers,
        devices=options.devices,
        accelerator="cpu",
        precision="fp32",
        check_gradients="always",
    )
    print(f"repeated {result.repeated}")


if __name__ == "__main__":
    main()
