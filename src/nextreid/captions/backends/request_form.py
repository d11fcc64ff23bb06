"""What a request asks for besides an answer, and how it asks for less from a server that turns it down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

STRUCTURED = ("schema", "object", "none")
"""Forms of structured output: the answer's JSON schema, any JSON object, or free text that is parsed."""

LIMITS = ("max_tokens", "max_completion_tokens", "none")
"""Names of the limit of written tokens: the one that every local server knows, then OpenAI's newer one."""

_NAMED = {
    "structured": (
        *("response_format", "json_schema", "json schema", "json_object", "structured", "grammar", "guided"),
    ),
    "logprobs": ("logprob", "log prob"),
    "temperature": ("temperature",),
    "limit": ("max_tokens", "max_completion_tokens"),
}
"""Words in a server's error that tell which option it means."""


@dataclass(frozen=True)
class RequestForm:
    """The optional parts of a request.

    Attributes:
        structured: one of `STRUCTURED`.
        logprobs: whether the probabilities of the answer's tokens are asked for.
        temperature: whether temperature 0 is asked for: the likeliest answer, the same each time.
        limit: one of `LIMITS`.
        max_output: tokens that may be written.
    """

    structured: str = "schema"
    logprobs: bool = True
    temperature: bool = True
    limit: str = "max_tokens"
    max_output: int = 4096

    def options(self, modality: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keywords of the request.

        Args:
            modality: of the image, to name the schema by.
            schema: of the answer.
        """
        options: dict[str, Any] = {}
        if self.structured == "schema":
            form = {"name": f"attributes_{modality}"[:64], "strict": True, "schema": schema}
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.structured == "object":
            options["response_format"] = {"type": "json_object"}
        if self.logprobs:
            options["logprobs"] = True
        if self.temperature:
            options["temperature"] = 0
        if self.limit != "none":
            options[self.limit] = self.max_output
        return options

    def without(self, error: str) -> "RequestForm | None":
        """Return a form without what a server's error names; None if nothing is left to leave out.

        Where it names nothing, the parts go one after the other, the rarest first. An error about the image
        is not one about the form.

        Args:
            error: the server's words.
        """
        said = error.lower()
        named = [part for part, words in _NAMED.items() if any(word in said for word in words)]
        if not named and "image" in said:
            return None
        for part in named or _NAMED:
            if (less := self._less(part)) is not None:
                return less
        return None

    def both(self, other: "RequestForm") -> "RequestForm":
        """Return the form that asks for no more than either."""
        return replace(
            self,
            structured=max(self.structured, other.structured, key=STRUCTURED.index),
            logprobs=self.logprobs and other.logprobs,
            temperature=self.temperature and other.temperature,
            limit=max(self.limit, other.limit, key=LIMITS.index),
        )

    def _less(self, part: str) -> "RequestForm | None":
        if part == "structured" and self.structured != "none":
            return replace(self, structured=STRUCTURED[STRUCTURED.index(self.structured) + 1])
        if part == "logprobs" and self.logprobs:
            return replace(self, logprobs=False)
        if part == "temperature" and self.temperature:
            return replace(self, temperature=False)
        if part == "limit" and self.limit != "none":
            return replace(self, limit=LIMITS[LIMITS.index(self.limit) + 1])
        return None
