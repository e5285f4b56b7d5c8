"""campaign.yaml says what its writer means, or is refused in words, before a start."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from apps.science.errors import ConfigError
from campaign.commands.init import write_template
from campaign.config import (
    check_campaign,
    describe_difference,
    dump_campaign,
    load_campaign,
)
from campaign.types.force_field.config import Config

REPOSITORY = Path(__file__).parents[3]
CASES = REPOSITORY.parent / "shared" / "cases" / "30_yaml"
TEXT = """\
name: small
type: force_field
seed: 7
system: {sequence: GYDPETG, solvent: vacuum}
reference: {walk_length_ps: 20, frame_interval_ps: 0.4}
tica: {lag_ps: 0.8}
sample: {n_iterations: 4, segment_length_fs: 400, frame_interval_fs: 40}
model: {kind: cgschnet}
training: {n_epochs: 2}
benchmark: {n_iterations: 4}
"""


def load(folder: Path, text: str | bytes) -> Config:
    path = folder / "campaign.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config = load_campaign(path)
    check_campaign(config)
    assert isinstance(config, Config)
    return config


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "meaning"),
    [
        ("n_epochs: 2", "learning_rate: 1e-3",
         lambda c: c.training.learning_rate == 1e-3),
        ("name: small", "name: 2024-01-01", lambda c: c.name == "2024-01-01"),
        ("seed: 7", "seed: 0xFF", lambda c: c.seed == 255),
        ("seed: 7", "seed: 1_000", lambda c: c.seed == 1000),
        ("vacuum}", "vacuum, caps: y}", lambda c: c.system.caps is True),
        ("vacuum}", "vacuum, caps: off}", lambda c: c.system.caps is False),
        ("n_epochs: 2", "n_epochs: '2'", lambda c: c.training.n_epochs == 2),
        ("name: small", 'name: "007"', lambda c: c.name == "007"),
        ("name", "\N{ZERO WIDTH NO-BREAK SPACE}name", lambda c: c.name == "small"),
    ],
)  # fmt: skip
def test_what_yaml_might_misread_is_taken_as_it_is_meant(
    tmp_path: Path, old: str, new: str, meaning: Callable[[Any], bool]
) -> None:
    assert meaning(load(tmp_path, TEXT.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 7", "seed: 7\nseed: 8", "'seed' in line 3 and again in line 4"),
        ("seed: 7", "seed: 010", "010"),
        ("seed: 7", "seed: yes", "expected a number, but YAML reads .* as true"),
        ("n_epochs: 2", "n_epochs: on", "training.n_epochs: expected a number"),
        ("{n_iterations: 4,", "{bins: {kind: mab, nbins: [2, no]}, n_iterations: 4,",
         r"nbins.1: expected a number, but YAML reads .* as false"),
        ("seed: 7", "seed: 1:30", "seed"),
        ("seed: 7", "seed:", "seed: has no value. Give it one, or leave the key out"),
        ("{n_epochs: 2}", "", "training: has no value"),
        ("name: small", "name: 2024", "name: expected text.* the number 2024.* quotes"),
        ("sequence: GYDPETG", "sequence: NO", "expected text.* as false.* quotes"),
        ("name: small", f"name: {'a' * 300}", "at most 200 characters"),
        ("name: small", "name: ../up", "letters, digits"),
        ("walk_length_ps: 20", "walk_length_ps: .inf", "must be a finite number"),
        ("walk_length_ps: 20", "walk_length_ps: 'nan'", "must be a finite number"),
        ("walk_length_ps: 20", "walk_length_ps: 1.0e+18", "walk_length_ps"),
        ("walk_length_ps: 20", "walk_length_ps: 1.0e+8",
         "250,000,000 frames of a walk"),
        ("vacuum}", "vacuum, temperature_kelvin: 27}", "If degrees Celsius.* 300.15"),
        ("{n_iterations: 4,", "{bins: {kind: mab, nbins: [300, 300]}, n_iterations: 4,",
         "90,008 bins.* 121 GiB"),
        ("{n_iterations: 4,", "{bins: {kind: mab, nbins: [100000, 100000]}, "
         "n_iterations: 4,", "10,000,000,008 bins"),
        ("{n_iterations: 4,", "{walkers_per_bin: 100000, n_iterations: 4,", "walkers"),
        ("{n_iterations: 4,", "{bins: {type: RectilinearBinMapper}, n_iterations: 4,",
         "sample.bins: names no `kind`"),
        ("GYDPETG", "GG", "2 calpha beads.* need 5 or more.*beads: backbone"),
        ("GYDPETG", "GGGG", "4 calpha beads.* or take tica.features: dihedrals"),
        ("GYDPETG", "A, caps: true", "1 calpha bead"),
        ("kind: cgschnet", "kind: cgnet", "7 calpha beads, but the model weighted is "
         "for 5. Set its n_beads to 7"),
        ("{n_iterations: 4,", "{segments_per_block: 0, n_iterations: 4,",
         "greater than 0"),
        ("{n_iterations: 4,", "{platform: cuda, n_iterations: 4,",
         "no platform 'cuda'"),
        ("{n_iterations: 4}", "{n_iterations: 4, device: gpu7}", "no device 'gpu7'"),
        ("seed: 7", "dataset: {burn_in_iterations: 4}", "leaves none of the 4"),
        ("seed: 7", "dataset: {weights: equilibrium}\nexperiments: {sweep: "
         "{dataset.burn_in_iterations: [0, 9]}}", "iterations_9: .*leaves none"),
        ("seed: 7", "dataset: {molecule: x, join: [nowhere]}",
         "nowhere does not exist"),
        ("seed: 7", "prior: {terms: [bonds, angles, bonds]}", "bonds stands"),
        ("lag_ps: 0.8", "lag_ps: 19.2", "leaves 4 pairs of frames in 2 walks"),
        ("seed: 7", "n_train_processes: 500", "n_train_processes 500 is more than"),
        ("type: force_field", "type: 3", "has the type 3"),
        (TEXT, "", "is empty"),
        (TEXT, "- a\n- b\n", "holds a list"),
        (TEXT, "just words", "holds nothing but 'just words'"),
        (TEXT, TEXT + "---\n" + TEXT, "second document"),
        ("seed: 7", "\tseed: 7", "tab"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_words(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    found = refusal(tmp_path, TEXT.replace(old, new, 1))
    assert re.search(said, found, re.DOTALL), found


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    said = refusal(tmp_path, TEXT.replace("small", "smäll").encode(encoding))
    assert "Save it as UTF-8" in said


def test_too_many_targets_are_refused(tmp_path: Path) -> None:
    targets = [
        {"label": f"t{k}", "region": [[k, k + 0.5], [None, None]]} for k in range(101)
    ]
    campaign = yaml.safe_load(TEXT)
    campaign["sample"]["targets"] = targets
    assert "101 targets; at most 100" in refusal(tmp_path, yaml.safe_dump(campaign))
    campaign["sample"]["targets"] = targets[:100]
    load(tmp_path, yaml.safe_dump(campaign))


def test_equilibrium_weights_need_a_run_that_has_them(tmp_path: Path) -> None:
    campaign = yaml.safe_load(TEXT) | {"dataset": {"weights": "equilibrium"}}
    load(tmp_path, yaml.safe_dump(campaign))
    region = {"label": "t", "region": [[1, 2], [None, None]]}
    campaign["sample"]["targets"] = [region]
    assert "a run with targets" in refusal(tmp_path, yaml.safe_dump(campaign))
    campaign["sample"] |= {"targets": [], "equilibrium": {"burn_in": 4}}
    assert "burn_in 4 leaves none" in refusal(tmp_path, yaml.safe_dump(campaign))


def test_backbone_beads_make_a_short_chain_possible(tmp_path: Path) -> None:
    load(tmp_path, TEXT.replace("GYDPETG", "GG, beads: backbone"))
    load(tmp_path, TEXT.replace("GYDPETG", "A, caps: true, beads: backbone"))
    dihedrals = TEXT.replace("lag_ps: 0.8", "lag_ps: 0.8, features: dihedrals")
    load(tmp_path, dihedrals.replace("GYDPETG", "GGGG"))


@pytest.mark.parametrize("path", [".", "missing.yaml", "a" * 300, "x\0y"])
def test_a_path_that_is_no_file_is_refused_in_words(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        load_campaign(tmp_path / path)


@pytest.mark.parametrize("name", ["2024", "1e5", "no", "True", "0x1F", "007", "a.b-c"])
def test_init_writes_what_validate_takes(tmp_path: Path, name: str) -> None:
    for kind in ("force_field", "frames"):
        written = write_template(tmp_path / f"{kind}.yaml", name, kind)
        raw = yaml.safe_load(written.read_text())
        assert raw["name"] == name


@pytest.mark.parametrize("name", ["my protein", "", ".", "a/b", "a" * 201, "é", "a\n"])
def test_init_refuses_a_name_that_no_run_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="its name becomes a folder"):
        write_template(tmp_path / "campaign.yaml", name, "force_field")
    assert not (tmp_path / "campaign.yaml").exists()


TAKEN = {
    "bom", "date_name", "exp_float", "frame_eq_seg", "seed_hex", "tiny_bins",
    "yes_caps",
}  # fmt: skip
"""Of the cases, those that mean one thing; every other is refused."""


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases lie beside the repository")
def test_every_case_is_taken_as_meant_or_refused_in_words() -> None:
    taken = {path.stem for path in sorted(CASES.glob("*.yaml")) if is_taken(path)}
    assert taken == TAKEN


def is_taken(path: Path) -> bool:
    try:
        check_campaign(load_campaign(path))
    except ConfigError:  # anything else would be a traceback
        return False
    return True


def test_a_prior_is_of_the_temperature_of_its_data(tmp_path: Path) -> None:
    warm = TEXT.replace("vacuum}", "vacuum, temperature_kelvin: 350}")
    for given in ("", "prior: {temperature_kelvin: 350}\n"):
        resolved = yaml.safe_load(dump_campaign(load(tmp_path, warm + given)))
        assert "temperature_kelvin" not in resolved["prior"]
    said = refusal(tmp_path, warm + "prior: {temperature_kelvin: 300}\n")
    assert "prior.temperature_kelvin is 300, that of the system 350" in said
    one = "experiments: {variants: {cold: {prior: {temperature_kelvin: 280}}}}\n"
    said = refusal(tmp_path, warm + one)
    assert "the model cold: prior.temperature_kelvin is 280" in said


def test_a_resolved_file_of_an_earlier_version_still_reads(tmp_path: Path) -> None:
    warm = TEXT.replace("vacuum}", "vacuum, temperature_kelvin: 350}")
    config = load(tmp_path, warm)
    was = yaml.safe_load(dump_campaign(config))
    was["prior"]["temperature_kelvin"] = 300.0  # which stood there, and was not used
    path = tmp_path / "resolved.yaml"
    path.write_text(yaml.safe_dump(was, sort_keys=False))
    assert load_campaign(path).model_dump() == config.model_dump()
    assert describe_difference(path.read_text(), config) == ""


def write_frames(folder: Path, **changes: Any) -> Path:
    """Write a campaign on own frames of five beads in a row."""
    np.save(folder / "x.npy", np.arange(300.0).reshape(20, 5, 3) / 3.5)
    np.save(folder / "f.npy", np.ones((20, 5, 3)))
    example = REPOSITORY / "examples" / "04_own_frames"
    shutil.copyfile(example / "beads.pdb", folder / "beads.pdb")
    body = yaml.safe_load((example / "campaign.yaml").read_text())
    body["system"] |= {"positions": "x.npy", "forces": "f.npy"}
    for where, value in changes.items():
        section, key = where.split("__")
        body.setdefault(section, {})[key] = value
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tica__lag_ps": 15}, "no whole number of frames of 10 ps"),
        ({"tica__lag_ps": 200}, "holds 20 frames of 10 ps, no more than the 20"),
        ({"system__temperature_kelvin": 27}, "If degrees Celsius are meant"),
        ({"prior__temperature_kelvin": 310}, "310, that of the system 300"),
        ({"simulation__length_ps": 1.5}, "no whole number of frames of 1 ps"),
        ({"simulation__frame_interval_ps": 0.003}, "no whole number of steps"),
        ({"simulation__length_ps": 1e9}, "frames in all"),
        ({"dataset__weights": "equilibrium"}, "made of a weighted ensemble"),
        ({"dataset__burn_in_iterations": 1}, "own frames are all of one"),
        ({"model__n_beads": 7}, "5 backbone beads, but the model weighted is for 7"),
        ({"mapping__beads": "calpha"}, "1 calpha beads"),
    ],
)
def test_own_frames_that_fail_later_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = write_frames(tmp_path)
    check_campaign(load_campaign(path))
    path = write_frames(tmp_path, **changes)
    with pytest.raises(ConfigError, match=said):
        check_campaign(load_campaign(path))
