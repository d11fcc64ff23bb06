"""What a stated confidence is worth, by model and modality."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """Maps stated confidences to shares of right values."""

    def apply(self, model: str, modality: str, confidence: float) -> float:
        """Return the calibrated confidence, 0..1."""
        return confidence
