"""Small benchmark trees whose images lie on a line, so that every score can be worked out by hand.

Each tree is written under the benchmark's own names. `PLACES` say where an observation lies: the distance of
two observations is the difference of their places.
"""

import io
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

Places = dict[str, float]


def plant(root: Path, names: list[str]) -> None:
    """Write one tiny image under every name."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 8), (90, 120, 150)).save(buffer, "PNG")
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def lists(root: Path, files: dict[str, list[str]]) -> None:
    for name, lines in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("\n".join(lines) + "\n")


def embeddings(path: Path, places: Places) -> Path:
    """Write what anybody's model would: two arrays in a plain npz."""
    line = np.array([[place, 1.0] for place in places.values()])
    np.savez(path, observation=np.array(list(places)), embedding=line)
    return path


RGBNT201: Places = {
    "000258_cam1_0_00": 1,
    "000258_cam2_0_01": 4,
    "000260_cam1_0_00": 2,
    "000260_cam1_0_01": 8,
    "000260_cam2_0_02": 6.5,
}


def rgbnt201(root: Path) -> Path:
    for folder in ("RGB", "NI", "TI"):
        plant(root, [f"train_171/{folder}/000009_cam1_0_00.jpg"])
        plant(root, [f"test/{folder}/{name}.jpg" for name in RGBNT201])
    return root


MSVR310: Places = {
    "0002_s002_v0_000": 0.5,
    "0002_s002_v3_001": 2,
    "0002_s013_v0_002": 5,
    "0003_s000_v1_000": 3,
    "0003_s000_v5_001": 9,
    "0005_s004_v7_000": 4.5,
}


def msvr310(root: Path) -> Path:
    for folder in ("vis", "ni", "th"):
        plant(root, [f"bounding_box_train/0001/{folder}/0001_s000_v0_000.jpg"])
        plant(root, [f"bounding_box_test/{name[:4]}/{folder}/{name}.jpg" for name in MSVR310])
    return root


WMVEID863: Places = {
    "0003_v0_n0_s999_000": 1,
    "0003_v4_n1_s999_001": 2,
    "0003_v4_n1_s999_002": 6,
    "0005_v2_n9_s001_000": 3.5,
    "0005_v6_n9_s001_001": 4,
}


def wmveid863(root: Path) -> Path:
    """Queries are all but 0003_v4_n1_s999_002 and 0005_v6_n9_s001_001; 0451 is in both splits."""
    parts = {
        "train": ["0001_v0_n0_s999_000", "0451_v0_n0_s999_001"],
        "test": [*WMVEID863, "0451_v4_n0_s999_000"],
        "query": [list(WMVEID863)[at] for at in (0, 1, 3)],
    }
    for part, names in parts.items():
        for folder in ("vis", "ni", "th"):
            plant(root, [f"{part}/{name[:4]}/{folder}/{name}.jpg" for name in names])
    return root


SYSU: Places = {
    "cam1/0006/0001": 2,
    "cam1/0006/0002": 6,
    "cam1/0007/0001": 3,
    "cam1/0007/0002": 1,
    "cam2/0006/0001": 0.5,
    "cam2/0006/0002": 8.1,
    "cam4/0007/0001": 4.4,
    "cam4/0007/0002": 9,
    "cam3/0006/0001": 1.4,
    "cam3/0007/0001": 5.1,
    "cam6/0006/0001": 7,
    "cam6/0007/0001": 2.2,
}


def sysu(root: Path, *, only_one: bool = False) -> Path:
    """Trials 1 to 5 draw image 1 first, trials 6 to 10 image 2.

    Args:
        root: the tree.
        only_one: leave the second images out but that of identity 7 under camera 1, and the permutations.
    """
    plant(root, [f"cam{camera}/{person:04d}/0001.jpg" for camera in range(1, 7) for person in (1, 2)])
    plant(root, [f"{name}.jpg" for name in (sysu_one() if only_one else SYSU)])
    lists(
        root, {f"exp/{name}_id.txt": [ids] for name, ids in (("train", "1"), ("val", "2"), ("test", "6,7"))}
    )
    if only_one:
        return root
    cells = np.empty((6, 1), dtype=object)
    for camera in range(1, 7):
        people = np.empty((7, 1), dtype=object)
        for person in range(1, 8):
            count = len(list(root.glob(f"cam{camera}/{person:04d}/*.jpg")))
            forth, back = list(range(1, count + 1)), list(range(count, 0, -1))
            people[person - 1, 0] = np.array([forth] * 5 + [back] * 5).reshape(10, count)
        cells[camera - 1, 0] = people
    scipy.io.savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cells})
    return root


def sysu_one() -> Places:
    return {name: at for name, at in SYSU.items() if name.endswith("1") or name == "cam1/0007/0002"}


REGDB: Places = {
    "Visible/2/v_1": 0.8,
    "Visible/2/v_2": 5,
    "Visible/4/v_1": 3,
    "Visible/4/v_2": 8,
    "Thermal/2/t_1": 2,
    "Thermal/2/t_2": 4.5,
    "Thermal/4/t_1": 3.2,
    "Thermal/4/t_2": 9,
}


def regdb(root: Path) -> Path:
    """Trial 3 tests on identities 2 and 4."""
    trained = [
        f"{word}/{person}/{word[0].lower()}_1.bmp" for word in ("Visible", "Thermal") for person in (1, 3)
    ]
    tested = [f"{name}.bmp" for name in REGDB]
    plant(root, trained + tested)
    for split, names in (("train", trained), ("test", tested)):
        for word in ("Visible", "Thermal"):
            chosen = [name for name in names if name.startswith(word)]
            lines = [f"{name} {int(name.split('/')[1]) // 3}" for name in chosen]
            lists(root, {f"idx/{split}_{word.lower()}_3.txt": lines})
    return root


LLCM: Places = {
    "test_vis/cam1/0002/0002_c01_f0001_vis": 1,
    "test_vis/cam1/0009/0009_c01_f0001_vis": 4,
    "test_vis/cam3/0002/0002_c03_f0001_vis": 6,
    "test_nir/cam1/0002/0002_c01_f0001_nir": 1.5,
    "test_nir/cam2/0002/0002_c02_f0001_nir": 7,
    "test_nir/cam2/0009/0009_c02_f0001_nir": 3,
    "test_nir/cam5/0009/0009_c05_f0001_nir": 0.2,
}


def llcm(root: Path) -> Path:
    for word in ("vis", "nir"):
        name = f"train_{word}/cam1/0001/0001_c01_f0001_{word}.jpg"
        plant(root, [name])
        lists(root, {f"idx/train_{word}.txt": [f"{name} 0"]})
    plant(root, [f"{name}.jpg" for name in LLCM])
    lists(root, {"idx/test_id.txt": ["2,9"]})
    return root
