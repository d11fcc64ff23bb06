"""Any server that speaks the OpenAI protocol: one request an image, through the official client.

The client's own retries are off: they are done here, so that attempts are counted and a `Retry-After` is
kept to the second. The reply's body is read piece by piece, with a limit of time and size, since a server
may send slowly, or without end.
"""

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question, Reply
from nextreid.captions.backends.openai_client import (
    KEY,
    SERVER,
    Trouble,
    check_address,
    client_of,
    trouble_of,
)
from nextreid.captions.backends.openai_reply import Arrived, read_body
from nextreid.captions.backends.request_form import RequestForm
from nextreid.captions.parsing import shown
from nextreid.captions.picture import picture_of
from nextreid.captions.prompting import answer_schema, instructions
from nextreid.errors import InputError

FORM = 1
"""Raised when the same inputs would ask otherwise."""

TIMEOUT = 120.0
"""Seconds for one request (ours: a large model on a busy machine takes half a minute for an answer)."""

ATTEMPTS = 6
"""Requests for one image at most (ours: with the waits below, a server may be away for about a minute)."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before the second attempt, doubled each time, and at most (ours)."""

LONGEST_RETRY_AFTER = 120.0
"""Seconds that a server may ask to wait for (as in the official client)."""

LARGEST_BODY = 8_000_000
"""Bytes of a reply that are read (ours: an answer with the probability of each token has 100,000)."""

MAX_OUTPUT = 4096
"""Tokens that a model may write (ours: an answer has 400; a model that thinks aloud needs more)."""

_NEVER = frozenset({401, 403, 404})


class OpenAIBackend:
    """Answers of one model on one server; a `captions.answers.Backend`, asked by any number of threads.

    Args:
        schema: the attributes.
        model: the model's name on the server.
        base_url: the server, e.g. `http://localhost:8000/v1`; None: `OPENAI_BASE_URL`, or OpenAI's own.
        max_side: pixels of an image's longer side at most; None: files are sent as they are.
        timeout: seconds for one request.
        attempts: requests for one image at most.
        max_output: tokens that the model may write.
        name: the model's name in logs and provenance; None: `model`.
        wait: sleeps for so many seconds.

    Raises:
        InputError: OpenAI's own server without a key in the environment, or an address that is none.
        MissingExtraError: the client is not installed.
    """

    batch = 1
    parallel = True
    from_truth = False

    def __init__(
        self,
        schema: Schema,
        model: str,
        *,
        base_url: str | None = None,
        max_side: int | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        max_output: int = MAX_OUTPUT,
        name: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.schema, self.served, self.model = schema, model, name or model
        self._key = os.environ.get(KEY, "")
        self._server = base_url or os.environ.get(SERVER, "")
        if not self._server and not self._key:
            raise InputError(
                f"model {model}: no server is named, and no key for OpenAI's is set",
                allowed=f"--base-url, e.g. http://localhost:8000/v1, or a key in the environment as {KEY}",
            )
        if self._server:
            check_address(self._server, "--base-url" if base_url else SERVER)
        self._max_side, self._timeout, self._attempts, self._wait = max_side, timeout, attempts, wait
        self._client = client_of(self._server, self._key, timeout)
        self._form = RequestForm(max_output=max_output)
        self._lock = threading.Lock()
        self._reached = False  # one request has been answered: a later 401 is a whim of the server
        self._heard = False  # the server has said anything at all: what breaks later may mend
        self._asked: dict[str, tuple[str, dict[str, Any]]] = {}
        told = {
            "form": FORM,
            "model": model,
            "max_side": max_side,
            "max_output": max_output,
            "schema": schema.to_dict(),
        }
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order.

        Raises:
            InputError: there is no server, it refuses the key, or it has no such model: no other question
                would fare better.
            ImageError: an image that cannot be read; it names row and file.
        """
        return [self._ask(question) for question in questions]

    def complete(self, text: str, wanted: Mapping[str, Any]) -> Reply:
        """Return the reply to words alone, for what is not asked about an image.

        Args:
            text: what the model is told.
            wanted: JSON schema of its answer.

        Raises:
            InputError: as `ask`.
        """
        return self._talk([{"type": "text", "text": text}], "text", dict(wanted), time.monotonic())

    def _ask(self, question: Question) -> Reply:
        start = time.monotonic()
        url = picture_of(question.row, question.modality, max_side=self._max_side).url
        words, wanted = self._words(question.modality)
        # the words first: servers keep what they worked out of a beginning that is always the same
        content: list[dict[str, Any]] = [
            {"type": "text", "text": words},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return self._talk(content, question.modality, wanted, start)

    def _talk(self, content: list[dict[str, Any]], name: str, wanted: dict[str, Any], start: float) -> Reply:
        """Send until a reply comes, or none will; `name` and `wanted` are the answer's form."""
        form = self._form
        sent = waited = 0
        while True:
            sent += 1
            came = self._send(content, form.options(name, wanted))
            self._heard = self._heard or isinstance(came, Arrived) or not came.unreached
            if isinstance(came, Arrived):
                self._learn(form)
                return came.reply(attempts=sent, seconds=time.monotonic() - start, clean=self._clean)
            simpler = form.without(came.text) if came.status in (400, 422) else None
            if simpler is not None:
                form = simpler
                continue
            waited += 1
            if not came.again or waited >= self._attempts:
                self._raise_if_hopeless(came)
                return Reply(
                    "failed", error=self._clean(came.text), attempts=sent, seconds=time.monotonic() - start
                )
            self._wait(_pause(waited, came.retry_after))

    def _words(self, modality: str) -> tuple[str, dict[str, Any]]:
        """Return the instructions and the answer's schema, made once a modality."""
        if modality not in self._asked:
            self._asked[modality] = (
                instructions(self.schema, modality),
                answer_schema(self.schema, modality),
            )
        return self._asked[modality]

    def _send(self, content: list[dict[str, Any]], options: Mapping[str, Any]) -> Arrived | Trouble:
        import httpx2
        import openai

        until = time.monotonic() + self._timeout
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self.served,
                messages=(),
                # as fields of the body: the client would compare each with its types, for a millisecond
                extra_body={"messages": [{"role": "user", "content": content}], **options},
            ) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if time.monotonic() > until:
                        return Trouble(f"no whole reply within {self._timeout:g} s")
                    if len(body) > LARGEST_BODY:
                        return Arrived(raw=body.decode("utf-8", "replace"))  # rejected: too long
        except (openai.APIError, httpx2.HTTPError) as error:
            return trouble_of(error, self._timeout)
        came = read_body(bytes(body), self.schema, logprobs="logprobs" in options)
        return came if isinstance(came, Arrived) else Trouble(came)

    def _learn(self, form: RequestForm) -> None:
        """Keep the form that a server took, so that the next request is not turned down for the same."""
        with self._lock:
            self._reached = True
            self._form = self._form.both(form)

    def _raise_if_hopeless(self, trouble: Trouble) -> None:
        if trouble.unreached and not self._heard:
            raise InputError(
                f"the server {self._server or 'of OpenAI'} cannot be reached: "
                f"{shown(self._clean(trouble.text), 300)}",
                do="start it, or correct --base-url",
            )
        if trouble.status in _NEVER and not self._reached:
            what = {401: f"the key in {KEY}", 403: f"the key in {KEY}", 404: f"the model {self.served}"}
            raise InputError(
                f"the server {self._server or 'of OpenAI'} refused {what[trouble.status]}: "
                f"{shown(self._clean(trouble.text), 300)}",
                do=f"set {KEY}" if trouble.status != 404 else "correct --model or --base-url",
            )

    def _clean(self, text: str) -> str:
        """Return a server's words without the key, should it repeat it."""
        return text.replace(self._key, "[key]") if self._key else text


def _pause(attempt: int, retry_after: float | None) -> float:
    """Return the seconds to wait: what the server asks for, else doubled each time, with a random part.

    The random part (ours: up to a quarter) keeps many threads from coming back at the same moment.
    """
    scattered = 1 + 0.25 * random.random()
    if retry_after is not None:
        return min(retry_after, LONGEST_RETRY_AFTER) + 0.05 * random.random()
    return float(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) * scattered)
