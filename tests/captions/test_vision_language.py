"""A local vision-language model: loaded from a folder, asked, and refused with a reason."""

import importlib.util
import json
import math
import shutil
import string
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_vision_language import make_folder

from nextreid.attributes import load_schema
from nextreid.captions.answers import Question
from nextreid.captions.backends.vision_language import load_vision_language
from nextreid.data.rows import Row
from nextreid.errors import ImageError, InputError, MissingExtraError

PERSON = load_schema("person")
ANSWER = (
    ('{"age": {"value": "', 0.9),
    ("adu", 0.8),
    ("lt", 0.6),
    ('", "confidence": 0.7}, "upper": {"value": "', 0.9),
    ("coat", 0.5),
    ('", "confidence": 1.0}}', 0.9),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("models") / "tiny", letters=string.printable, answer=ANSWER)


@pytest.fixture
def row(tmp_path: Path) -> Row:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    return Row(3, "m.csv", "first", {"rgb": tmp_path / "a.png", "nir": tmp_path / "b.png"})


def test_a_folder_answers_and_says_how_sure_its_tokens_were(folder: Path, row: Row) -> None:
    backend = load_vision_language(folder, PERSON)
    (good,) = backend.ask([Question(row, "rgb")])
    assert good.outcome == "answered"
    assert good.raw == "".join(piece for piece, _ in ANSWER)
    assert json.loads(good.raw)["upper"] == {"value": "coat", "confidence": 1.0}
    assert good.token_confidence == {
        "age": pytest.approx(0.48, rel=1e-3),
        "upper": pytest.approx(0.5, rel=1e-3),
    }
    assert good.output_tokens == len(ANSWER) + 1  # and the end
    assert good.input_tokens > 500  # the instructions, a token a letter
    with pytest.raises(ImageError, match=r"row 3 of m\.csv, modality nir"):
        backend.ask([Question(row, "nir")])
    assert (backend.model, backend.parallel, backend.batch) == ("transformers:tiny", False, 1)


def test_the_fingerprint_tells_weights_settings_and_schemas_apart(folder: Path, tmp_path: Path) -> None:
    backend = load_vision_language(folder, PERSON)
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "tiny")
    assert load_vision_language(moved, PERSON).fingerprint == backend.fingerprint
    other = make_folder(tmp_path / "other" / "tiny", letters=string.printable, answer=ANSWER[::-1])
    prints = [
        backend.fingerprint,
        load_vision_language(other, PERSON).fingerprint,
        load_vision_language(folder, PERSON, max_side=10).fingerprint,
        load_vision_language(folder, load_schema("vehicle")).fingerprint,
    ]
    assert len(set(prints)) == len(prints)


def test_random_weights_without_a_chat_template_still_answer_something(tmp_path: Path, row: Row) -> None:
    made = make_folder(tmp_path / "random", letters=string.printable, chat=False)
    backend = load_vision_language(made, PERSON, most_tokens=5, max_side=8)
    (reply,) = backend.ask([Question(row, "rgb")])
    assert reply.outcome == "answered"
    assert 1 <= reply.output_tokens <= 5
    assert all(math.isfinite(value) for value in reply.token_confidence.values())


def test_a_failing_model_is_a_failed_reply(folder: Path, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load_vision_language(folder, PERSON)

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory.\nTried to allocate 3 GiB")

    monkeypatch.setattr(backend, "_generate", break_down)
    (reply,) = backend.ask([Question(row, "rgb")])
    assert (reply.outcome, reply.error) == ("failed", "RuntimeError: CUDA out of memory.")


def test_a_processor_that_needs_what_is_not_installed(folder: Path, tmp_path: Path) -> None:
    from transformers import SmolVLMConfig

    if importlib.util.find_spec("torchvision"):
        pytest.skip("torchvision is installed here")
    other = shutil.copytree(folder, tmp_path / "smol")
    (other / "processor_config.json").unlink()
    SmolVLMConfig().save_pretrained(other)
    settings = {"processor_class": "SmolVLMProcessor", "image_processor_type": "SmolVLMImageProcessor"}
    (other / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(MissingExtraError, match=r"processor of .*smol needs .*Torchvision.*pip install"):
        load_vision_language(other, PERSON)


def test_a_missing_package_is_named_wherever_it_was_missed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoProcessor

    def load(*_: object, **__: object) -> None:
        try:
            raise ImportError("Package `num2words` is required to run the processor.\nInstall it.")
        except ImportError as error:
            raise ValueError("cannot make a processor") from error

    monkeypatch.setattr(AutoProcessor, "from_pretrained", load)
    with pytest.raises(MissingExtraError, match="not installed: Package `num2words` is required") as caught:
        load_vision_language(folder, PERSON)
    assert caught.value.exit_code == 3


def test_what_is_no_vision_language_model(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        load_vision_language(tmp_path / "nowhere", PERSON)
    with pytest.raises(InputError, match="cannot be loaded"):
        load_vision_language(tmp_path, PERSON)
    deaf = shutil.copytree(folder, tmp_path / "deaf")
    for name in ("processor_config.json", "chat_template.jinja"):
        (deaf / name).unlink()
    with pytest.raises(InputError, match="deaf"):
        load_vision_language(deaf, PERSON)
    weightless = shutil.copytree(folder, tmp_path / "weightless")
    (weightless / "model.safetensors").unlink()
    with pytest.raises(InputError, match="weightless cannot be loaded"):
        load_vision_language(weightless, PERSON)
    with pytest.raises(InputError, match="1 or more"):
        load_vision_language(folder, PERSON, max_side=0)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: the one question fails, and any other connection fails the test. Returns what was asked."""
    asked: list[str] = []

    def fail(url: str, **_: object) -> None:
        asked.append(url)
        raise OSError("no route to host")

    def connect(*_: object, **__: object) -> None:
        pytest.fail("asked the network again")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", fail)
    monkeypatch.setattr("socket.create_connection", connect)
    monkeypatch.setattr("socket.getaddrinfo", connect)
    return asked


def test_a_hub_that_does_not_answer_is_asked_once(no_network: list[str]) -> None:
    with pytest.raises(InputError, match="The hub does not answer, and its cache") as caught:
        load_vision_language("someone/sees-and-speaks", PERSON)
    assert len(no_network) == 1
    assert "copy the model's folder" in str(caught.value)


def test_a_model_in_the_cache_loads_without_a_network(
    folder: Path, no_network: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "models--someone--sees-and-speaks"
    (held / "refs").mkdir(parents=True)
    (held / "refs" / "main").write_text("a" * 40)
    shutil.copytree(folder, held / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    backend = load_vision_language("someone/sees-and-speaks", PERSON)
    assert backend.model == "transformers:someone/sees-and-speaks"
    assert len(no_network) == 1
