"""Whether captions were made from a synthetic world's truth, so that they describe the answer."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nextreid.captions.caption_set import RUN, TEXT, read_run

WORLD_FILE = "world.json"
"""Beside a synthetic world's captions: they were written from its truth."""

SIMULATED = "simulated"
"""What the names of models begin with whose answers were drawn from a world's truth."""

FROM_TRUTH = "from_truth"
"""In run.yaml, of a whole set or of one of its models: what was stated came from a world's truth."""


def truth_of_world(folder: str | Path, *, root: Path | None = None) -> bool:
    """Tell whether files of the published form are a world's own, or were written for a set from its truth.

    Args:
        folder: the world, a caption set, or the folder of files in either.
        root: of the data set: files that are the same as a world's own there are taken for copies of them.
    """
    folder = Path(folder).resolve()
    for place in (folder, folder.parent):
        if (place / WORLD_FILE).is_file():
            return True
        if (place / RUN).is_file():
            run, _ = read_run(place)
            return set_from_truth(run, run.get("models", {}))
    if root is None or not (root / WORLD_FILE).is_file():
        return False
    own = {path.name: path.read_bytes() for path in (root / TEXT).glob("*.json")}
    return any(path.read_bytes() == own.get(path.name) for path in folder.glob("*.json"))


def set_from_truth(run: Mapping[str, Any], models: Iterable[str]) -> bool:
    """Tell whether captions that name these models come from a world's truth.

    Args:
        run: what run.yaml says of the set.
        models: that the captions name as their sources.
    """
    noted = run.get("models", {})
    return bool(run.get(FROM_TRUTH)) or any(
        model.split(":")[0] == SIMULATED or noted.get(model, {}).get(FROM_TRUTH) for model in models
    )
