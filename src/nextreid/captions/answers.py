"""What a model was asked about an image, what it replied, and what of the reply may be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nextreid.data.rows import Row

Outcome = Literal["answered", "refused", "failed"]
"""`answered`: a text came, right or wrong; `refused`: the model declined; `failed`: no reply arrived."""


@dataclass(frozen=True)
class Question:
    """One image to be described by one model.

    Attributes:
        row: the observation.
        modality: which of its images.
    """

    row: Row
    modality: str


@dataclass(frozen=True)
class Reply:
    """What came back for one question, as it came.

    Attributes:
        outcome: how it ended.
        raw: the text, unparsed; "" where none came.
        error: why there is none, in words; "" otherwise.
        token_confidence: attribute -> 0..1, how sure the tokens of its value were; empty where the model
            returns no log-probabilities.
        input_tokens, output_tokens: as counted by the server; 0 where unknown.
        attempts: requests sent, retries included.
        seconds: from the first request to the end.
    """

    outcome: Outcome
    raw: str = ""
    error: str = ""
    token_confidence: Mapping[str, float] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    attempts: int = 1
    seconds: float = 0.0


class Backend(Protocol):
    """Whatever can be asked about images.

    A backend is asked from several threads at once unless it says otherwise.

    Attributes:
        model: its name in logs and provenance, e.g. `gpt-4o`, `clip:builtin:clip-small`, `simulated:default`.
        batch: questions that it takes at a time.
        parallel: whether several threads may ask at once.
        fingerprint: hash of everything that changes its answers: prompt, schema, settings. An answer of
            another fingerprint is asked for again.
        from_truth: its answers come from a synthetic world's truth: they describe the answer.
    """

    model: str
    batch: int
    parallel: bool
    fingerprint: str
    from_truth: bool

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order; a failure is a reply.

        Raises:
            InputError: what no other question would change, such as a key that is refused.
            ImageError: an image that cannot be read: nothing is asked about it.
        """


@dataclass(frozen=True)
class Claim:
    """A value that a model claims.

    Attributes:
        value: one of the schema's values.
        confidence: 0..1.
    """

    value: str
    confidence: float


@dataclass(frozen=True)
class Fault:
    """Something in a reply that was not used, or was repaired.

    Attributes:
        attribute: which attribute it is about; "" for the whole reply.
        reason: `malformed`, `prose around json`, `empty`, `refused`, `failed`, `too long`, `missing`,
            `unknown attribute`, `value not allowed`, `not observable`, `bad confidence`,
            `control characters`, `hidden` (the model itself says that it cannot tell).
        given: what stood there, cut to 80 characters, escaped.
        used: whether a repaired value was taken all the same.
    """

    attribute: str
    reason: str
    given: str = ""
    used: bool = False


@dataclass(frozen=True)
class Answer:
    """What one model says of one image, in the schema's words.

    Attributes:
        observation, modality, model: of whom, seen how, by whom.
        claims: attribute -> claim, in the schema's order; what the model could not tell is left out.
        faults: what was not used or repaired.
        outcome: as of the reply.
    """

    observation: str
    modality: str
    model: str
    claims: Mapping[str, Claim]
    faults: tuple[Fault, ...] = ()
    outcome: Outcome = "answered"
