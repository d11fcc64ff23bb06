"""What questions cost, and how many may still be asked."""

import threading
from dataclasses import dataclass

from nextreid.captions.answers import Reply
from nextreid.errors import InputError


@dataclass(frozen=True)
class Prices:
    """What a server asks for its tokens, in any currency.

    Attributes:
        input, output: for a million tokens read, and written.

    Raises:
        InputError: a price below 0.
    """

    input: float
    output: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (self.input >= 0 and self.output >= 0):
            raise InputError(
                f"prices of {self.input} and {self.output}", allowed="0 or more a million tokens"
            )

    def of(self, tokens: tuple[float, float]) -> float:
        """Return the price of (read, written) tokens."""
        return (tokens[0] * self.input + tokens[1] * self.output) / 1e6


class Budget:
    """How many questions may still be asked; kept by threads that ask at once.

    A question sets money aside before it is asked: the highest cost of any so far, or what was expected of
    the first. So the limit is not passed, unless a reply costs more than every one before it.

    Args:
        max_requests: questions at most; None: any number.
        max_cost: in the prices' currency; None: any.
        prices: None where nothing is known of them.
        expected: (read, written) tokens of one question, for the first ones, and where a server does not
            count them.

    Raises:
        InputError: a limit below 0, or a limit of cost without prices.
    """

    def __init__(
        self,
        *,
        max_requests: int | None = None,
        max_cost: float | None = None,
        prices: Prices | None = None,
        expected: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        if max_cost is not None and prices is None:
            raise InputError(
                f"a limit of cost, {max_cost:g}, without prices",
                do="add --price-in and --price-out, per million tokens",
            )
        if not ((max_cost is None or max_cost >= 0) and (max_requests is None or max_requests >= 0)):
            raise InputError(f"limits of {max_requests} requests and {max_cost} cost", allowed="0 or more")
        self.max_requests, self.max_cost, self.prices = max_requests, max_cost, prices
        self.cost = 0.0
        self.stopped_by = ""
        self._expected = expected
        self._taken = self._open = 0
        self._highest: float | None = None
        self._change = threading.Condition()

    def take(self, wanted: int) -> int:
        """Set aside for up to `wanted` questions and return for how many; 0 ends the asking.

        Waits while only questions under way stand against the limit: they may cost less than set aside.
        """
        with self._change:
            while True:
                granted = self._granted(wanted)
                if granted or not self._open or self._requests_left() == 0:
                    break
                self._change.wait()
            if granted == 0:
                self.stopped_by = "max-requests" if self._requests_left() == 0 else "max-cost"
            self._taken += granted
            self._open += granted
            return granted

    def settle(self, replies: list[Reply]) -> None:
        """Count what came of questions that were taken."""
        with self._change:
            for reply in replies:
                self._open -= 1
                if reply.outcome != "failed" and self.prices is not None:
                    counted = (reply.input_tokens, reply.output_tokens)
                    cost = self.prices.of(counted if any(counted) else self._expected)
                    self._highest = max(cost, self._highest or 0.0)
                    self.cost += cost
            self._change.notify_all()

    def give_up(self, questions: int) -> None:
        """Count questions that were taken and of which no reply will come."""
        with self._change:
            self._open -= questions
            self._change.notify_all()

    def _requests_left(self) -> int | None:
        return None if self.max_requests is None else self.max_requests - self._taken

    def _granted(self, wanted: int) -> int:
        left = self._requests_left()
        granted = wanted if left is None else min(wanted, left)
        if self.max_cost is not None and self.prices is not None:
            each = self.prices.of(self._expected) if self._highest is None else self._highest
            free = self.max_cost - self.cost - self._open * each
            if each > 0:
                # a hair's breadth, so that 10 questions of 0.1 cost 1
                granted = min(granted, max(0, int(free / each + 1e-9)))
        return granted
