"""The body of a chat completion, read without trust: any field may be missing or of another type."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Reply
from nextreid.captions.backends.token_confidence import value_confidence
from nextreid.captions.log import LONGEST


@dataclass(frozen=True)
class Arrived:
    """What a completion holds.

    Attributes:
        raw: the model's text.
        refusal: why the model declined; "" if it did not.
        tokens: read and written; 0 where the server does not count.
        token_confidence: attribute -> 0..1.
    """

    raw: str = ""
    refusal: str = ""
    tokens: tuple[int, int] = (0, 0)
    token_confidence: Mapping[str, float] = field(default_factory=dict)

    def reply(self, *, attempts: int, seconds: float, clean: Callable[[str], str]) -> Reply:
        """Return the reply that is logged; `clean` takes secrets out of its texts."""
        return Reply(
            outcome="refused" if self.refusal else "answered",
            raw=clean(self.raw[:LONGEST]),
            error=clean(self.refusal),
            token_confidence=self.token_confidence,
            input_tokens=self.tokens[0],
            output_tokens=self.tokens[1],
            attempts=attempts,
            seconds=seconds,
        )


def read_body(body: bytes, schema: Schema, *, logprobs: bool) -> Arrived | str:
    """Return what a completion holds, or why it is none, in words.

    Args:
        body: of a reply with status 200.
        schema: whose attributes' values the tokens' probabilities are wanted of.
        logprobs: whether they were asked for.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return f"the reply is not JSON: {body[:80]!r}"
    choices = values.get("choices") if isinstance(values, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return f"the reply is not a chat completion: {body[:200]!r}"
    raw = _text(message.get("content"))
    refusal = message.get("refusal")
    if not isinstance(refusal, str):
        refusal = ""
    if choice.get("finish_reason") == "content_filter" and not raw:
        refusal = refusal or "stopped by the server's content filter"
    sure = {}
    if logprobs and raw and len(raw) < LONGEST:
        sure = _token_confidence(choice.get("logprobs"), raw, schema)
    return Arrived(raw, refusal, _tokens(values.get("usage")), sure)


def _text(content: Any) -> str:
    """Return a message's text; some servers send it in parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _tokens(usage: Any) -> tuple[int, int]:
    if not isinstance(usage, dict):
        return 0, 0
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    read, written = (c if isinstance(c, int) and not isinstance(c, bool) and c > 0 else 0 for c in counts)
    return read, written


def _token_confidence(logprobs: Any, raw: str, schema: Schema) -> dict[str, float]:
    """Return how sure the tokens were; nothing where they do not make up the text."""
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    pieces: list[tuple[str, float]] = []
    for entry in entries if isinstance(entries, list) else []:
        token = entry.get("token") if isinstance(entry, dict) else None
        logarithm = entry.get("logprob") if isinstance(entry, dict) else None
        if (
            not isinstance(token, str)
            or isinstance(logarithm, bool)
            or not isinstance(logarithm, int | float)
        ):
            return {}
        pieces.append((token, 0.0 if math.isnan(logarithm) else float(logarithm)))
    if "".join(token for token, _ in pieces) != raw:
        return {}
    return value_confidence(pieces, [attribute.name for attribute in schema.attributes])
