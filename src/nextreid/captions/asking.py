"""Asking models about every image of a data set: many at once, nothing twice, each reply logged at once."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nextreid.captions.answers import Backend, Question, Reply
from nextreid.captions.log import AnswerLog, Record
from nextreid.captions.parsing import refuses, shown
from nextreid.captions.spending import Budget
from nextreid.data.rows import Row
from nextreid.progress import Progress, Silent, Task

CONCURRENCY = 16
"""Requests under way at once (ours: what small servers queue without complaint)."""

GRACE = 5.0
"""Seconds that replies under way are waited for after an interruption (ours: most arrive within)."""

FAILURES_IN_A_ROW = 100
"""After so many without one reply the asking stops (ours: a server that is gone should cost minutes, not a
night; no server that answers one request in ten gets here by chance)."""

SHOWN_ERROR = 300
"""Characters of the last error that are shown, escaped (ours: two lines)."""

_LOOK = 0.25  # seconds between two looks at an interruption while nothing arrives


@dataclass(frozen=True)
class Asked:
    """What came of asking.

    Attributes:
        asked: questions put in this run, each with a record in the log.
        reused: questions whose replies were in the log.
        failed, refused: of `asked`, how many got no reply, and how many a refusal, be it in prose.
        left: questions not put, because the asking stopped.
        stopped_by: "", "max-requests", "max-cost", or "failures": the last `FAILURES_IN_A_ROW` all failed.
        requests: sent, retries included.
        input_tokens, output_tokens: as counted by the servers.
        cost: in the prices' currency; None without prices.
        seconds: of wall clock.
        last_error: of the last failure, escaped; "" if there was none.
    """

    asked: int = 0
    reused: int = 0
    failed: int = 0
    refused: int = 0
    left: int = 0
    stopped_by: str = ""
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    last_error: str = ""


def questions_of(rows: Sequence[Row], modalities: Sequence[str]) -> Iterator[Question]:
    """Yield a question for each image, row by row."""
    for row in rows:
        for modality in modalities:
            if modality in row.paths:
                yield Question(row, modality)


def open_questions(
    rows: Sequence[Row], modalities: Sequence[str], backend: Backend, log: AnswerLog
) -> list[Question]:
    """Return the questions that a backend has not replied to yet."""
    known = log.answered(backend.model, backend.fingerprint)
    return [q for q in questions_of(rows, modalities) if (q.row.observation, q.modality) not in known]


def ask_all(
    rows: Sequence[Row],
    modalities: Sequence[str],
    backends: Sequence[Backend],
    log: AnswerLog,
    *,
    concurrency: int = CONCURRENCY,
    budget: Budget | None = None,
    progress: Progress | None = None,
    first_failure: Callable[[str], None] | None = None,
) -> Asked:
    """Ask every backend about every image that it has not replied to; a failed question is asked again.

    Backends are asked one after the other, each by as many threads as `concurrency` (by one, if it says
    so). On Ctrl-C nothing more is asked, what is under way is waited for shortly, and KeyboardInterrupt
    goes on to the caller.

    Args:
        rows: the observations.
        modalities: which of their images.
        backends: with models of different names.
        log: open; every reply is in it before anything else is done with it.
        concurrency: questions under way at most.
        budget: when to stop; None: at the end.
        progress: one step a question, with rate, cost and time left.
        first_failure: told why the first question of each backend that failed did, as soon as it has.

    Raises:
        InputError: what no other question would change: no server, a key that is refused, a model that is
            not there; or an image that cannot be read.
    """
    budget = budget or Budget()
    start = time.monotonic()
    tally, reused, left, error = Counter[str](), 0, 0, ""
    stopped = ""
    work = [(backend, open_questions(rows, modalities, backend, log)) for backend in backends]
    images = sum(1 for _ in questions_of(rows, modalities))
    for backend, questions in work:
        reused += images - len(questions)
        if not questions or stopped:
            left += len(questions)
            continue
        threads = max(1, min(concurrency, len(questions))) if backend.parallel else 1
        with (progress or Silent()).task(f"asking {backend.model}", len(questions)) as task:
            crew = _Crew(backend, questions, log, budget, threads, first_failure)
            crew.run(task)
        tally += crew.tally
        error = crew.last_error or error
        left += len(questions) - crew.tally["asked"]
        stopped = budget.stopped_by or ("failures" if crew.hopeless else "")
    return Asked(
        asked=tally["asked"],
        reused=reused,
        failed=tally["failed"],
        refused=tally["refused"],
        left=left,
        stopped_by=stopped,
        requests=tally["requests"],
        input_tokens=tally["input"],
        output_tokens=tally["output"],
        cost=None if budget.prices is None else budget.cost,
        seconds=time.monotonic() - start,
        last_error=error,
    )


class _Crew:
    """The threads that ask one backend."""

    def __init__(
        self,
        backend: Backend,
        questions: Sequence[Question],
        log: AnswerLog,
        budget: Budget,
        threads: int,
        first_failure: Callable[[str], None] | None,
    ) -> None:
        self.backend, self.log, self.budget, self._first_failure = backend, log, budget, first_failure
        self.tally = Counter[str]()
        self.hopeless = False
        self.last_error = ""
        self._questions = questions
        self._next = 0
        self._in_a_row = 0
        self._taking, self._watching = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._arrived: queue.SimpleQueue[list[Reply] | BaseException | None] = queue.SimpleQueue()
        # daemons: a reply that hangs must not keep an interrupted program from ending
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def run(self, task: Task) -> None:
        start = time.monotonic()
        for thread in self._threads:
            thread.start()
        try:
            fault = self._listen(task, start)
        except BaseException:  # Ctrl-C
            self._stop.set()
            until = time.monotonic() + GRACE
            for thread in self._threads:
                thread.join(max(0.0, until - time.monotonic()))
            raise
        if fault is not None:
            raise fault

    def _listen(self, task: Task, start: float) -> BaseException | None:
        """Count what arrives until every thread has ended; return what went wrong in one of them."""
        working = len(self._threads)
        fault: BaseException | None = None
        while working:
            try:
                # a wait without end would not notice Ctrl-C on every system
                arrived = self._arrived.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if arrived is None:
                working -= 1
            elif isinstance(arrived, BaseException):
                fault = fault or arrived
                self._stop.set()
            else:
                self._count(arrived)
                task.advance(len(arrived))
                task.note(self._note(time.monotonic() - start))
        return fault

    def _count(self, replies: list[Reply]) -> None:
        for reply in replies:
            self.tally["asked"] += 1
            refused = reply.outcome == "answered" and refuses(reply.raw)
            self.tally["refused" if refused else reply.outcome] += 1
            self.tally["requests"] += reply.attempts
            self.tally["input"] += reply.input_tokens
            self.tally["output"] += reply.output_tokens
            if reply.outcome == "failed":
                told, self.last_error = self.last_error, shown(reply.error, SHOWN_ERROR)
                if not told and self._first_failure is not None:
                    self._first_failure(self.last_error)

    def _note(self, seconds: float) -> str:
        rate = self.tally["asked"] / max(seconds, 1e-9)
        left = len(self._questions) - self.tally["asked"]
        parts = [f"{rate:.1f} images/s"]
        if self.budget.prices is not None:
            parts.append(f"cost {self.budget.cost:.4g}")
        if self.tally["failed"]:
            parts.append(f"{self.tally['failed']} failed")
        if left:
            parts.append(f"{_duration(left / max(rate, 1e-9))} left")
        return ", ".join(parts)

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and (questions := self._take()):
                try:
                    replies = self.backend.ask(questions)
                    for question, reply in zip(questions, replies, strict=True):
                        self._keep(question, reply)
                except BaseException:
                    self.budget.give_up(len(questions))
                    raise
                self.budget.settle(replies)
                self._watch(replies)
                self._arrived.put(replies)
        except BaseException as error:  # the main thread raises it
            self._arrived.put(error)
        finally:
            self._arrived.put(None)

    def _keep(self, question: Question, reply: Reply) -> None:
        observation, modality = question.row.observation, question.modality
        self.log.append(Record(self.backend.model, self.backend.fingerprint, observation, modality, reply))

    def _watch(self, replies: Sequence[Reply]) -> None:
        """Stop where nothing but failures has come for long."""
        with self._watching:
            for reply in replies:
                self._in_a_row = self._in_a_row + 1 if reply.outcome == "failed" else 0
            if self._in_a_row >= FAILURES_IN_A_ROW:
                self.hopeless = True
                self._stop.set()

    def _take(self) -> Sequence[Question]:
        """Return the next questions, as many as the backend takes at a time and the budget allows."""
        with self._taking:
            waiting = min(self.backend.batch, len(self._questions) - self._next)
            granted = self.budget.take(waiting) if waiting else 0
            first, self._next = self._next, self._next + granted
        return self._questions[first : first + granted]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
