"""Answers drawn from the truth through a noise model: for benchmarks and tests, never a default.

The noise model is `noise.yaml` beside this file. Every draw depends on seed, observation, modality and model
alone (on no order of asking), except what models share: how hard an image is, and which value looks like the
right one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nextreid.attributes.schema import Attribute, Schema
from nextreid.captions.answers import Question, Reply
from nextreid.captions.slots import UNFILLED
from nextreid.captions.truth import Truth
from nextreid.errors import InputError
from nextreid.seeding import numpy_generator

TIME, DAY, NIGHT = "time_of_day", "daytime", "nighttime"
"""The attribute that tells by what light an observation was made, and its values; day where it is missing."""

OTHERWISE, DEFAULT = "otherwise", "default"

MOST = 0.95
"""Greatest rate that a scaled noise reaches: ours; something is still told."""


@dataclass(frozen=True)
class Rates:
    """The noise of images of one modality and time of day; all 0..1, see noise.yaml."""

    error: float
    omission: float
    guess: float
    right: float
    wrong: float


@dataclass(frozen=True)
class Noise:
    """A noise model.

    Attributes:
        images: modality -> time of day -> rates; `otherwise` serves modalities that are not listed.
        concentration: of the beta distributions of confidences.
        confident, confident_from: share of wrong values whose confidence lies above the second.
        lookalike: share of wrong values that every model and modality mistakes alike.
        difficulty: spread of the noise between images.
        models: model name -> factors on error, omission, guess, and on the confidence in wrong values.
    """

    images: Mapping[str, Mapping[str, Rates]]
    concentration: float
    confident: float
    confident_from: float
    lookalike: float
    difficulty: float
    models: Mapping[str, Mapping[str, float]]

    def rates(self, modality: str, time: str, model: str, *, scale: float) -> Rates:
        """Return the rates of a model's answers about images of one modality and time of day."""
        found = self.images.get(modality, self.images[OTHERWISE])[time]
        factors = self.models[model]
        noise = {
            name: min(getattr(found, name) * factors[name] * scale, MOST)
            for name in ("error", "omission", "guess")
        }
        wrong = min(found.wrong * factors["boast"], self.confident_from * MOST)
        return Rates(**noise, right=found.right, wrong=wrong)


def load_noise(path: str | Path | None = None) -> Noise:
    """Read a noise model; None: the one of the package.

    Raises:
        InputError: a file that is not a noise model.
    """
    if path is None:
        source = "noise.yaml"
        text = (resources.files("nextreid.captions.backends") / source).read_text(encoding="utf-8")
    else:
        source = str(path)
        if not Path(path).is_file():
            raise InputError(f"There is no noise model {source}", allowed="a YAML file like noise.yaml")
        text = Path(path).read_text(encoding="utf-8")
    try:
        values = yaml.safe_load(text)
        noise = Noise(
            images={
                str(modality): {time: Rates(**times[time]) for time in (DAY, NIGHT)}
                for modality, times in values["images"].items()
            },
            models={
                str(name): {key: float(factors[key]) for key in ("error", "omission", "guess", "boast")}
                for name, factors in values["models"].items()
            },
            **{
                key: float(values[key])
                for key in ("concentration", "confident", "confident_from", "lookalike", "difficulty")
            },
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{source} is not a noise model: {type(error).__name__} {error}") from error
    shares = [
        share for times in noise.images.values() for rates in times.values() for share in vars(rates).values()
    ]
    shares += [noise.confident, noise.confident_from, noise.lookalike, noise.difficulty]
    if OTHERWISE not in noise.images or not all(0.0 <= share <= 1.0 for share in shares):
        raise InputError(f"{source}: a share outside 0..1, or no {OTHERWISE!r}", allowed="as in noise.yaml")
    return noise


class SimulatedBackend:
    """Answers as a language model would give them, from the truth.

    Args:
        schema: what is asked for.
        truth: of the data set.
        model: one of the noise model's.
        scale: factor on errors, omissions and guesses: 0.5 and 2 are half and double noise.
        seed: of every draw.
        noise: the noise model; None: the package's.

    Raises:
        InputError: no such model, or a negative scale.
    """

    def __init__(
        self,
        schema: Schema,
        truth: Truth,
        *,
        model: str = DEFAULT,
        scale: float = 1.0,
        seed: int = 0,
        noise: Noise | None = None,
    ) -> None:
        self.noise = load_noise() if noise is None else noise
        if model not in self.noise.models:
            raise InputError(f"The simulated model {model!r}", allowed=", ".join(self.noise.models))
        if not scale >= 0.0:
            raise InputError(f"The scale of the noise {scale}", allowed="0 or more")
        self.schema, self.truth, self.scale, self.seed = schema, truth, scale, seed
        self.model, self._kind = f"simulated:{model}", model
        self.batch, self.parallel = 64, True  # ours: it costs nothing to ask
        self.from_truth = True
        told = [asdict(self.noise), schema.to_dict(), scale, seed]
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order."""
        return [self._reply(question.row.observation, question.modality) for question in questions]

    def _reply(self, observation: str, modality: str) -> Reply:
        if observation not in self.truth.observations:
            return Reply("failed", error=f"the truth does not tell of {observation}")
        hard = 1.0 + self.noise.difficulty * float(
            numpy_generator(self.seed, "difficulty", observation, modality).uniform(-1.0, 1.0)
        )
        time = self.truth.values.get((observation, modality, TIME), DAY)
        rates = self.noise.rates(modality, time, self._kind, scale=self.scale * hard)
        rng = numpy_generator(self.seed, "answer", observation, modality, self._kind)
        asked = [a for a in self.schema.attributes if self.schema.observable(a.name, modality)]
        draws = rng.random((len(asked), 4))
        said = {
            attribute.name: self._said(attribute, observation, modality, rates, draws[number], rng)
            for number, attribute in enumerate(asked)
        }
        return Reply("answered", raw=json.dumps(said))

    def _said(
        self,
        attribute: Attribute,
        observation: str,
        modality: str,
        rates: Rates,
        draws: Any,
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        """Return value and confidence of one attribute; draws: (4,) uniform."""
        key = (observation, modality, attribute.name)
        truth = self.truth.values.get(key)
        sure, unsure = self._confidence(rates.right, rng), self._doubt(rates.wrong, draws[3], rng)
        if truth is None or key not in self.truth.visible:
            if draws[0] >= rates.guess:
                return {"value": UNFILLED, "confidence": round(1.0 - unsure, 3)}
            return {"value": attribute.values[int(draws[1] * len(attribute.values))], "confidence": unsure}
        if draws[0] < rates.omission:
            return {"value": UNFILLED, "confidence": round(1.0 - unsure, 3)}
        if draws[1] >= rates.error:
            return {"value": truth, "confidence": sure}
        others = [value for value in attribute.values if value != truth]
        if draws[2] < self.noise.lookalike:
            return {"value": self._neighbour(observation, attribute, truth), "confidence": unsure}
        return {"value": others[int(rng.integers(len(others)))], "confidence": unsure}

    def _confidence(self, mean: float, rng: np.random.Generator) -> float:
        spread = self.noise.concentration
        mean = min(max(mean, 0.01), 0.99)  # a beta distribution has no mean of 0 or 1
        return round(float(rng.beta(mean * spread, (1.0 - mean) * spread)), 3)

    def _doubt(self, mean: float, draw: float, rng: np.random.Generator) -> float:
        """Return the confidence in a wrong value: some are confident errors."""
        limit = self.noise.confident_from
        low = self._confidence(mean / limit, rng) * limit
        high = limit + (1.0 - limit) * float(rng.random())
        return round(max(high, limit + 0.001), 3) if draw < self.noise.confident else round(low, 3)

    def _neighbour(self, observation: str, attribute: Attribute, truth: str) -> str:
        """Return the value that looks like the right one, the same for every model and modality."""
        place = attribute.values.index(truth)
        up = numpy_generator(self.seed, "lookalike", observation, attribute.name).random() < 0.5
        if place == 0 or (up and place + 1 < len(attribute.values)):
            return attribute.values[place + 1]
        return attribute.values[place - 1]
