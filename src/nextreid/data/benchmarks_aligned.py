"""The benchmarks whose observations have an image in each modality: RGBNT201 to Market1501-MM."""

from nextreid.data.layout import Layout
from nextreid.data.layout_parts import Part
from nextreid.data.layout_tree import Tree, in_two_scenes
from nextreid.modality import NIR, RGB, TIR

TRIPLE = (RGB, NIR, TIR)

RGBNT201 = Layout(
    name="rgbnt201",
    title="RGBNT201",
    summary="train_171/{RGB,NI,TI} and test/{RGB,NI,TI}, the same file name in the three folders",
    names="000287_cam1_0_05.jpg: identity, camera, a flag (0 or 1), frame",
    about="Persons in RGB, near and thermal infrared, 4 cameras on a campus. The whole test folder is both "
    "query and gallery: 836 observations of 30 identities under cameras 1 and 2, every query valid. "
    "train_171 holds the paper's 141 training and 30 validation identities; 120 of the 171 occur under one "
    "camera only. Published code chooses its checkpoint on the test set.",
    kind="person",
    modalities=TRIPLE,
    protocols=("cross-camera",),
    citation="Zheng et al., Robust Multi-Modality Person Re-identification, AAAI 2021; split and rule as the "
    "public code of TOP-ReID, DeMo and IDEA",
    reader=Tree(
        parts=(Part("train_171", "train"), Part("test", "test", query=True, gallery=True)),
        folders={RGB: "RGB", NIR: "NI", TIR: "TI"},
        # 000287_cam1_0_05: identity, camera, an undocumented flag that is constant per identity,
        # frame. It matches all 4787 published names. Worlds may have more cameras than the real four.
        pattern=r"(?P<identity>\d{6})_cam(?P<camera>\d+)_(?P<flag>[01])_(?P<frame>\d{2,})",
    ),
    counts={"train": 3951, "train identities": 171, "test": 836, "test identities": 30, "queries": 836},
)

# 0548_c0002_000: identity, camera (one of 8 views), frame of the tracklet.
_STRIP_NAME = r"(?P<identity>\d{4})_c(?P<camera>\d{4})_(?P<frame>\d{3})"
_STRIP_PARTS = (
    Part("bounding_box_train", "train"),
    Part("bounding_box_test", "test", gallery=True),
    Part("query", "test", query=True),
)
_STRIPS_SHARE = (
    "RGBNT100 adds thermal images to 100 of RGBN300's vehicles: training on one and testing on the other is "
    "not clean"
)
_STRIP_CITATION = (
    "Li et al., Multi-Spectral Vehicle Re-Identification: A Challenge, AAAI 2020; folders, crops and rule as "
    "the public code of TOP-ReID, EDITOR and DeMo"
)

RGBNT100 = Layout(
    name="rgbnt100",
    title="RGBNT100",
    summary="rgbir/{bounding_box_train,bounding_box_test,query}, each file a strip of 768 x 128 pixels: RGB, "
    "near infrared and thermal side by side (the folder rgbir may be left out)",
    names="0548_c0002_000.jpg: identity, camera, frame",
    about="Vehicles in RGB, near and thermal infrared, 8 views, 50 identities each for training (odd "
    "numbers) and testing. One file holds all modalities and is cut when it is read. Queries are 1715 of "
    "the 8575 gallery images, as the folder `query` says; every query is valid.",
    kind="vehicle",
    modalities=TRIPLE,
    protocols=("cross-camera",),
    citation=_STRIP_CITATION,
    reader=Tree(parts=_STRIP_PARTS, pattern=_STRIP_NAME, strip=TRIPLE, above=("rgbir", "")),
    counts={"train": 8675, "train identities": 50, "gallery": 8575, "test identities": 50, "queries": 1715},
    overlaps=(_STRIPS_SHARE,),
)

RGBN300 = Layout(
    name="rgbn300",
    title="RGBN300",
    summary="rgbir/{bounding_box_train,bounding_box_test,query}, each file a strip of 512 x 128 pixels: RGB "
    "and near infrared side by side (the folder rgbir may be left out)",
    names="0548_c0002_000.jpg: identity, camera, frame",
    about="Vehicles in RGB and near infrared, 8 views, 300 identities, half of them for training; there is "
    "no thermal image (one public loader passes a copy of the near infrared for it). One file holds both "
    "modalities and is cut when it is read. About 25,200 training and 24,925 gallery images, of which 4,985 "
    "are queries; these figures are quoted, not counted.",
    kind="vehicle",
    modalities=(RGB, NIR),
    protocols=("cross-camera",),
    citation=_STRIP_CITATION,
    reader=Tree(parts=_STRIP_PARTS, pattern=_STRIP_NAME, strip=(RGB, NIR), above=("rgbir", "")),
    overlaps=(_STRIPS_SHARE,),
)

MSVR310 = Layout(
    name="msvr310",
    title="MSVR310",
    summary="{bounding_box_train,bounding_box_test,query3}/<identity>/{vis,ni,th}, the same file name in the "
    "three folders (query3 may be left out)",
    names="0331_s000_v7_007.jpg: identity, scene, view (0 to 7), frame",
    about="Vehicles in RGB, near and thermal infrared over several recording sessions (`scene`) and 8 "
    "orientations (`view`: 0 front, 1 and 7 front-side, 2 and 6 side, 3 and 5 rear-side, 4 rear). A match "
    "must come from another session. Queries are what lies in query3; without that folder, all test images "
    "of identities that occur in two or more scenes, which is the release's list: 591 images of 52 "
    "identities. Scene 0 is a mixed pool, not one session. There is no night label.",
    kind="vehicle",
    modalities=TRIPLE,
    protocols=("cross-scene",),
    citation="Zheng et al., Multi-spectral vehicle re-identification with cross-directional consistency "
    "network and a high-quality benchmark, Information Fusion 2023; rule as every public evaluator applies "
    "it",
    reader=Tree(
        parts=(
            Part("bounding_box_train", "train"),
            Part("bounding_box_test", "test", gallery=True),
            Part("query3", "test", query=True, optional=True),
        ),
        folders={RGB: "vis", NIR: "ni", TIR: "th"},
        by_identity=True,
        # It matches all 2087 published names.
        pattern=r"(?P<identity>\d{4})_s(?P<scene>\d{3})_v(?P<view>[0-7])_(?P<frame>\d{3})",
        queries=in_two_scenes,
    ),
    counts={
        "train": 1032,
        "train identities": 155,
        "gallery": 1055,
        "test identities": 155,
        "queries": 591,
        "query identities": 52,
    },
    overlaps=(
        "WMVeID863 contains all of MSVR310, most of its test images as training images: never train on one "
        "and report the other",
    ),
)

WMVEID863 = Layout(
    name="wmveid863",
    title="WMVeID863",
    summary="{train,test,query}/<identity>/{vis,ni,th}, the same file name in the three folders (test may be "
    "called gallery)",
    names="0002_v0_n9_s002_020.jpg: identity, view (0 to 7), night (0, 1; 9 not said), scene (999 "
    "not said), frame",
    about="Vehicles in RGB, near and thermal infrared under strong flare, 8 orientations (`view`). Public "
    "code treats the view as the camera: a match must show another view. The column `night` is 0 by day, 1 "
    "by night, 9 where nothing is said; those (names with n9) are all 2087 images of MSVR310, most of its "
    "test images for training: never train on one and report the other. Files of the "
    "modalities are paired by name: their folders differ by a few files, and public loaders, which pair by "
    "the order of a listing, shift every later pair. One file breaks the naming rule "
    "(0865_0865_vis_v1_n0_03) and is read as an observation of its own. Seven identities are in train and in "
    "test; a test row whose name occurs in train, too, is called test/<name>.",
    kind="vehicle",
    modalities=TRIPLE,
    protocols=("cross-view",),
    citation="Zheng et al., Flare-aware cross-modal enhancement network for multi-spectral vehicle "
    "re-identification, Information Fusion 2025; folders and rule as the public code of FACENet and ICPL",
    reader=Tree(
        parts=(
            Part("train", "train"),
            Part("test", "test", gallery=True, also=("gallery",)),
            Part("query", "test", query=True),
        ),
        folders={RGB: "vis", NIR: "ni", TIR: "th"},
        by_identity=True,
        # It matches all published names but one.
        pattern=r"(?P<identity>\d{4})_v(?P<view>[0-7])_n(?P<night>[019])_s(?P<scene>\d{3})_(?P<frame>\d{3})",
        strays=r"(?P<identity>\d{4})_\d{4}_(?:vis|ni|th)_v(?P<view>[0-7])_n(?P<night>[019])_(?P<frame>\d{2})",
        unknown={"scene": "999"},  # every image that is not MSVR310's has it
        shared_names=True,
    ),
    variants={"clean": "leaves out the test images of identities that are trained on"},
)

MARKET1501_MM = Layout(
    name="market1501-mm",
    title="Market1501-MM",
    summary="{train,query,gallery}/{RGB,NI,TI}, the same file name in the three folders",
    names="0002_c1s1_000451_03.jpg: identity (-1 junk, 0000 nobody), camera (1 to 6), and whatever follows",
    about="Market-1501 with near and thermal infrared translated from darkened RGB: the infrared is "
    "synthetic. 6 cameras. Images of identity -1 (junk) are left out; identity 0 (background) stays in the "
    "gallery as distractors without identity. Market-1501 has 12,936 training images, 3,368 queries and "
    "15,913 gallery images without junk; whether this release has as many was not counted.",
    kind="person",
    modalities=TRIPLE,
    protocols=("cross-camera",),
    citation="Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, for the split and the "
    "rule; Wang et al., Interact, Embed, and EnlargE: Boosting Modality-Specific Representations for "
    "Multi-Modal Person Re-identification, AAAI 2022; folders as the public code of EDITOR and ICPL",
    reader=Tree(
        parts=(
            Part("train", "train"),
            Part("gallery", "test", gallery=True),
            Part("query", "test", query=True),
        ),
        folders={RGB: "RGB", NIR: "NI", TIR: "TI"},
        # 0002_c1s1_000451_03: identity, camera, and what the public loader does not look at.
        pattern=r"(?P<identity>-?\d+)_c(?P<camera>[1-6]).*",
        junk=frozenset({"-1"}),
        nobody=frozenset({"0", "0000"}),
    ),
)
