"""The openai backend against a server of its own that speaks the protocol, and misbehaves."""

import hashlib
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from openai_test_server import HOSTILE, LASTING, Server
from PIL import Image
from small_data import answers_file, drawn_answer, small_data

from nextreid.attributes.schema import load_schema
from nextreid.captions.answers import Question
from nextreid.captions.backends import openai_server
from nextreid.captions.backends.openai_server import KEY, SERVER, OpenAIBackend
from nextreid.captions.backends.request_form import RequestForm
from nextreid.captions.parsing import ReplyReader
from nextreid.captions.picture import picture_of
from nextreid.data.manifest import Manifest
from nextreid.errors import ImageError, InputError

SCHEMA = load_schema("person")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return small_data(tmp_path_factory.mktemp("data"), 3)


@pytest.fixture(scope="module")
def answers(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return answers_file(data, SCHEMA, tmp_path_factory.mktemp("answers") / "answers.json")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.delenv(SERVER, raising=False)


def backend(server: Server, **options: object) -> OpenAIBackend:
    return OpenAIBackend(SCHEMA, "m", base_url=server.url, **{"wait": lambda seconds: None, **options})


def asked(server: Server, data: Manifest, modality: str = "rgb", **options: object):
    return backend(server, **options).ask([Question(data.rows[0], modality)])[0]


def digest_of(data: Manifest, modality: str = "rgb") -> str:
    return hashlib.sha256(data.rows[0].paths[modality].read_bytes()).hexdigest()


def test_one_request_carries_the_bytes_of_one_file(data: Manifest, answers: Path) -> None:
    with Server(answers=str(answers)) as server:
        questions = [Question(row, name) for row in data.rows for name in row.paths]
        replies = backend(server).ask(questions)
        counts = server.counts()
    sent = {hashlib.sha256(q.row.paths[q.modality].read_bytes()).hexdigest(): 1 for q in questions}
    assert counts["requests"] == sent
    for question, reply in zip(questions, replies, strict=True):
        assert json.loads(reply.raw) == drawn_answer(SCHEMA, question.row.observation, question.modality)
        assert (reply.outcome, reply.attempts, reply.input_tokens, reply.output_tokens) == (
            "answered",
            1,
            900,
            300,
        )


def test_log_probabilities_weigh_the_stated_confidence(data: Manifest, answers: Path) -> None:
    def claims(**options: object) -> dict[str, float]:
        with Server(answers=str(answers), **options) as server:
            reply = asked(server, data)
        read = ReplyReader(SCHEMA).read(reply, observation="o", modality="rgb", model="m")
        return {name: claim.confidence for name, claim in read.claims.items()}

    stated = claims(reject=["logprobs"])
    sure = claims(token_probability=1.0)
    unsure = claims(token_probability=0.25)
    assert stated.keys() == sure.keys() == unsure.keys()
    assert stated
    for name, confidence in stated.items():
        assert sure[name] == pytest.approx(math.sqrt(confidence))
        # a value of n letters lies in one token of four letters, or more
        assert unsure[name] <= math.sqrt(confidence * 0.25) + 1e-9


@pytest.mark.parametrize("kind", ["429", "500", "hang", "slow", "drop", "half", "not-json"])
def test_passing_troubles_are_tried_again(data: Manifest, answers: Path, kind: str) -> None:
    waits: list[float] = []
    with Server(answers=str(answers), faults={kind: 1.0}, retry_after=7) as server:
        reply = asked(server, data, wait=waits.append, timeout=1.5)
    assert reply.outcome == "answered"
    assert json.loads(reply.raw) == drawn_answer(SCHEMA, "o0000", "rgb")
    assert reply.attempts == len(waits) + 1 in (2, 3)
    for number, wait in enumerate(waits):
        least = 7.0 if kind == "429" else openai_server.FIRST_WAIT * 2**number
        assert least <= wait <= least * 1.3


def test_a_trouble_that_stays_is_a_failed_reply(data: Manifest) -> None:
    waits: list[float] = []
    with Server(faults={"500-always": 1.0}) as server:
        reply = asked(server, data, wait=waits.append, attempts=4)
        assert sum(server.counts()["requests"].values()) == 4
    assert (reply.outcome, reply.attempts, len(waits)) == ("failed", 4, 3)
    assert reply.error.startswith("status 500")


@pytest.mark.parametrize("kind", [name for name in LASTING if not name.endswith("always")])
def test_a_bad_reply_is_kept_and_its_fault_named(data: Manifest, answers: Path, kind: str) -> None:
    with Server(answers=str(answers), faults={kind: 1.0}) as server:
        reply = asked(server, data)
        assert sum(server.counts()["requests"].values()) == 1
    read = ReplyReader(SCHEMA).read(reply, observation="o", modality="rgb", model="m")
    reasons = {fault.reason for fault in read.faults}
    expected = {
        "malformed": "malformed",
        "cut": "malformed",
        "prose": "prose around json",
        "outside": "value not allowed",
        "confidence": "bad confidence",
        "empty": "empty",
        "refusal": "refused",
        "refusal-text": "refused",
        "injection": "value not allowed",
        "html": "prose around json",
        "control": "control characters",
        "megabyte": "too long",
        "extra": "unknown attribute",
        "list": None,
    }[kind]
    assert expected is None or expected in reasons
    assert len(read.faults) < 60
    for claim in read.claims.values():
        assert 0.0 <= claim.confidence <= 1.0
    for fault in read.faults:
        assert len(fault.given) <= 80
        assert fault.given.isprintable()
        assert fault.given.isascii()
    told = {n: e["value"] for n, e in drawn_answer(SCHEMA, "o0000", "rgb").items() if e["value"] != "unknown"}
    claimed = {name: claim.value for name, claim in read.claims.items()}
    if kind in ("malformed", "prose", "confidence", "html", "extra", "list"):
        assert claimed == told
    elif kind == "cut":
        assert claimed.items() <= told.items()
        assert len(claimed) >= len(told) // 2
    elif kind == "control":
        assert claimed.items() <= told.items()
    else:
        assert claimed == {}
    assert HOSTILE not in str(claimed)
    assert (reply.outcome == "refused") == (kind == "refusal")


def test_a_server_that_turns_options_down_is_asked_for_less(data: Manifest, answers: Path) -> None:
    rejected = ["response_format", "logprobs", "temperature", "max_tokens"]
    for message in ({}, {"rejection": "Bad request"}):
        with Server(answers=str(answers), reject=rejected, **message) as server:
            asking = backend(server)
            first, second = asking.ask([Question(data.rows[0], "rgb"), Question(data.rows[1], "rgb")])
            counts = server.counts()
        assert first.outcome == second.outcome == "answered"
        assert second.attempts == 1, "what a server turned down is not asked for again"
        assert first.attempts == counts["rejected"] + 1 <= 8


def test_a_bad_image_does_not_cost_the_others_their_structured_output(data: Manifest) -> None:
    with Server(faults={"400-always": 1.0}) as server:
        asking = backend(server)
        reply = asking.ask([Question(data.rows[0], "rgb")])[0]
    assert (reply.outcome, reply.attempts) == ("failed", 1)
    assert asking._form == RequestForm(max_output=openai_server.MAX_OUTPUT)


def test_the_form_of_a_request() -> None:
    form = RequestForm()
    assert form.options("rgb", {"type": "object"})["response_format"]["json_schema"]["strict"] is True
    newer = form.without(
        "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    assert newer is not None
    assert newer.limit == "max_completion_tokens"
    plain = form.without("response_format json_schema is unavailable")
    assert plain is not None
    assert plain.options("rgb", {})["response_format"] == {"type": "json_object"}
    assert plain.both(newer) == newer.both(plain) == replace(newer, structured="object")
    steps, left = 0, form
    while (less := left.without("no")) is not None:
        steps, left = steps + 1, less
    assert (steps, left.options("rgb", {})) == (6, {})


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    data: Manifest, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=KEY):
        OpenAIBackend(SCHEMA, "m")
    secret = "sk-secret-0123456789"
    with Server(answers=str(answers), key=secret) as server:
        monkeypatch.setenv(KEY, "sk-wrong-0123456789")
        with pytest.raises(InputError, match="refused the key") as caught:
            asked(server, data)
        assert "sk-wrong" not in str(caught.value)
        monkeypatch.setenv(KEY, secret)
        asking = backend(server)
        assert asking.ask([Question(data.rows[0], "rgb")])[0].outcome == "answered"
        assert secret not in repr(vars(asking)["fingerprint"])
        assert server.counts()["keys"][f"Bearer {secret}"] == 1


def test_a_server_that_was_never_there_ends_the_run_and_one_that_dies_does_not(data: Manifest) -> None:
    waits: list[float] = []
    question = [Question(data.rows[0], "rgb")]
    with Server() as server:
        asking = backend(server, attempts=3, wait=waits.append)
        assert asking.ask(question)[0].outcome == "answered"
    (reply,) = asking.ask(question)
    assert (reply.outcome, reply.attempts, len(waits)) == ("failed", 3, 2)
    assert "connection" in reply.error
    with pytest.raises(InputError, match=r"127\.0\.0\.1.*cannot be reached.*refused"):
        asked(server, data, attempts=3, wait=waits.append)
    assert len(waits) == 4
    lost = OpenAIBackend(SCHEMA, "m", base_url="http://no-such-host.invalid/v1", wait=waits.append)
    with pytest.raises(InputError, match=r"no-such-host\.invalid.*cannot be reached"):
        lost.ask(question)


@pytest.mark.parametrize(
    "address",
    ["localhost:8000/v1", "localhost/v1", "ftp://host/v1", "http://", "http:///v1", "http://host:port/v1"],
)
def test_what_is_no_address_is_an_error_when_it_is_read(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"--base-url is .*no address.*http://localhost:8000/v1"):
        OpenAIBackend(SCHEMA, "m", base_url=address)
    monkeypatch.setenv(SERVER, address)
    with pytest.raises(InputError, match=f"{SERVER} is"):
        OpenAIBackend(SCHEMA, "m")


def test_a_model_that_is_not_there_ends_the_run(data: Manifest) -> None:
    with Server(model="another") as server, pytest.raises(InputError, match="refused the model m"):
        asked(server, data)


def test_a_reply_without_counts_and_a_reply_without_end(
    data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(usage=None) as server:
        reply = asked(server, data)
        assert (reply.outcome, reply.input_tokens, reply.output_tokens) == ("answered", 0, 0)
        monkeypatch.setattr(openai_server, "LARGEST_BODY", 100)
        assert asked(server, data).outcome == "answered"


def test_fingerprints_tell_what_changes_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER, "http://127.0.0.1:9/v1")
    made = [
        OpenAIBackend(SCHEMA, "m"),
        OpenAIBackend(SCHEMA, "m", base_url="http://127.0.0.1:10/v1", timeout=3, attempts=1),
        OpenAIBackend(SCHEMA, "n"),
        OpenAIBackend(SCHEMA, "m", max_side=64),
        OpenAIBackend(load_schema("vehicle"), "m"),
    ]
    assert made[0].fingerprint == made[1].fingerprint
    assert len({entry.fingerprint for entry in made}) == 4


def test_pictures_are_files_unless_something_must_be_done(data: Manifest, tmp_path: Path) -> None:
    row = data.rows[0]
    plain = picture_of(row, "rgb")
    assert (plain.data, plain.mime) == (row.paths["rgb"].read_bytes(), "image/png")
    assert picture_of(row, "rgb", max_side=16).data == plain.data
    assert Image.open(io.BytesIO(picture_of(row, "rgb", max_side=8).data)).size == (4, 8)
    boxed = picture_of(replace(row, boxes={"rgb": (1, 2, 6, 12)}), "rgb")
    assert Image.open(io.BytesIO(boxed.data)).size == (5, 10)
    tiff = tmp_path / "a.tif"
    Image.open(row.paths["rgb"]).save(tiff)
    assert picture_of(replace(row, paths={"rgb": tiff}), "rgb").mime == "image/png"
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(plain.data[: len(plain.data) * 2 // 3])
    for name in ("empty.png", "none.png", "cut.png"):
        broken = replace(row, paths={"rgb": tmp_path / name})
        with pytest.raises(InputError, match=rf"modality rgb: .*{name}"):
            picture_of(broken, "rgb")
        with Server() as server:
            with pytest.raises(ImageError, match=name):
                backend(server).ask([Question(broken, "rgb")])
            assert server.counts()["requests"] == {}
