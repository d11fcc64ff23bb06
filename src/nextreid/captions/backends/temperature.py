"""How sharp a zero-shot softmax must be for its probabilities to be honest, and what was fitted so far.

Temperatures belong to weights and to a kind of object. Those of the shipped weights lie beside this file
in `clip_temperature.yaml`, which `benchmarks/clip_temperature.py` writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from nextreid.errors import InputError

FILE = "clip_temperature.yaml"

UNFITTED = 0.01
"""Temperature of weights that nothing was fitted for: CLIP's own (Radford et al. 2021 clip its scale at
100, where the published models end)."""

LEAST, MOST = 1e-3, 10.0
"""Range that is searched: ours. At 0.001 a hundredth of a cosine decides; at 10 every value is as likely."""

FIELDS = ("model", "weights_sha256", "kind", "size", "temperature", "images")


@dataclass(frozen=True, eq=False)
class LabelledCosines:
    """How like n images the values of one attribute are, and which of them each image shows.

    Attributes:
        cosines: (n,V) of image and value.
        codes: (n,) index of the true value.
    """

    cosines: NDArray[np.float32]
    codes: NDArray[np.int64]


@dataclass(frozen=True)
class FittedTemperature:
    """Temperatures of one model for one kind of object.

    Attributes:
        model: the model's name, to be read by people.
        weights_sha256: of its weights, which is what counts.
        kind: person, vehicle ...
        size: input (H,W) that the images had; at another, confidences are worth something else.
        temperature: modality -> temperature, above 0.
        images: modality -> labelled images it was fitted on.
    """

    model: str
    weights_sha256: str
    kind: str
    size: tuple[int, int]
    temperature: Mapping[str, float]
    images: Mapping[str, int]

    def of(self, modality: str) -> float:
        """Return a modality's temperature; of one that was not fitted, the least sure of the others."""
        return self.temperature.get(modality, max(self.temperature.values()))


def likelihood(parts: Sequence[LabelledCosines], temperature: float) -> float:
    """Return the mean negative logarithm of the true values' probabilities, in nats; lower is better."""
    total, count = 0.0, 0
    for part in parts:
        scores = part.cosines.astype(np.float64) / temperature
        highest = scores.max(axis=1)
        normal = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
        total += float((normal - scores[np.arange(len(scores)), part.codes]).sum())
        count += len(scores)
    return total / count


def fit_temperature(parts: Sequence[LabelledCosines]) -> float:
    """Return the temperature at which the true values are most likely.

    Every labelled value counts the same, whatever its attribute. The likelihood has one minimum, because
    it is convex in 1/temperature.

    Args:
        parts: one entry an attribute.

    Returns:
        Within `LEAST` and `MOST`; `MOST` where the images tell nothing of their values.

    Raises:
        InputError: no labelled image, or a code that is no value.
    """
    from scipy.optimize import minimize_scalar

    parts = [part for part in parts if len(part.codes)]
    if not parts:
        raise InputError("There is no labelled image to fit a temperature on", allowed="at least one")
    for part in parts:
        if part.codes.min() < 0 or part.codes.max() >= part.cosines.shape[1]:
            raise InputError(f"A code of {part.cosines.shape[1]} values is out of range", allowed="0 and up")
    bounds = (float(np.log(LEAST)), float(np.log(MOST)))
    # 1e-4 in the logarithm: ours, a hundredth of a percent of the temperature
    found = minimize_scalar(
        lambda log: likelihood(parts, float(np.exp(log))),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def shipped_temperatures() -> tuple[FittedTemperature, ...]:
    """Return those that come with the package."""
    file = resources.files("nextreid.captions.backends") / FILE
    return _parsed(file.read_text(encoding="utf-8"), FILE) if file.is_file() else ()


def read_temperatures(path: str | Path) -> tuple[FittedTemperature, ...]:
    """Read a file that `write_temperatures` wrote.

    Raises:
        InputError: no such file, not YAML, or an entry that lacks something; it names file and entry.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"There is no file of temperatures {path}",
            do="fit one with `python benchmarks/clip_temperature.py --model M --out FILE`",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error})", allowed="YAML in UTF-8") from error
    return _parsed(text, str(path))


def write_temperatures(path: Path, entries: Iterable[FittedTemperature], *, note: str = "") -> Path:
    """Write temperatures, sorted; entries of the file for other models or kinds are kept.

    Args:
        path: the file.
        entries: replace those of the same model and kind.
        note: a line at the head of the file.
    """
    kept = {(e.model, e.kind): e for e in (read_temperatures(path) if path.is_file() else ())}
    kept |= {(e.model, e.kind): e for e in entries}
    values = [asdict(kept[key]) for key in sorted(kept)]
    head = f"# {note}\n" if note else ""
    path.write_text(head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def find_temperature(
    entries: Iterable[FittedTemperature], *, weights_sha256: str, kind: str
) -> FittedTemperature | None:
    """Return the entry of these weights and this kind; None where nothing was fitted."""
    for entry in entries:
        if (entry.weights_sha256, entry.kind) == (weights_sha256, kind):
            return entry
    return None


def _parsed(text: str, source: str) -> tuple[FittedTemperature, ...]:
    form = f"a list of entries with {', '.join(FIELDS)}"
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, list):
        raise InputError(f"{source}: holds {type(values).__name__}", allowed=form)
    return tuple(_entry(value, f"{source}, entry {number}") for number, value in enumerate(values, start=1))


def _entry(value: Any, place: str) -> FittedTemperature:
    if not isinstance(value, Mapping) or set(value) != set(FIELDS):
        raise InputError(f"{place}: {str(value)[:80]}", allowed=f"exactly {', '.join(FIELDS)}")
    given, images = value["temperature"], value["images"]
    for name, least in (("temperature", 0.0), ("images", -1.0)):
        table = value[name]
        fine = isinstance(table, Mapping) and all(
            isinstance(number, int | float) and not isinstance(number, bool) and least < number < np.inf
            for number in table.values()
        )
        if not fine or not given:
            raise InputError(f"{place}: {name} is {str(table)[:80]}", allowed="modality: number above 0")
    size = value["size"]
    if not (
        isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    ):
        raise InputError(f"{place}: size is {str(size)[:80]}", allowed="[height, width] in pixels")
    return FittedTemperature(
        model=str(value["model"]),
        weights_sha256=str(value["weights_sha256"]),
        kind=str(value["kind"]),
        size=(size[0], size[1]),
        temperature={str(name): float(number) for name, number in given.items()},
        images={str(name): int(number) for name, number in images.items()},
    )
