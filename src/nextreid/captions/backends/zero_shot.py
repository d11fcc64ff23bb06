"""Attributes without a language model: the values whose prompts are most like the image.

An attribute's values get probabilities by a softmax of cosine / temperature; the likeliest value is the
answer, and its probability the confidence. Only what a modality can show is answered.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question, Reply
from nextreid.data.rows import Row
from nextreid.errors import InputError

Vectors = NDArray[np.float32]

BATCH = 256
"""Questions at a time: ours, four batches of a reader, so that it reads the next while it looks at one."""

FORM = 1
"""Raised when the same inputs would give other answers."""


class ZeroShotBackend:
    """Answers from a joint space of images and sentences; a `captions.answers.Backend`.

    Args:
        schema: the attributes.
        encode_images: (rows, modality) -> (n,D) normalised vectors of their images.
        prompts: attribute -> (V,D) normalised vectors of its values, in the schema's order
            (`attributes.prompts.prompt_vectors`).
        temperature: modality -> temperature of the softmax, above 0; any other modality gets the highest
            of them, the least sure.
        model: the name in logs and provenance, e.g. `clip:builtin:clip-small`.
        encoder: what else the vectors depend on: hash of the weights, input size.
        batch: questions at a time.

    Raises:
        InputError: prompts that are not the schema's, or a temperature that is not above 0.
    """

    parallel = False
    from_truth = False

    def __init__(
        self,
        schema: Schema,
        encode_images: Callable[[Sequence[Row], str], Vectors],
        prompts: Mapping[str, Vectors],
        temperature: Mapping[str, float],
        *,
        model: str,
        encoder: str = "",
        batch: int = BATCH,
    ) -> None:
        for attribute in schema.attributes:
            held = prompts[attribute.name].shape[0] if attribute.name in prompts else 0
            if held != len(attribute.values):
                raise InputError(
                    f"{held} prompt vectors for {attribute.name}",
                    allowed=f"{len(attribute.values)}, one a value",
                )
        if not temperature or not all(0 < value < np.inf for value in temperature.values()):
            raise InputError(f"temperature = {dict(temperature)}", allowed="modality: number above 0")
        self.model, self.batch = model, batch
        self.schema, self.prompts, self.temperature = schema, dict(prompts), dict(temperature)
        self._encode = encode_images
        # the prompts' texts follow from the schema, their vectors from it and the encoder: no need to hash
        # numbers whose last bits depend on the machine
        told = {
            "form": FORM,
            "model": model,
            "encoder": encoder,
            "schema": schema.to_dict(),
            "temperature": self.temperature,
        }
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order.

        Raises:
            ImageError: an image that cannot be read; it names row and file.
        """
        replies: list[Reply | None] = [None] * len(questions)
        for modality in dict.fromkeys(question.modality for question in questions):
            places = [at for at, question in enumerate(questions) if question.modality == modality]
            vectors = self._encode([questions[at].row for at in places], modality)
            for at, reply in zip(places, self.replies(vectors, modality), strict=True):
                replies[at] = reply
        return [reply for reply in replies if reply is not None]

    def replies(self, vectors: Vectors, modality: str) -> list[Reply]:
        """Return the replies about images that are encoded already.

        Args:
            vectors: (n,D) normalised.
            modality: what they show.
        """
        temperature = self.temperature.get(modality, max(self.temperature.values()))
        answers: list[dict[str, dict[str, str | float]]] = [{} for _ in vectors]
        for attribute in self.schema.attributes:
            if not self.schema.observable(attribute.name, modality):
                continue
            chances = softmax(vectors @ self.prompts[attribute.name].T / temperature)  # (n,V)
            for answer, code, chance in zip(
                answers, chances.argmax(axis=1), chances.max(axis=1), strict=True
            ):
                # four digits: ours; what is below differs between machines
                answer[attribute.name] = {
                    "value": attribute.values[int(code)],
                    "confidence": round(float(chance), 4),
                }
        return [Reply("answered", raw=json.dumps(answer)) for answer in answers]


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (n,V) probabilities of (n,V) scores."""
    wide = scores.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
