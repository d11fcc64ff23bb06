"""Many questions at once: each asked once, bounded, within its budget, and clean when interrupted."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextreid.captions import asking
from nextreid.captions.answers import Question, Reply
from nextreid.captions.asking import Asked, ask_all
from nextreid.captions.estimating import IMAGE, TILE, expected_tokens
from nextreid.captions.log import AnswerLog, Record, read_log
from nextreid.captions.spending import Budget, Prices
from nextreid.data.rows import Row
from nextreid.errors import InputError


def rows(count: int, modalities: Sequence[str] = ("rgb", "tir")) -> list[Row]:
    paths = {name: Path(f"{name}.png") for name in modalities}
    return [Row(index=n, source="made", observation=f"o{n}", paths=paths) for n in range(count)]


class Made:
    """A backend that does as told."""

    def __init__(
        self,
        reply: Callable[[Question], Reply] | None = None,
        *,
        model: str = "m",
        batch: int = 1,
        parallel: bool = True,
        seconds: float = 0.0,
    ) -> None:
        self.model, self.batch, self.parallel, self.fingerprint = model, batch, parallel, "f"
        self.reply = reply or (
            lambda question: Reply("answered", raw="{}", input_tokens=1000, output_tokens=100)
        )
        self.seconds = seconds
        self.asked: Counter[tuple[str, str]] = Counter()
        self.sizes: list[int] = []
        self.now = self.most = 0
        self.lock = threading.Lock()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.sizes.append(len(questions))
            self.asked.update((q.row.observation, q.modality) for q in questions)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return [self.reply(question) for question in questions]


def run(path: Path, backends: Sequence[Made], count: int = 10, **options: object) -> Asked:
    with AnswerLog(path) as log:
        return ask_all(rows(count), ("rgb", "tir"), backends, log, **options)


def test_every_image_is_asked_about_once_and_logged(tmp_path: Path) -> None:
    one, two = Made(model="a", seconds=0.01), Made(model="b", batch=7, parallel=False)
    done = run(tmp_path / "log", [one, two], concurrency=4)
    assert (done.asked, done.reused, done.left, done.stopped_by) == (40, 0, 0, "")
    assert (done.input_tokens, done.output_tokens, done.requests, done.cost) == (40_000, 4_000, 40, None)
    for backend in (one, two):
        assert set(backend.asked.values()) == {1}
        assert len(backend.asked) == 20
    assert one.most == 4
    assert (two.most, two.sizes) == (1, [7, 7, 6])
    records = list(read_log(tmp_path / "log"))
    assert len({(r.model, *r.key) for r in records}) == len(records) == 40
    again = run(tmp_path / "log", [one, two], count=11)
    assert (again.asked, again.reused) == (4, 40)
    assert set(one.asked.values()) == {1}


def test_absent_images_are_not_asked_about(tmp_path: Path) -> None:
    backend = Made()
    with AnswerLog(tmp_path / "log") as log:
        data = [*rows(2), *rows(1, ("nir",))]
        done = ask_all(data, ("tir", "depth"), [backend], log)
    assert done.asked == 2
    assert set(backend.asked) == {("o0", "tir"), ("o1", "tir")}


def test_failures_are_counted_and_asked_again(tmp_path: Path) -> None:
    def bad(question: Question) -> Reply:
        if question.modality == "tir":
            return Reply("failed", error="gone\x1b[2J", attempts=3)
        return Reply("refused", error="no")

    done = run(tmp_path / "log", [Made(bad)])
    assert (done.asked, done.failed, done.refused, done.requests) == (20, 10, 10, 40)
    assert done.last_error == "gone\\x1b[2J"
    good = Made()
    assert run(tmp_path / "log", [good]).asked == 10
    assert {modality for _, modality in good.asked} == {"tir"}


def test_the_first_failure_is_told_at_once_and_prose_refusals_are_counted(tmp_path: Path) -> None:
    said = {0: "I'm sorry, but I can't help with that.", 1: 'Sorry! {"gender": "male"}'}
    told: list[tuple[str, int]] = []
    backend = Made(
        lambda q: (
            Reply("failed", error=f"gone {q.row.index}")
            if q.row.index > 1
            else Reply("answered", raw=said[q.row.index])
        ),
        seconds=0.01,
    )
    done = run(
        tmp_path / "log",
        [backend],
        count=9,
        concurrency=1,
        first_failure=lambda text: told.append((text, len(backend.sizes))),
    )
    assert (done.refused, done.failed, done.last_error) == (2, 14, "gone 8")
    ((text, when),) = told
    assert text == "gone 2"
    assert when < 18


def test_a_server_that_is_gone_ends_the_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FAILURES_IN_A_ROW", 12)
    gone, other = Made(lambda question: Reply("failed", error="gone")), Made(model="other")
    done = run(tmp_path / "log", [gone, other], count=50, concurrency=2)
    assert done.stopped_by == "failures"
    assert 12 <= done.asked <= 12 + 2 * 2
    assert done.left == 200 - done.asked
    assert not other.asked
    flaky = Made(lambda question: Reply("failed" if question.row.index % 3 else "answered"))
    assert run(tmp_path / "log2", [flaky], count=50, concurrency=2).stopped_by == ""


def test_the_limit_of_requests_is_kept_to_the_one_and_the_next_run_goes_on(tmp_path: Path) -> None:
    backends = [Made(model="a", batch=3, seconds=0.005), Made(model="b")]
    for _ in range(2):
        done = run(tmp_path / "log", backends, concurrency=4, budget=Budget(max_requests=13))
        assert (done.asked, done.stopped_by) == (13, "max-requests")
    assert done.left == 40 - 26
    done = run(tmp_path / "log", backends, budget=Budget(max_requests=14))
    assert (done.asked, done.left, done.stopped_by) == (14, 0, "")
    for backend in backends:
        assert set(backend.asked.values()) == {1}
    assert run(tmp_path / "log2", backends, budget=Budget(max_requests=0)).asked == 0


PRICES = Prices(input=2.0, output=10.0)
EACH = 1000 * 2e-6 + 100 * 10e-6  # of a reply of `Made`


@pytest.mark.parametrize("expected", [(0.0, 0.0), (1000.0, 100.0), (50_000.0, 100.0)])
def test_cost_stops_and_resumes(tmp_path: Path, expected: tuple[float, float]) -> None:
    backend = Made(seconds=0.002)
    seen = 0
    for _ in range(40):
        budget = Budget(max_cost=max(7.5 * EACH, PRICES.of(expected)), prices=PRICES, expected=expected)
        done = run(tmp_path / "log", [backend], count=100, concurrency=8, budget=budget)
        assert done.cost == pytest.approx(done.asked * EACH)
        if expected != (0.0, 0.0):  # without an idea of the price, the first requests go out unweighed
            assert done.cost <= budget.max_cost
        seen += done.asked
        assert done.left == 200 - seen
        if not done.left:
            break
        assert done.stopped_by == "max-cost"
        assert done.asked >= 7
    assert seen == 200
    assert set(backend.asked.values()) == {1}


def test_a_limit_below_one_question_asks_nothing(tmp_path: Path) -> None:
    budget = Budget(max_cost=EACH * 0.9, prices=PRICES, expected=(1000, 100))
    assert run(tmp_path / "log", [Made()], budget=budget).asked == 0
    assert budget.stopped_by == "max-cost"
    for wrong in ({"max_cost": 1.0}, {"max_requests": -1}, {"max_cost": float("nan"), "prices": PRICES}):
        with pytest.raises(InputError):
            Budget(**wrong)
    with pytest.raises(InputError):
        Prices(-1, 0)


def test_uncounted_tokens_cost_what_was_expected(tmp_path: Path) -> None:
    def uncounted(question: Question) -> Reply:
        return Reply("failed" if question.row.observation == "o0" else "answered")

    budget = Budget(prices=PRICES, expected=(1000, 100))
    assert run(tmp_path / "log", [Made(uncounted)], budget=budget).cost == pytest.approx(18 * EACH)


def test_what_no_other_question_would_change_ends_the_asking(tmp_path: Path) -> None:
    def refused(question: Question) -> Reply:
        if question.row.observation == "o3":
            raise InputError("the key is refused")
        return Reply("answered")

    with pytest.raises(InputError, match="the key is refused"):
        run(
            tmp_path / "log",
            [Made(refused)],
            count=2000,
            concurrency=2,
            budget=Budget(max_cost=1, prices=PRICES),
        )
    assert len(list(read_log(tmp_path / "log"))) < 1000
    backend = Made()
    backend.ask = lambda questions: []  # a fault of ours
    with pytest.raises(ValueError, match="argument"):
        run(tmp_path / "log", [backend])


def test_progress_tells_rate_cost_and_time_left(tmp_path: Path) -> None:
    told: list[str] = []
    steps: list[int] = []

    class Told:
        @contextmanager
        def task(self, title: str, total: int | None):
            assert (title, total) == ("asking m", 20)
            yield self

        def advance(self, steps_: int = 1) -> None:
            steps.append(steps_)

        def note(self, text: str) -> None:
            told.append(text)

    run(tmp_path / "log", [Made(batch=4)], progress=Told(), budget=Budget(prices=PRICES))
    assert sum(steps) == 20
    assert "images/s" in told[0]
    assert "left" in told[0]
    assert "left" not in told[-1]
    assert f"cost {20 * EACH:.4g}" in told[-1]


INTERRUPTED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
sys.path.insert(0, {folder!r})
from test_asking import Made, run
from pathlib import Path
from nextreid.captions import asking
asking.GRACE = 2.0
slow = Made()
count = 0
def ask(questions, inner=slow.ask):
    global count
    count += 1
    time.sleep({seconds})
    return inner(questions)
slow.ask = ask
print("ready", flush=True)
try:
    run(Path({log!r}), [slow], count=500, concurrency=4)
except KeyboardInterrupt:
    print("interrupted", count, flush=True)
"""


@pytest.mark.parametrize(("seconds", "longest"), [(0.05, 20.0), (3600.0, 30.0)])
def test_an_interruption_is_clean_even_where_replies_hang(
    tmp_path: Path, seconds: float, longest: float
) -> None:
    path = tmp_path / "log"
    code = INTERRUPTED.format(folder=str(Path(__file__).parent), log=str(path), seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.0)
    start = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert time.monotonic() - start < longest
    assert process.returncode == 0
    assert told.startswith("interrupted")
    records = list(read_log(path))
    if seconds < 1:  # what was under way has arrived
        assert len(records) == int(told.split()[1])
    assert path.read_bytes().endswith(b"\n") or not records


def test_expected_tokens(tmp_path: Path) -> None:
    from PIL import Image

    from nextreid.attributes.schema import load_schema

    schema = load_schema("person")
    data = rows(5, ("rgb",))
    questions = [Question(row, "rgb") for row in data]
    for row in data:
        row.paths["rgb"] = tmp_path / "a.png"
    Image.new("RGB", (600, 300)).save(tmp_path / "a.png")
    read, written = expected_tokens(schema, questions)
    small, same = expected_tokens(schema, questions, max_side=512)
    assert (read - small, written) == (TILE, same)
    (tmp_path / "a.png").unlink()
    assert expected_tokens(schema, questions)[0] == small
    assert small > IMAGE + TILE
    assert expected_tokens(schema, []) == (0.0, 0.0)
    known = [
        Record("m", "f", "o", "rgb", Reply("answered", input_tokens=n, output_tokens=2 * n))
        for n in (0, 10, 20)
    ]
    assert expected_tokens(schema, questions, known=known) == (15.0, 30.0)
    assert json.dumps(read)
