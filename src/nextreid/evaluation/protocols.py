"""All protocols by name."""

from difflib import get_close_matches

from nextreid.errors import InputError
from nextreid.evaluation.draws import PermutationDraws, SeededDraws
from nextreid.evaluation.matching import Matching
from nextreid.evaluation.protocol import Protocol, Trial
from nextreid.modality import NIR, RGB, TIR

__all__ = ["PROTOCOLS", "Matching", "Protocol", "Trial", "protocol_named"]

_SAME_CAMERA = Protocol(
    name="cross-camera",
    version=1,
    summary="Removes gallery entries of the query's identity taken by the query's camera, the query's own "
    "entry among them, so that a match always comes from another camera. Other identities of the same "
    "camera stay. Queries without a match in another camera are not counted in the scores.",
    citation="Zheng et al., Scalable Person Re-identification: A Benchmark (Market-1501), ICCV 2015; used "
    "for RGBNT201, RGBNT100, RGBN300 and Market1501-MM",
    removes=("identity", "camera"),
    instead=(("cross-scene", "scene"), ("none", "identity")),
)
_SAME_SCENE = Protocol(
    name="cross-scene",
    version=1,
    summary="Removes gallery entries of the query's identity from the query's scene (one recording session "
    "or time span), whatever the camera or view, the query's own entry among them. Queries without a match "
    "in another scene are not counted in the scores.",
    citation="The rule of the public evaluators for MSVR310 (Zheng et al., Multi-spectral vehicle "
    "re-identification with cross-directional consistency network, Information Fusion 2023)",
    removes=("identity", "scene"),
    instead=(("cross-camera", "camera"), ("none", "identity")),
)
_SAME_VIEW = Protocol(
    name="cross-view",
    version=1,
    summary="Removes gallery entries of the query's identity seen from the query's side (front, rear, left "
    "...), the query's own entry among them, so that a match always shows another side. Day and night and "
    "the recording session play no part. Queries without a match from another side are not counted in the "
    "scores.",
    citation="The rule of the public evaluators for WMVeID863, which take the view digit of the file name "
    "for the camera (Zheng et al., Flare-aware cross-modal enhancement network for multi-spectral vehicle "
    "re-identification, Information Fusion 2025)",
    removes=("identity", "view"),
    instead=(("cross-camera", "camera"), ("none", "identity")),
)
_NONE = Protocol(
    name="none",
    version=1,
    summary="Removes only the query's own entry (the same observation id) where the gallery holds it. "
    "Matches by the same camera, seconds apart, stay: scores are higher than under cross-camera and the two "
    "must not be compared.",
    citation="ours: for data without camera or scene",
    removes=("observation",),
)

_SYSU = "Wu et al., RGB-Infrared Cross-Modality Person Re-Identification (SYSU-MM01), ICCV 2017"
_PLACES = {
    "all": ("all four visible cameras, indoors and outdoors", ()),
    # Location labels of the official MATLAB evaluation: cameras 1..6 are at [1 2 2 4 5 6].
    "indoor": ("the two visible cameras indoors (scenes 1 and 2)", ("1", "2")),
}
_SHOTS = {"single": 1, "multi": 10}  # the official MATLAB evaluation's number_shot


def _sysu(place: str, shots: str, *, agw: bool = False) -> Protocol:
    where, scenes = _PLACES[place]
    number = _SHOTS[shots]
    drawn = (
        "Each of ten galleries holds one image of each identity and camera, drawn by Python's `random` with "
        "the seeds 0 to 9 as the public AGW code does: other galleries than the official ones, so scores "
        "differ a little from theirs."
        if agw
        else f"Each of ten galleries holds {'one image' if number == 1 else f'{number} images'} of each "
        "identity and camera, the first of the permutations in the data set's exp/rand_perm_cam.mat."
    )
    return Protocol(
        name=f"sysu/{place}-{shots}{'@agw' if agw else ''}",
        version=1,
        summary=f"Near-infrared queries search {where}. {drawn} Gallery entries of the query's location "
        "(`scene`) are removed, whatever their identity: a query of camera 3 loses all of camera 2. CMC is "
        "counted by identity (entries of one identity nearer than the match count once), mAP and mINP by "
        "image. Scores are means over the ten trials.",
        citation=(
            f"Public AGW code (Ye et al., Deep Learning for Person Re-identification, TPAMI 2021), on {_SYSU}"
            if agw
            else f"The official MATLAB evaluation of SYSU-MM01 ({_SYSU})"
        ),
        removes=("scene",),
        cmc="identity",
        queries=NIR,
        gallery=RGB,
        gallery_scenes=scenes,
        draws=SeededDraws(RGB) if agw else PermutationDraws(number, "exp/rand_perm_cam.mat"),
    )


def _regdb(name: str, queries: str, gallery: str, words: tuple[str, str]) -> Protocol:
    return Protocol(
        name=f"regdb/{name}",
        version=1,
        summary=f"{words[0].capitalize()} queries search all {words[1]} images of the split. Nothing is "
        "removed: each modality has one camera, and no image is query and gallery entry at once. CMC is "
        "counted by image. The published figure is the mean over the data set's ten splits, with a model "
        "trained on each: evaluate regdb@1 to regdb@10 and compare the runs.",
        citation="Nguyen et al., Person Recognition System Based on a Combination of Body Images from "
        "Visible Light and Thermal Cameras (RegDB), Sensors 2017; splits and rule of the public AGW code (Ye "
        "et al., TPAMI 2021)",
        removes=("observation",),
        queries=queries,
        gallery=gallery,
    )


def _llcm(name: str, queries: str, gallery: str, words: tuple[str, str], caution: str) -> Protocol:
    return Protocol(
        name=f"llcm/{name}",
        version=1,
        summary=f"All {words[0]} test images search {words[1]} ones: each of ten galleries holds one image "
        "of each identity and camera, drawn by Python's `random` with the seeds 0 to 9. Gallery entries of "
        "the query's identity and camera number are removed, across modalities. CMC is counted by identity, "
        f"mAP and mINP by image. Scores are means over the ten trials. {caution}",
        citation="Zhang and Wang, Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark "
        "for Visible-Infrared Person Re-identification (LLCM), CVPR 2023, and its public code",
        removes=("identity", "camera"),
        cmc="identity",
        queries=queries,
        gallery=gallery,
        draws=SeededDraws(gallery),
    )


_ALL = (
    _SAME_CAMERA,
    _SAME_SCENE,
    _SAME_VIEW,
    _NONE,
    _sysu("all", "single"),
    _sysu("all", "multi"),
    _sysu("indoor", "single"),
    _sysu("indoor", "multi"),
    _sysu("all", "single", agw=True),
    _sysu("indoor", "single", agw=True),
    _regdb("v2t", RGB, TIR, ("visible", "thermal")),
    _regdb("t2v", TIR, RGB, ("thermal", "visible")),
    _llcm(
        "vis2nir",
        RGB,
        NIR,
        ("visible", "near-infrared"),
        "The released test script transposes this direction before scoring, so its figure is that of sampled "
        "near-infrared probes against all visible images; it must not be compared with this one.",
    ),
    _llcm(
        "nir2vis",
        NIR,
        RGB,
        ("near-infrared", "visible"),
        "In this direction the released test script agrees.",
    ),
)

PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
"""All protocols by name; `NAME@VARIANT` is a name of its own."""


def protocol_named(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        near = get_close_matches(name, PROTOCOLS, n=1)
        raise InputError(
            f"There is no protocol {name!r}",
            allowed=", ".join(PROTOCOLS),
            do=f"did you mean {near[0]}? `--protocol list` explains each" if near else None,
        )
    return PROTOCOLS[name]
