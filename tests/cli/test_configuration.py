"""The configuration is strict: what is wrong is named with its place and the nearest right thing."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.config import Config, check
from nextreid.configfile import leaf_types, read_options, read_yaml, replace, resolve, to_yaml, value_of
from nextreid.errors import InputError

CONFIGS = sorted((Path(__file__).parents[2] / "src" / "nextreid" / "cli" / "configs").glob("*.yaml"))


def from_options(*tokens: str) -> Config:
    return resolve(Config, read_options(tokens))


def from_text(folder: Path, text: str) -> Config:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return resolve(Config, read_yaml(path))


@pytest.mark.parametrize(
    ("tokens", "key", "value"),
    [
        (("--data.size", "192x96"), "data.size", (192, 96)),
        (("--data.size", "[192, 96]"), "data.size", (192, 96)),
        (("--data.modalities=rgb,nir",), "data.modalities", ("rgb", "nir")),
        (("--data.mean", ".4,.5,.6"), "data.mean", (0.4, 0.5, 0.6)),
        (("--optim.backbone_rate", "none"), "optim.backbone_rate", None),
        (("--optim.backbone_rate", "1e-4"), "optim.backbone_rate", 1e-4),
        (("--model.tmse", "no"), "model.tmse", False),
        (("--model.mmfa_residual", "none"), "model.mmfa_residual", "none"),
        (("--seed", "3"), "seed", 3),
        (("--train.k", "2", "--train.k", "5"), "train.k", 5),
    ],
)
def test_options_are_read(tokens: tuple[str, ...], key: str, value: object) -> None:
    assert value_of(from_options(*tokens), key) == value


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--modle.rho", "1"), ("option --modle.rho", "nearest is model.rho")),
        (("--epochs", "4"), ("no option epochs", "nearest is train.epochs")),
        (("--model.epochs", "4"), ("nearest is train.epochs",)),
        (("--train.zzz", "1"), ("in this section", "train.epochs")),
        (("--model", "next"), ("it is a section", "model.name")),
        (("--train.k", "many"), ("train.k = 'many'", "whole number")),
        (("--train.k",), ("--train.k has no value",)),
        (("--train.k", "--train.p", "3"), ("--train.k has no value",)),
        (("--data.size", "192"), ("data.size", "256x128")),
        (("--model.name", "nextt"), ("next | concat | moe",)),
        (("--model.rho", "1.5"), ("Allowed: a number, above 0, at most 1",)),
        (("--model.tmse", "maybe"), ("true or false",)),
        (("stray",), ("'stray'", "belongs to no option")),
    ],
)
def test_wrong_options_are_named(tokens: tuple[str, ...], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        from_options(*tokens)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "model:\n  rho: .3\n  nmae: concat\n",
            ("recipe.yaml, line 3", "model.nmae", "nearest is model.name"),
        ),
        ("optim:\n  rate: 1e-3\n  optimizer: true\n", ("recipe.yaml, line 3", "adam | adamw")),
        ("model:\n  rho: .3\ntrain: {k: 2}\nmodel:\n  rho: .4\n", ("line 5", "given twice", "line 2")),
        ("model: [1, 2]\n", ("line 1", "it is a section")),
        ("- a\n- b\n", ("line 1", "section")),
        ("model: {rho: [1]}\n", ("line 1", "a number")),
        ("a: [\n", ("is not YAML",)),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        from_text(tmp_path, text)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_yaml(tmp_path / "nowhere.yaml")


def test_numbers_with_exponents_in_yaml(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3 as text."""
    assert from_text(tmp_path, "optim: {rate: 1e-3, backbone_rate: 5e-6}\n").optim.rate == 1e-3


def test_a_saved_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = from_options("--data.size", "192x96", "--model.rho", ".3", "--data.modalities", "rgb,tir")
    assert from_text(tmp_path, to_yaml(config)) == config
    assert from_text(tmp_path, to_yaml(Config())) == Config()


@settings(deadline=None)
@given(rho=st.floats(0.01, 1), epochs=st.integers(1, 10**6), seed=st.integers(0, 2**31))
def test_any_values_survive_the_file(tmp_path_factory: pytest.TempPathFactory, rho, epochs, seed) -> None:
    config = replace(Config(), model__rho=rho, train__epochs=epochs, seed=seed)
    assert from_text(tmp_path_factory.mktemp("c"), to_yaml(config)) == config


BASELINES = ("concat", "moe")
"""Recipes that are added to others, and take back what those ask of NEXT's parts."""

BASES = [path for path in CONFIGS if path.stem not in (*BASELINES, "quickstart")]


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("base", BASES, ids=lambda path: path.stem)
def test_baselines_go_on_every_recipe(base: Path, name: str) -> None:
    baseline = next(path for path in CONFIGS if path.stem == name)
    assert check(resolve(Config, [*read_yaml(base), *read_yaml(baseline)])).model.name == name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_recipes_hold_only_what_differs(path: Path) -> None:
    if path.stem == "quickstart":
        pytest.skip("has its own tree")
    settings = read_yaml(path)
    config = check(resolve(Config, settings))
    below = {setting.key for other in BASES for setting in read_yaml(other)} if path.stem in BASELINES else ()
    for setting in settings:
        assert setting.key in below or value_of(config, setting.key) != value_of(Config(), setting.key), (
            f"{setting.key} is the default"
        )


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--model.rho", ".3", "--model.tmse", "false"), ("model.rho = 0.3 has no effect", "model.tmse")),
        (("--model.name", "concat", "--model.csse", "false"), ("model.csse",)),
        (("--val.rule", "none", "--val.fraction", ".3"), ("val.fraction",)),
        (("--loss.agreement", "1"), ("loss.mutual_information",)),
        (("--loss.identity", "0", "--loss.triplet", "0"), ("at least one",)),
    ],
)
def test_options_without_effect_are_errors(tokens: tuple[str, ...], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        check(from_options(*tokens))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_every_default_is_consistent() -> None:
    assert check(Config()) == Config()
    assert len(leaf_types(Config)) > 40
