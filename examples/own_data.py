"""Turn a folder of images into a data set: one table, checked from Python.

    python examples/own_data.py PHOTOS table.csv

PHOTOS holds files called IDENTITY_CAMERA_NUMBER_MODALITY.ENDING, e.g. anna_entrance_01_rgb.png. Change
`parts` for names of your own; any modality may be missing.
"""

import csv
import sys
from pathlib import Path

from nextreid import load_manifest


def main(photos: Path, table: Path) -> None:
    """Write the table and read it back."""
    rows: dict[str, dict[str, str]] = {}
    for path in sorted(photos.iterdir()):
        parts = path.stem.split("_")
        if len(parts) != 4:
            continue
        identity, camera, number, modality = parts
        row = rows.setdefault(f"{identity}_{camera}_{number}", {"identity": identity, "camera": camera})
        row[modality] = str(path.resolve())
    columns = ["observation", "identity", "camera", "rgb", "nir", "tir"]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        for observation, row in rows.items():
            writer.writerow({"observation": observation, **row})

    manifest = load_manifest(table)  # names row and column of whatever is wrong
    print(f"{len(manifest)} observations of {len(manifest.identities)} identities in {manifest.modalities}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
