import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from nextreid.atomic import written_whole
from nextreid.embedding.embeddings import Embeddings, load_embeddings
from nextreid.errors import InputError


def some(n=5, width=4, **changes):
    rng = np.random.default_rng(0)
    values = {
        "observation": np.array([f"id {i} é東" for i in range(n)]),
        "vectors": rng.standard_normal((n, width)).astype(np.float32),
        "subsets": {
            "rgb": rng.standard_normal((n, width)).astype(np.float32),
            "rgb+nir": rng.standard_normal((n, 3)).astype(np.float32),
        },
        "branches": {"global": slice(0, 3), "semantic": slice(3, 4)},
    }
    values["subsets"]["rgb"][2] = 0  # an observation without rgb
    return Embeddings(**{**values, **changes})


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_file_comes_back_bit_for_bit(tmp_path, suffix):
    written = some()
    path = written.save(tmp_path / "deep" / f"e{suffix}")
    read = load_embeddings(path)
    assert read.observation.tolist() == written.observation.tolist()
    assert read.vectors.dtype == np.float32
    assert np.array_equal(read.vectors, written.vectors)
    assert set(read.subsets) == {"rgb", "rgb+nir"}
    for name, matrix in written.subsets.items():
        assert np.array_equal(read.subsets[name], matrix)
    assert read.branches == written.branches
    assert read.source == str(path)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]
    again = path.read_bytes()
    written.save(path)
    assert path.read_bytes() == again


def test_the_npz_is_what_the_format_says(tmp_path):
    some().save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert {"observation", "embedding", "embedding/rgb", "embedding/rgb+nir"} <= set(file.files)
        assert file["observation"].dtype.kind == "U"
        assert file["embedding"].dtype == np.float32


@pytest.mark.parametrize(
    "ids",
    [np.array(["a", "b"]), np.array([b"a", b"b"]), np.array([7, 12]), np.array(["a", "b"], dtype="U40")],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.float32, np.int8])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_others_wrote_with_numpy(tmp_path, ids, dtype, save):
    vectors = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype)
    save(tmp_path / "e.npz", observation=ids, embedding=np.asfortranarray(vectors), labels=np.arange(2))
    read = load_embeddings(tmp_path / "e.npz")
    assert read.vectors.dtype == np.float32
    assert read.vectors.tolist() == vectors.tolist()
    assert read.observation.tolist() in (["a", "b"], ["7", "12"])
    assert not read.subsets


def test_pickles_are_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    ids = np.array(["a", Trap()], dtype=object)
    np.savez(tmp_path / "e.npz", observation=ids, embedding=np.ones((2, 3)))
    with pytest.raises(InputError, match=r"Python objects.*astype\(str\)"):
        load_embeddings(tmp_path / "e.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_damaged_files_give_an_input_error_wherever_they_break(tmp_path, suffix):
    whole = some().save(tmp_path / f"e{suffix}").read_bytes()
    path = tmp_path / f"damaged{suffix}"
    for cut in [0, 1, 7, 8, 50, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="damaged"):
            load_embeddings(path)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        noisy = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            noisy[at] = rng.integers(0, 256)
        path.write_bytes(bytes(noisy))
        try:
            load_embeddings(path)
        except InputError:
            refused += 1
    assert refused > 20
    for content in (b"observation,embedding\na,1\n", b"\x93NUMPY", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            load_embeddings(path)


def test_files_that_are_not_there_or_not_named_so(tmp_path):
    with pytest.raises(InputError, match="no embeddings file"):
        load_embeddings(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"\.npz or \.safetensors"):
        load_embeddings(tmp_path / "e.pt")
    with pytest.raises(InputError, match=r"\.npz or \.safetensors"):
        some().save(tmp_path / "e")
    np.savez(tmp_path / "e.npz", features=np.ones((2, 3)))
    with pytest.raises(InputError, match="no array `observation`"):
        load_embeddings(tmp_path / "e.npz")
    save_file({"embedding": np.ones((2, 3), np.float32)}, tmp_path / "e.safetensors")
    with pytest.raises(InputError, match="does not name its observations"):
        load_embeddings(tmp_path / "e.safetensors")
    for ids in ("not json", '{"a": 1}', "[1, 2]"):
        save_file(
            {"embedding": np.ones((2, 3), np.float32)}, tmp_path / "e.safetensors", {"observation": ids}
        )
        with pytest.raises(InputError, match="`observation` is not"):
            load_embeddings(tmp_path / "e.safetensors")


def bad_vectors(value):
    vectors = np.ones((5, 4), np.float32)
    vectors[3, 1] = value
    return vectors


ZERO = np.ones((5, 4), np.float32)
ZERO[[1, 4]] = 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": bad_vectors(np.nan)}, "NaN or infinity .* 'id 3 é東'"),
        ({"vectors": bad_vectors(np.inf)}, "NaN or infinity .* 'id 3 é東'"),
        ({"vectors": np.full((5, 4), 1e300)}, "infinity .*id 4"),
        ({"subsets": {"rgb": bad_vectors(np.nan)}}, "`embedding/rgb` holds NaN .* 'id 3 é東'"),
        ({"vectors": ZERO}, "'id 1 é東', 'id 4 é東' is all zeros"),
        ({"vectors": np.ones((4, 4))}, r"shape \(4, 4\)"),
        ({"vectors": np.ones(5)}, r"shape \(5,\)"),
        ({"vectors": np.ones((5, 0))}, r"shape \(5, 0\)"),
        ({"vectors": np.ones((5, 2), complex)}, "complex128"),
        ({"vectors": np.full((5, 2), "x")}, "real numbers"),
        ({"observation": np.array(["a", "b", "a", "c", "b"])}, "'a', 'b' occurs more than once"),
        ({"observation": np.array(["a", "b", "", "c", "d"])}, "empty"),
        ({"observation": np.ones(5)}, "float64"),
        ({"observation": np.array(["a"] * 5, object)}, "more than once"),
        ({"observation": np.array([["a"] * 5])}, "shape"),
        ({"observation": np.array([b"\xff", b"a", b"b", b"c", b"d"])}, "UTF-8"),
        ({"subsets": {"rgb": np.ones((4, 2))}}, "`embedding/rgb` has the shape"),
        ({"subsets": {"RGB": np.ones((5, 2))}}, "'RGB' is not a modality name"),
        ({"subsets": {"rgb+": np.ones((5, 2))}}, "not a modality name"),
        ({"subsets": {"rgb+nir": np.ones((5, 2)), "nir+rgb": np.ones((5, 2))}}, "are the same"),
        ({"branches": {"global": slice(0, 5)}}, "columns 0 to 5"),
        ({"branches": {"global": slice(2, 2)}}, "columns 2 to 2"),
    ],
)
def test_what_cannot_be_embeddings_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        some(**changes)


def test_no_observation_at_all():
    with pytest.raises(InputError, match="n > 0"):
        Embeddings(np.array([], dtype=str), np.ones((0, 3)))


def test_looking_up():
    embeddings = some()
    assert embeddings.rows(["id 3 é東", "id 0 é東"]).tolist() == [3, 0]
    with pytest.raises(InputError, match=r"no embedding for 'x', 'y' \(2 of 3\)"):
        embeddings.rows(["x", "id 0 é東", "y"])
    assert embeddings.subset(("nir", "rgb")) is embeddings.subsets["rgb+nir"]
    with pytest.raises(InputError, match=r"no embeddings of tir alone.*rgb, rgb\+nir.*each-subset"):
        embeddings.subset(["tir"])
    assert len(embeddings) == 5


def test_it_cannot_be_changed_and_does_not_freeze_the_callers_array():
    vectors = np.ones((5, 4), np.float32)
    embeddings = some(vectors=vectors)
    with pytest.raises(ValueError, match="read-only"):
        embeddings.vectors[0, 0] = 2
    vectors[0, 0] = 3


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "e.npz"
    path.write_text("old")

    def write_half():
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"features": np.ones((3, 2)), "ids": np.array(["a", "b", "c"])},
            r"no array `observation`; it has `features` \(3, 2\), `ids` \(3,\)\. Allowed: .*What to do: "
            r"write it with numpy\.savez\(file, observation=old\['ids'\], embedding=old\['features'\]\)",
        ),
        (
            {"features": np.ones((3, 2)), "ids": np.arange(3), "labels": np.arange(3)},  # which are the ids?
            r"`labels` \(3,\).*observation=ids, embedding=vectors",
        ),
        ({"embedding": np.ones((3, 2))}, "no array `observation`; it has `embedding`"),
        (
            {"observation": np.arange(3), "features": np.ones((3, 2))},
            "no array `embedding`; it has `features`",
        ),
        ({"features": np.array([{}, 1], object), "ids": np.arange(2)}, r"has `features` \(2,\), `ids`"),
        ({}, "it has none"),
    ],
)
def test_arrays_of_other_names(tmp_path, arrays, message):
    path = tmp_path / "theirs.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        load_embeddings(path)


@pytest.mark.parametrize("ids", [["a", "b"], [b"a", b"b"], [7, 8]])
def test_ids_of_any_plain_type(tmp_path, ids):
    path = tmp_path / "theirs.npz"
    np.savez(path, observation=np.array(ids), embedding=np.eye(2, 3), extra=np.array([None, "x"], object))
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in ids]
    assert load_embeddings(path).observation.tolist() == names


def test_pickled_ids_are_refused_with_the_way_out(tmp_path):
    path = tmp_path / "theirs.npz"
    np.savez(path, observation=np.array(["a", "b"], object), embedding=np.eye(2))
    with pytest.raises(
        InputError, match=r"a pickle can run code.*observation=ids\.astype\(str\), .*numpy\.stack\(vectors\)"
    ):
        load_embeddings(path)


def test_vectors_of_objects_are_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"type object.*numpy\.stack\(vectors\)"):
        Embeddings(np.array(["a", "b"]), np.eye(2).astype(object))
