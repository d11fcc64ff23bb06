"""Reading images of every kind, and the faults of files."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nextreid.data.images import CONSTANT_GREY, MAX_PIXELS, ImageTransform, read_image, stretch
from nextreid.errors import ImageError, InputError

WHERE = "row 7 of m.csv, modality tir"


def pattern(height: int = 24, width: int = 16) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def counts(height: int = 24, width: int = 16) -> np.ndarray:
    """Thermal counts as a camera gives them: a narrow band somewhere in 16 bit."""
    return np.random.default_rng(1).integers(29_000, 31_000, (height, width)).astype(np.uint16)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"])
def test_every_pillow_mode(mode: str) -> None:
    if mode == "PA":
        image = Image.fromarray(pattern()).convert("P").convert("PA")
    elif mode == "LAB":
        image = Image.new("LAB", (16, 24), (128, 0, 0))
    else:
        image = Image.fromarray(pattern()).convert(mode)
    read = read_image(image)
    assert (read.shape, read.dtype) == ((24, 16, 3), np.uint8)
    if mode in ("1", "L", "LA"):
        assert (read[..., 0] == read[..., 1]).all()
        assert (read[..., 0] == read[..., 2]).all()
    if mode in ("RGB", "RGBA"):
        assert (read == pattern()).all()


@pytest.mark.parametrize(
    ("mode", "ending"), [("16 bit", "png"), ("16 bit", "tif"), ("32 bit", "tif"), ("float", "tif")]
)
def test_high_bit_files_are_stretched(tmp_path: Path, mode: str, ending: str) -> None:
    raw = counts()
    typed = {"16 bit": raw, "32 bit": raw.astype(np.int32), "float": raw.astype(np.float32)}[mode]
    Image.fromarray(typed).save(tmp_path / f"t.{ending}")
    read = read_image(tmp_path / f"t.{ending}")
    low, high = np.percentile(raw, [1, 99])
    expected = np.rint(np.clip((raw - low) / (high - low), 0, 1) * 255)
    assert (read == expected[..., None]).all()
    assert read.min() == 0
    assert read.max() == 255


def test_8_bit_is_left_alone() -> None:
    dim = np.full((4, 4), 10, np.uint8)
    dim[0, 0] = 12
    assert read_image(Image.fromarray(dim)).max() == 12


@pytest.mark.parametrize("value", [0, 300, 65535])
def test_a_constant_image_is_mid_grey(value: int) -> None:
    assert (read_image(np.full((5, 4), value, np.uint16)) == CONSTANT_GREY).all()


def test_stretch_by_hand() -> None:
    assert stretch(np.array([0, 0, 0, 0] * 100 + [7], np.uint16))[-1] == 255, "percentiles coincide: min..max"
    values = np.arange(101, dtype=np.float32)
    assert stretch(values)[[0, 1, 50, 99, 100]].tolist() == [0, 0, 128, 255, 255]
    values[3] = np.nan
    assert stretch(values)[3] == 0
    assert (stretch(np.full(3, np.inf)) == 0).all()
    shifted = stretch(values * 2.5 + 7).astype(int) - stretch(values)
    assert np.abs(shifted).max() <= 1, "scale and offset do not matter (but for rounding)"


def test_exif_orientation_is_applied_before_the_box(tmp_path: Path) -> None:
    image = Image.fromarray(pattern())
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: shown rotated by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(pattern(), -1)
    assert (read_image(tmp_path / "a.png") == upright).all()
    assert (read_image(tmp_path / "a.png", box=(2, 3, 9, 8)) == upright[3:8, 2:9]).all()


@pytest.mark.parametrize("kind", ["file", "pil", "array", "tensor"])
def test_box_crops_alike_for_every_source(tmp_path: Path, kind: str) -> None:
    full = pattern()
    Image.fromarray(full).save(tmp_path / "a.png")
    source = {
        "file": tmp_path / "a.png",
        "pil": Image.fromarray(full),
        "array": full,
        "tensor": torch.from_numpy(full).permute(2, 0, 1),
    }[kind]
    assert (read_image(source, box=(2, 4, 10, 20)) == full[4:20, 2:10]).all()
    assert (read_image(source, box=(-5, -5, 4, 99)) == full[:, :4]).all(), "cut off at the border"
    for box in [(16, 0, 20, 5), (3, 3, 3, 8), (5, 5, 2, 8), (-9, -9, 0, 0)]:
        with pytest.raises(ImageError, match=r"row 7 of m\.csv, modality tir.*box.*16 x 24"):
            read_image(source, box=box, where=WHERE)


def test_a_boxed_frame_equals_a_file_cut_out_beforehand(tmp_path: Path) -> None:
    raw = counts()
    Image.fromarray(raw).save(tmp_path / "frame.png")
    Image.fromarray(raw[5:15, 2:9]).save(tmp_path / "cut.png")
    boxed = read_image(tmp_path / "frame.png", box=(2, 5, 9, 15))
    assert (boxed == read_image(tmp_path / "cut.png")).all()
    assert (boxed == read_image(raw, box=(2, 5, 9, 15))).all()


def test_arrays_and_tensors_agree() -> None:
    full = pattern()
    grey = full[..., 0]
    tensor = torch.from_numpy(full).permute(2, 0, 1)
    for source in (full, full / 255.0, (full / 255.0).astype(np.float32), tensor, tensor.double() / 255):
        assert (read_image(source) == full).all()
    alpha = np.concatenate([full, full[..., :1]], axis=2)
    assert (read_image(alpha) == full).all()
    for source in (grey, grey[..., None], torch.from_numpy(grey), torch.from_numpy(grey)[None]):
        assert (read_image(source) == grey[..., None]).all()
    assert (read_image(grey > 100)[..., 1] == (grey > 100) * 255).all()
    half = read_image(tensor.to(torch.bfloat16) / 255)
    assert np.abs(half.astype(int) - full).max() <= 2


def test_what_is_read_can_be_changed_without_changing_the_source() -> None:
    full = pattern()
    for source in (full, torch.from_numpy(full).permute(2, 0, 1)):
        read_image(source)[:] = 0
    assert full.any()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4), np.int32), "type int32"),
        (np.full((4, 4), 255.0), "from 255 to 255.*divide"),
        (np.full((4, 4), np.nan), "nan"),
        (torch.zeros(5, 4, 3), "C,H,W"),
        (object(), "not an image"),
    ],
)
def test_arrays_that_are_no_images(bad: object, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        read_image(bad, where=WHERE)
    assert WHERE in str(caught.value)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes: what a bomb's header looks like."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8000, 7000), (12_000, 9_000), (30_000, 30_000)])
def test_a_bomb_is_refused_from_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS
    file = tmp_path / "bomb.png"
    file.write_bytes(png_header(*size))
    with pytest.raises(ImageError, match=r"bomb\.png is too large to decode.*50,000,000") as caught:
        read_image(file, where=WHERE)
    assert WHERE in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp", "webp", "gif"])
def test_truncated_files(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)).save(file)
    content = file.read_bytes()
    for share in (0.02, 0.3, 0.8):
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ImageError, match=rf"a\.{ending}.*What to do") as caught:
            read_image(file, where=WHERE)
        assert str(caught.value).startswith(WHERE)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.jpg", tmp_path / "text.jpg"
    empty.touch()
    text.write_text("hello")
    for path, message in [
        (empty, "zero bytes"),
        (text, "not an image file"),
        (tmp_path, "folder"),
        (tmp_path / "no.png", "does not exist"),
    ]:
        with pytest.raises(ImageError, match=message) as caught:
            read_image(str(path), where=WHERE)
        assert str(caught.value).startswith(f"{WHERE}: {path}")


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_transform_resizes_smoothly_and_normalises(interpolation: str) -> None:
    transform = ImageTransform((8, 4), (0.5, 0.4, 0.3), (0.5, 0.25, 0.2), interpolation)
    stripes = np.zeros((64, 32, 3), np.uint8)
    stripes[::2] = 255
    small = transform.resize(stripes)
    assert small.shape == (8, 4, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - 127).max() <= 8, "antialiased: stripes become grey"
    tensor = transform(stripes)
    assert tensor.shape == (3, 8, 4)
    assert tensor.dtype == torch.float32
    for channel, (mean, std) in enumerate(zip(transform.mean, transform.std, strict=True)):
        expected = (small[..., channel] / 255 - mean) / std
        assert np.allclose(tensor[channel].numpy(), expected, atol=1e-6)


def test_transform_travels() -> None:
    assert ImageTransform([8, 4]) == ImageTransform((8, 4))  # type: ignore[arg-type]
    transform = ImageTransform((256, 128), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "bilinear")
    assert ImageTransform.from_dict(transform.to_dict()) == transform
    with pytest.raises(InputError, match="keys"):
        ImageTransform.from_dict({"size": [2, 2]})
    for bad in ({"size": (0, 2)}, {"size": (2, 2), "std": (0, 1, 1)}, {"size": (2, 2), "interpolation": "x"}):
        with pytest.raises(InputError):
            ImageTransform(**bad)


def test_a_path_that_leads_nowhere_says_from_where(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="relative paths start at the manifest's folder"):
        read_image(tmp_path / "no.png")
    with pytest.raises(ImageError, match="starts at the working folder"):
        read_image("no.png")
    with pytest.raises(ImageError, match="forward slashes"):
        read_image(tmp_path / "img\\no.png")


def test_the_shape_of_a_tensor_is_said_as_tensors_are(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\(C,H,W\)"):
        read_image(torch.zeros(1, 3, 8, 8))
