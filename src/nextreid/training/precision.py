"""Number formats: bfloat16 where the device computes with it, else float32."""

import torch

from nextreid.errors import InputError

PRECISIONS = ("auto", "fp32", "bf16")

LIGHTNING = {"fp32": "32-true", "bf16": "bf16-mixed"}
"""What Lightning calls them."""


def resolve_precision(precision: str, accelerator: str) -> str:
    """Return `fp32` or `bf16`; a function of the machine, never of a measurement.

    `auto` on a CPU is bf16 where it has AVX512-BF16 or AMX instructions: there a small ViT's step takes
    half the time of float32 (0.48 s against 1.04 s: 96 sequences of 73 tokens, 4 layers of width 256,
    two cores of an EPYC). Without them bfloat16 is emulated and slower.

    Args:
        precision: `auto`, `fp32` or `bf16`.
        accelerator: `cpu`, `cuda` or `mps`.

    Raises:
        InputError: an unknown name.
    """
    if precision not in PRECISIONS:
        raise InputError(f"train.precision={precision!r}", allowed=", ".join(PRECISIONS))
    if precision != "auto":
        return precision
    if accelerator == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if accelerator == "cpu":
        return "bf16" if _cpu_has("avx512_bf16") or _cpu_has("amx_tile") else "fp32"
    return "fp32"


def resolve_accelerator(accelerator: str) -> str:
    """Return `cpu`, `cuda` or `mps`; `auto` takes the best one there is.

    Raises:
        InputError: an unknown name, or a device that is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if accelerator == "auto":
        return next(name for name, found in there.items() if found)
    if not there.get(accelerator, False):
        raise InputError(
            f"--device {accelerator}",
            allowed=", ".join(["auto", *(n for n, found in there.items() if found)]),
        )
    return accelerator


def _cpu_has(feature: str) -> bool:
    """Ask torch; an older or newer release without the question counts as no."""
    question = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return bool(question()) if question is not None else False
