"""The contradiction report: where images or models of an observation told different values."""

import json
from collections import Counter
from pathlib import Path

from nextreid.atomic import written_whole
from nextreid.captions.fusion import Contradiction, Merged

CONTRADICTIONS = "contradictions.jsonl"
"""In a caption set, one line a contradiction."""


def write_contradictions(folder: str | Path, merged: Merged) -> None:
    """Write the report: observation, attribute, what was chosen ("" for a tie), and who claimed what."""
    with (
        written_whole(Path(folder) / CONTRADICTIONS) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        for entry in merged.contradictions:
            file.write(json.dumps(_line(entry), ensure_ascii=False) + "\n")


def contradiction_counts(merged: Merged) -> dict[str, dict[str, int]]:
    """Return attribute -> {"contradictions", "ties", "between modalities"}, most contradicted first.

    Between modalities: different images, not only different models of one image, disagree.
    """
    counts: dict[str, Counter[str]] = {}
    for entry in merged.contradictions:
        found = counts.setdefault(entry.attribute, Counter())
        found["contradictions"] += 1
        found["ties"] += not entry.chosen
        sides = [frozenset(claim.modality for claim in claims) for claims in entry.claims.values()]
        found["between modalities"] += any(one != other for one in sides for other in sides)
    ordered = sorted(counts.items(), key=lambda item: (-item[1]["contradictions"], item[0]))
    names = ("contradictions", "ties", "between modalities")
    return {attribute: {name: found[name] for name in names} for attribute, found in ordered}


def _line(entry: Contradiction) -> dict[str, object]:
    return {
        "observation": entry.observation,
        "attribute": entry.attribute,
        "chosen": entry.chosen,
        "confidence": round(entry.confidence, 6),
        "claims": {
            value: [
                {"modality": claim.modality, "model": claim.model, "weight": round(claim.weight, 6)}
                for claim in claims
            ]
            for value, claims in entry.claims.items()
        },
    }
