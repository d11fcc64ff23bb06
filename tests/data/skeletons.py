"""Skeleton trees: tiny valid images under real-looking names in the benchmarks' real folder structure.

`whole=True` builds a tree with the counts of the release (every file is a link to one of a few images);
otherwise a hand-made tree of a few files, small enough to work results out by hand.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

SYSU_CAMERAS = (1, 2, 3, 4, 5, 6)


class Planter:
    """Puts links to a few tiny images under many names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seeds = root.parent / f".{root.name}.seeds"
        self._seeds.mkdir(parents=True, exist_ok=True)
        self._made: set[Path] = set()

    def image(self, name: str, *, size: tuple[int, int] = (2, 4)) -> None:
        """Put an image (width, height) at a path below the root; PNG, whatever the ending says."""
        seed = self._seeds / f"{size[0]}x{size[1]}.png"
        if not seed.exists():
            Image.new("RGB", size, (90, 120, 150)).save(seed)
        path = self.root / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        os.link(seed, path)

    def text(self, name: str, lines: Iterable[str]) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def spread(total: int, parts: int) -> list[int]:
    """Cut a number into as equal parts as there are."""
    return [total // parts + (place < total % parts) for place in range(parts)]


def rgbnt201(root: Path, *, whole: bool = False, names: dict[str, Sequence[str]] | None = None) -> Path:
    """3951/836 observations of 171/30 identities if whole; or under names that are given."""
    plant = Planter(root)
    if names is None:
        names = {"train_171": _rgbnt201_train(), "test": _rgbnt201_test()} if whole else RGBNT201_SMALL
    for top, listed in names.items():
        for folder in ("RGB", "NI", "TI"):
            for name in listed:
                plant.image(f"{top}/{folder}/{name}")
    return root


RGBNT201_SMALL: dict[str, Sequence[str]] = {
    "train_171": ("000009_cam1_0_00.jpg", "000009_cam2_0_01.jpg", "000010_cam3_1_00.jpg"),
    "test": (
        "000258_cam1_0_00.jpg",
        "000258_cam2_0_01.jpg",
        "000260_cam1_0_00.jpg",
        "000260_cam1_0_01.jpg",
        "000260_cam2_0_02.jpg",
    ),
}


def _rgbnt201_train() -> list[str]:
    """171 identities, 120 of them under camera 1 only; 2592, 1142, 88 and 129 images by camera."""
    one = [f"{9 + i:06d}_cam1_0_{j:02d}.jpg" for i, n in enumerate(spread(2000, 120)) for j in range(n)]
    more = [
        f"{200 + i:06d}_cam{camera}_1_{20 * camera + j:02d}.jpg"
        for camera, total in ((1, 592), (2, 1142), (3, 88), (4, 129))
        for i, n in enumerate(spread(total, 51))
        for j in range(n)
    ]
    return one + more


def _rgbnt201_test() -> list[str]:
    return [
        f"{258 + i:06d}_cam{camera}_0_{20 * camera + j:02d}.jpg"
        for camera, total in ((1, 365), (2, 471))
        for i, n in enumerate(spread(total, 30))
        for j in range(n)
    ]


def strips(root: Path, *, tiles: int, whole: bool = False) -> Path:
    """RGBNT100 (three tiles) or RGBN300 (two).

    If whole, RGBNT100's 8675 training, 8575 gallery and 1715 query images (25 frames of each tracklet, 5 of
    them queries). Otherwise two identities each, two cameras, two frames, one of them a query.
    """
    plant = Planter(root)
    size = (2 * tiles, 1) if whole else (12 * tiles, 6)
    for top, odd, tracklets in (("bounding_box_train", 1, 347), ("bounding_box_test", 0, 343)):
        counts = spread(tracklets, 50) if whole else [2, 2]
        for place, cameras in enumerate(counts):
            for camera in range(1, cameras + 1):
                for frame in range(25 if whole else 2):
                    name = f"{502 + 2 * place - odd:04d}_c{camera:04d}_{frame:03d}.jpg"
                    plant.image(f"rgbir/{top}/{name}", size=size)
                    if not odd and frame % 5 == 0:
                        plant.image(f"rgbir/query/{name}", size=size)
    return root


MSVR310_SMALL: dict[str, Sequence[str]] = {
    "bounding_box_train": ("0001_s000_v0_000", "0001_s001_v3_001", "0004_s000_v2_000"),
    "bounding_box_test": (
        "0002_s002_v0_000",  # two scenes: queries
        "0002_s002_v3_001",
        "0002_s013_v0_002",
        "0003_s000_v1_000",  # one scene: no query
        "0003_s000_v5_001",
        "0005_s004_v7_000",  # one image
    ),
}
MSVR310_SMALL_QUERIES = MSVR310_SMALL["bounding_box_test"][:3]


def msvr310(root: Path, *, whole: bool = False, query_folder: bool = True) -> Path:
    """1032 training and 1055 gallery images, 591 of them queries of 52 identities, if whole."""
    names = _msvr310_names() if whole else {top: list(listed) for top, listed in MSVR310_SMALL.items()}
    queries = _msvr310_names(scenes=2)["bounding_box_test"] if whole else list(MSVR310_SMALL_QUERIES)
    if query_folder:
        names["query3"] = queries
    return by_identity(root, names)


def _msvr310_names(scenes: int = 0) -> dict[str, list[str]]:
    """155 identities each; of the test's, 52 with 591 images in two scenes, 103 with 464 in one."""
    train = [f"{1 + i:04d}_s000_v{j % 8}_{j:03d}" for i, n in enumerate(spread(1032, 155)) for j in range(n)]
    two = [
        f"{156 + i:04d}_s{1 + j % 2:03d}_v{j % 8}_{j:03d}"
        for i, n in enumerate(spread(591, 52))
        for j in range(n)
    ]
    one = [f"{208 + i:04d}_s003_v{j % 8}_{j:03d}" for i, n in enumerate(spread(464, 103)) for j in range(n)]
    return {"bounding_box_train": train, "bounding_box_test": two if scenes == 2 else two + one}


WMVEID863_SMALL: dict[str, Sequence[str]] = {
    "train": (
        "0001_v0_n0_s999_000",
        "0001_v4_n1_s999_001",
        "0002_v0_n9_s002_000",
        "0451_v0_n0_s999_000",  # in both splits, by this very name
        "0406_v1_n0_s999_003",  # its identity is in both splits
    ),
    "test": (
        "0003_v0_n0_s999_000",
        "0003_v4_n1_s999_001",
        "0003_v4_n1_s999_002",
        "0005_v2_n9_s001_000",
        "0005_v6_n9_s001_001",
        "0406_v1_n0_s999_004",
        "0451_v0_n0_s999_000",
    ),
    "query": ("0003_v0_n0_s999_000", "0003_v4_n1_s999_001", "0005_v2_n9_s001_000", "0451_v0_n0_s999_000"),
}


def wmveid863(root: Path) -> Path:
    """A few files: some lack a modality, one name breaks the rule, two identities are in both splits."""
    by_identity(
        root, WMVEID863_SMALL, lacking={("0406_v1_n0_s999_004", "vis"), ("0406_v1_n0_s999_004", "th")}
    )
    plant = Planter(root)
    plant.image("train/0865/vis/0865_0865_vis_v1_n0_03.jpg")
    plant.image("train/0865/th/0865_v1_n0_s999_002.jpg")
    return root


def by_identity(root: Path, names: dict[str, Sequence[str]], lacking: Iterable[tuple[str, str]] = ()) -> Path:
    """`<part>/<identity>/{vis,ni,th}/<name>.jpg`, without some (name, folder)."""
    plant = Planter(root)
    without = set(lacking)
    for top, listed in names.items():
        for name in listed:
            for folder in ("vis", "ni", "th"):
                if (name, folder) not in without:
                    plant.image(f"{top}/{name[:4]}/{folder}/{name}.jpg")
    return root


MARKET_SMALL: dict[str, Sequence[str]] = {
    "train": ("0002_c1s1_000451_03.jpg", "0002_c2s1_000776_01.jpg", "0007_c3s3_077419_03.jpg"),
    "query": ("0001_c1s1_001051_00.jpg", "0003_c4s6_015641_00.jpg"),
    "gallery": (
        "-1_c1s1_000401_03.jpg",
        "0000_c4s6_038141_05.jpg",
        "0001_c1s1_001051_01.jpg",
        "0001_c2s1_000301_00.jpg",
        "0003_c6s4_002202_01.jpg",
    ),
}


def market1501_mm(root: Path) -> Path:
    return rgbnt201(root, names=MARKET_SMALL)


def sysu_mm01(root: Path, *, whole: bool = False, draws: bool = True, seed: int = 0) -> Path:
    """SYSU-MM01; if whole, the 96 test identities with the release's counts by camera.

    Images by camera 1374/1565/1883/1918/1918/1920, identities by camera 56/56/93/94/95/96, and 2208 infrared
    images whose identity is seen indoors from another location. Otherwise test identities 6, 7 and 12, with
    up to four images a camera. Training identities 1, 3 and 4 (4: validation) have one image a camera.
    """
    plant = Planter(root)
    tested = _sysu_whole() if whole else SYSU_SMALL
    permutations: dict[tuple[int, int], np.ndarray] = {}
    rng = np.random.default_rng(seed)
    trained = {(camera, identity): 1 for camera in SYSU_CAMERAS for identity in (1, 3, 4)}
    for (camera, identity), count in {**trained, **tested}.items():
        for frame in range(1, count + 1):
            plant.image(f"cam{camera}/{identity:04d}/{frame:04d}.jpg")
        permutations[camera, identity] = np.stack([rng.permutation(count) + 1 for _ in range(10)])
    for name, identities in (
        ("train", [1, 3]),
        ("val", [4]),
        ("test", sorted({identity for _, identity in tested})),
    ):
        plant.text(f"exp/{name}_id.txt", [",".join(map(str, identities))])
    if draws:
        write_permutations(root / "exp" / "rand_perm_cam.mat", permutations)
    return root


SYSU_SMALL = {
    (1, 6): 3,
    (2, 6): 2,
    (3, 6): 2,
    (4, 6): 1,
    (1, 7): 1,
    (3, 7): 2,
    (5, 7): 2,
    (6, 7): 1,
    (2, 12): 4,
    (3, 12): 1,
    (6, 12): 2,
}
"""(camera, identity) -> images of the small tree's test identities.

Indoors, identity 12 is seen by camera 2 only, so its camera 3 query (the same room) has no match there."""


def _sysu_whole() -> dict[tuple[int, int], int]:
    """Counts that fulfil the release's: the first 56 identities are those seen by cameras 1 and 2.

    Indoors a camera 3 query needs camera 1, a camera 6 query camera 1 or 2: 1088 + 56 x 20 = 2208.
    """
    identities = [5 * place + 6 for place in range(96)]  # far apart, as the release's
    seen = {1: identities[:56], 2: identities[:56], 4: identities[2:], 5: identities[:-1], 6: identities}
    totals = {1: 1374, 2: 1565, 4: 1918, 5: 1918, 6: 1920}
    counts = {
        (camera, identity): number
        for camera, listed in seen.items()
        for identity, number in zip(listed, spread(totals[camera], len(listed)), strict=True)
    }
    third = [*spread(1088, 56), *spread(1883 - 1088, 37)]
    return counts | {(3, identity): number for identity, number in zip(identities[:93], third, strict=True)}


def write_permutations(path: Path, permutations: dict[tuple[int, int], np.ndarray]) -> None:
    """Write `rand_perm_cam`: cells over cameras, in them cells over identities, (10, images) from 1."""
    cells = np.empty((6, 1), dtype=object)
    for camera in SYSU_CAMERAS:
        people = np.empty((533, 1), dtype=object)
        for identity in range(533):
            people[identity, 0] = permutations.get((camera, identity + 1), np.zeros((10, 0)))
        cells[camera - 1, 0] = people
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"rand_perm_cam": cells})


def regdb(root: Path, *, identities: int = 4, images: int = 2, trials: int = 10) -> Path:
    """Half of the identities for training, another half in each trial; classes count from 0 in each file."""
    plant = Planter(root)
    ways = list(itertools.combinations(range(1, identities + 1), identities // 2))
    for identity in range(1, identities + 1):
        for frame in range(images):
            for word in ("Visible", "Thermal"):
                plant.image(f"{word}/{identity}/{_regdb_name(word, identity, frame)}", size=(4, 6))
    for trial in range(1, trials + 1):
        trained = ways[trial % len(ways)]  # of four identities, trial 1 trains on 1 and 3
        tested = [identity for identity in range(1, identities + 1) if identity not in trained]
        halves = {"train": list(trained), "test": tested}
        for split, chosen in halves.items():
            for word in ("Visible", "Thermal"):
                plant.text(
                    f"idx/{split}_{word.lower()}_{trial}.txt",
                    [
                        f"{word}/{identity}/{_regdb_name(word, identity, frame)} {number}"
                        for number, identity in enumerate(chosen)
                        for frame in range(images)
                    ],
                )
    return root


def _regdb_name(word: str, identity: int, frame: int) -> str:
    return f"male_front_{word[0].lower()}_{7 + 2 * frame:05d}_{identity}.bmp"


LLCM_TEST = {"vis": {1: (2, 9), 3: (2,), 4: (9,)}, "nir": {1: (2,), 2: (2, 9), 5: (9,)}}
"""modality -> camera -> test identities with two images there."""


def llcm(root: Path) -> Path:
    """Training identities 1 and 5, test identities 2 and 9."""
    plant = Planter(root)
    for word, cameras in (("vis", (1, 3)), ("nir", (1, 2))):
        lines = []
        for number, identity in enumerate((1, 5)):
            for camera in cameras:
                name = (
                    f"train_{word}/cam{camera}/{identity:04d}/{identity:04d}_c{camera:02d}_f0001_{word}.jpg"
                )
                plant.image(name)
                lines.append(f"{name} {number}")
        plant.text(f"idx/train_{word}.txt", lines)
        for camera in range(1, 10):
            if word == "vis" or camera != 3:
                (root / f"test_{word}" / f"cam{camera}").mkdir(parents=True)
            for identity in LLCM_TEST[word].get(camera, ()):
                for frame in (1, 2):
                    plant.image(
                        f"test_{word}/cam{camera}/{identity:04d}/"
                        f"{identity:04d}_c{camera:02d}_f{frame:04d}_{word}.jpg"
                    )
    plant.text("idx/test_id.txt", ["2,9"])
    return root
