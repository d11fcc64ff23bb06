"""The official client of the OpenAI protocol, and what its exceptions mean."""

import email.utils
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nextreid.captions.parsing import shown
from nextreid.errors import InputError, MissingExtraError

KEY = "OPENAI_API_KEY"
"""Environment variable of the key, as the official client calls it."""

SERVER = "OPENAI_BASE_URL"
"""Environment variable of the server's address, likewise."""

CONNECTING = 10.0
"""Seconds to reach a server at most (ours: one across the world answers the call within one)."""

_AGAIN = frozenset({408, 409, 425, 429})  # as in the official client; and every 5xx


@dataclass(frozen=True)
class Trouble:
    """A request without a reply.

    Attributes:
        text: why.
        status: of HTTP; 0 where none came.
        retry_after: seconds that the server asks to wait for.
        again: whether the same request may fare better later.
        unreached: no server was there to hear it.
    """

    text: str
    status: int = 0
    retry_after: float | None = None
    again: bool = True
    unreached: bool = False


def check_address(server: str, option: str) -> None:
    """Refuse an address that no request could be sent to.

    Args:
        server: as given.
        option: how it was given: the option, or the variable of the environment.

    Raises:
        InputError: no scheme, or one of another protocol; no host; a port that is none.
    """
    try:
        parts = urlsplit(server)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fine = False
    if not fine:
        raise InputError(
            f"{option} is {shown(server)}, which is no address of a server",
            allowed="http:// or https://, a host, and most often a port and /v1: http://localhost:8000/v1",
        )


def client_of(server: str, key: str, timeout: float) -> Any:
    """Return the official client, without retries of its own.

    Args:
        server: its address; "" for OpenAI's own.
        key: "" where the server wants none.
        timeout: seconds for one request.

    Raises:
        MissingExtraError: the client is not installed.
    """
    try:
        import httpx2
        import openai
    except ImportError as error:
        raise MissingExtraError(
            "The backend `openai` needs the package openai. What to do: pip install 'nextreid[openai]'"
        ) from error
    return openai.OpenAI(
        base_url=server or None,
        api_key=key or "none",  # local servers take any, and the client insists on one
        max_retries=0,
        timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECTING)),
    )


def trouble_of(error: Exception, timeout: float) -> Trouble:
    """Return what an exception of the client means.

    Args:
        error: of the client, or of what it sends with.
        timeout: seconds that the request had.
    """
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return _refusal(error)
    cause = error.__cause__ or error
    if isinstance(cause, httpx2.ConnectTimeout):
        return Trouble(f"no connection within {min(timeout, CONNECTING):g} s", unreached=True)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return Trouble(f"no reply within {timeout:g} s")
    reason = str(cause) or type(error).__name__
    return Trouble(f"the connection failed: {reason}", unreached=isinstance(cause, httpx2.ConnectError))


def _refusal(error: Any) -> Trouble:
    """Return what a reply with an error status says."""
    status = int(error.status_code)
    body = error.body
    text = str(body.get("message") or body) if isinstance(body, dict) else str(error.message)
    exhausted = status == 429 and getattr(error, "code", None) == "insufficient_quota"
    return Trouble(
        f"status {status}: {text[:1000]}",
        status=status,
        retry_after=_retry_after(error.response.headers.get("retry-after")),
        again=(status in _AGAIN or status >= 500) and not exhausted,
    )


def _retry_after(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, given as a number or as a date; None if there is none."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if seconds >= 0 else 0.0
