"""The benchmarks whose observations are one image each, visible or infrared; and any folder of one's own."""

from nextreid.data.layout import Layout
from nextreid.data.layout_folder import FolderPerIdentity
from nextreid.data.layout_lists import ListAndFolders, TrialLists
from nextreid.data.layout_sysu import SysuCameras
from nextreid.modality import NIR, RGB, TIR

SYSU_MM01 = Layout(
    name="sysu-mm01",
    title="SYSU-MM01",
    summary="cam{1..6}/<identity, 4 digits>/<frame, 4 digits>.jpg, exp/{train,val,test}_id.txt (or .mat), "
    "and exp/rand_perm_cam.mat for the official galleries",
    names="cam1/0006/0001.jpg: camera, identity, frame",
    about="Persons under four visible (1, 2, 4, 5) and two near-infrared cameras (3, 6); an observation is "
    "one image. 296 training and 99 validation identities are trained on together, 96 are tested. Queries "
    "are all 3803 infrared test images. A trial's gallery is one image (single-shot) or ten (multi-shot) "
    "of each identity and visible camera: 301 or 3010 images, 112 or 1120 indoors (cameras 1 and 2). "
    "Which, is said by exp/rand_perm_cam.mat for ten trials, kept in the columns draw_1 to draw_10; public "
    "Python code draws others, by seed. A query never meets the gallery of its own location (`scene`: "
    "cameras 2 and 3 share one), whatever the identity; indoors that leaves 2208 queries with a match.",
    kind="person",
    modalities=(RGB, NIR),
    protocols=(
        "sysu/all-single",
        "sysu/all-multi",
        "sysu/indoor-single",
        "sysu/indoor-multi",
        "sysu/all-single@agw",
        "sysu/indoor-single@agw",
    ),
    citation="Wu et al., RGB-Infrared Cross-Modality Person Re-Identification, ICCV 2017; the official "
    "MATLAB evaluation of SYSU-MM01; train and val merged as the public code of AGW (Ye et al., TPAMI 2022)",
    reader=SysuCameras(),
    counts={"test": 10578, "test identities": 96, "train identities": 395, "queries": 3803, "gallery": 6775},
)

REGDB = Layout(
    name="regdb",
    title="RegDB",
    summary="Visible/ and Thermal/, and idx/{train,test}_{visible,thermal}_{1..10}.txt with lines "
    "`<path below the folder> <number>`",
    names="Visible/7/male_front_v_00123_7.bmp, as a line of idx/ writes it; the name itself says nothing",
    about="Persons in visible light and thermal infrared (`tir`), one camera each, ten images per identity "
    "and modality; an observation is one image. 412 identities, half of them for training, in ten random "
    "splits: the published score is the mean over ten models, one trained per split. `regdb@3` is the "
    "third; `regdb` is the first. Nothing is removed, every query is valid.",
    kind="person",
    modalities=(RGB, TIR),
    protocols=("regdb/v2t", "regdb/t2v"),
    citation="Nguyen et al., Person Recognition System Based on a Combination of Body Images from Visible "
    "Light and Thermal Cameras, Sensors 2017; the ten splits of Ye et al., Hierarchical Discriminative "
    "Learning for Visible Thermal Person Re-Identification, AAAI 2018",
    reader=TrialLists(words={RGB: "visible", TIR: "thermal"}, cameras={RGB: "1", TIR: "2"}),
    variants={str(trial): f"the split of trial {trial}" for trial in range(1, 11)},
    counts={"train identities": 206, "test identities": 206},
)

LLCM = Layout(
    name="llcm",
    title="LLCM",
    summary="{test_vis,test_nir}/cam{1..9}/<identity>/, idx/{train_vis,train_nir}.txt with lines `<path "
    "below the folder> <number>`, and idx/test_id.txt",
    names="test_vis/cam1/0002/0002_c01_f0001_vis.jpg: camera and identity are the folders', for "
    "training `_c01_`",
    about="Persons in visible light and near infrared under 9 low-light cameras (no near infrared from "
    "camera 3); an observation is one image. 713 training and 351 test identities. Queries are all test "
    "images of one modality; a gallery is one random image of each identity and camera of the other, mean "
    "over ten seeds. A match must come from another camera number. Published figures do not always say in "
    "which direction they were measured: the released test script transposes one of them.",
    kind="person",
    modalities=(RGB, NIR),
    protocols=("llcm/vis2nir", "llcm/nir2vis"),
    citation="Zhang and Wang, Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark for "
    "Visible-Infrared Person Re-identification, CVPR 2023, and its public code",
    reader=ListAndFolders(
        words={RGB: "vis", NIR: "nir"},
        cameras={
            RGB: tuple(f"cam{number}" for number in range(1, 10)),
            NIR: tuple(f"cam{number}" for number in range(1, 10) if number != 3),
        },
    ),
    counts={"train identities": 713},
)

FOLDER = Layout(
    name="folder",
    title="A folder per identity",
    summary="<identity>/<modality>/, <modality>/<identity>/ or <identity>/, with or without train, test, "
    "query and gallery above them",
    names="0001_c2_07.jpg: any name; `c2` or `cam2` is the camera, if every file says one",
    about="Your own images, sorted into a folder per identity. Modality folders are named rgb (vis, "
    "visible), nir (ni, ir, infrared) or tir (ti, th, thermal); images straight in the identity's folder "
    "are RGB. Files of the modalities belong together where their names are equal. Without folders of "
    "splits everything is tested on. The camera is read from file names like 0001_c2_07, if all have one. "
    "It is never recognised: write `--layout folder`. A manifest says more: scenes, boxes, modalities of "
    "your own.",
    kind=None,
    modalities=(RGB, NIR, TIR),
    protocols=("cross-camera", "none"),
    citation="ours",
    reader=FolderPerIdentity(),
)
