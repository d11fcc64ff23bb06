"""Where the files of a world go, in its own layout and in the benchmark's, and how they are written."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nextreid.errors import InputError
from nextreid.modality import PUBLISHED_TAG
from nextreid.synthetic.kinds import Kind
from nextreid.synthetic.parts import OTHER
from nextreid.synthetic.truth import Fact

LAYOUTS = ("manifest", "rgbnt201")

BENCHMARK_FOLDER = {"train": "train_171", "test": "test"}
"""Split -> folder of RGBNT201 (reference: the published tree)."""

JPEG_QUALITY = 95
"""Quality of the JPEG files of the benchmark layout: ours, near lossless."""

MARKER = "world.json"
"""Written last: a folder without it holds an unfinished world."""


def prepare_folder(out: Path) -> None:
    """Make the folder of a new world.

    Raises:
        InputError: it exists and is not empty; the message tells a finished world from one whose
            writing was interrupted (there is no resuming: delete it and write it again).
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file", do="name a folder that does not exist yet")
    if out.exists() and any(out.iterdir()):
        finished = (out / MARKER).exists()
        what = "holds a finished world or data set" if finished else f"is not empty and has no {MARKER}"
        raise InputError(
            f"{out} {what}",
            allowed="a folder that is empty or does not exist",
            do="name another folder"
            if finished
            else "if it is a world whose writing was interrupted, delete it and write it again",
        )
    out.mkdir(parents=True, exist_ok=True)


def image_path(layout: str, split: str, modality: str, observation: str) -> Path:
    """Path of a picture inside the world."""
    if layout == "rgbnt201":
        return Path(BENCHMARK_FOLDER[split]) / PUBLISHED_TAG[modality] / f"{observation}.jpg"
    return Path("images") / modality / f"{observation}.png"


def mask_path(modality: str, observation: str) -> Path:
    """Path of a part mask inside the world."""
    return Path("parts") / modality / f"{observation}.png"


def make_folders(out: Path, layout: str, splits: Sequence[str]) -> None:
    """Make every folder that pictures and masks go to."""
    for modality in PUBLISHED_TAG:
        for split in splits:
            (out / image_path(layout, split, modality, "x")).parent.mkdir(parents=True, exist_ok=True)
        (out / mask_path(modality, "x")).parent.mkdir(parents=True, exist_ok=True)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture or mask; PNG at the fastest compression, or JPEG by its suffix."""
    picture = Image.fromarray(pixels)
    if path.suffix == ".jpg":
        picture.save(path, quality=JPEG_QUALITY)
    else:
        picture.save(path, compress_level=1)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with a final newline, keys in the given order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def write_part_names(out: Path, kind: Kind) -> None:
    """Write parts.json: mask value -> part name, and attribute or attribute=value -> parts that show it."""
    table = kind.table
    names = {0: "background", **{table.number(name): name for name in table.names}, OTHER: "other object"}
    write_json(
        out / "parts.json",
        {
            "kind": table.kind,
            "values": {str(k): v for k, v in names.items()},
            "evidence": {words: list(parts) for words, parts in kind.evidence.items()},
        },
    )


def write_truth(out: Path, facts: Sequence[Fact]) -> None:
    """Write truth.parquet: observation, modality, attribute, value, visible."""
    import pandas as pd  # here, so that rendering processes start without it

    columns = ("observation", "modality", "attribute", "value", "visible")
    table = pd.DataFrame({name: [getattr(fact, name) for fact in facts] for name in columns})
    table.to_parquet(out / "truth.parquet", index=False)


def write_captions(out: Path, layout: str, captions: Sequence[tuple[str, str, str, str]]) -> None:
    """Write text/{split}_{TAG}.json in the published form.

    Args:
        out: the world.
        layout: it decides the suffix of the item names.
        captions: (split, modality, observation, text), in order.
    """
    files: dict[str, list[Mapping[str, str]]] = {}
    for split, modality, observation, text in captions:
        item = image_path(layout, split, modality, observation).name
        files.setdefault(f"{split}_{PUBLISHED_TAG[modality]}.json", []).append(
            {"item": item, "description": text}
        )
    for name, items in files.items():
        write_json(out / "text" / name, items)


def write_manifest_table(out: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write manifest.csv, one row per observation, paths relative to the file."""
    import pandas as pd

    pd.DataFrame(list(rows)).to_csv(out / "manifest.csv", index=False, lineterminator="\n")
