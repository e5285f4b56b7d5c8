"""``preset:`` stands for published settings, and what is written beside it wins."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.science.errors import ConfigError
from campaign.commands.init import write_template
from campaign.config import dump_campaign, load_campaign
from campaign.types.force_field.presets import list_presets, say_preset

FIRST: dict[str, Any] = {
    "name": "x", "type": "force_field", "preset": "thesis",
    "system": {"fold": "chignolin"}, "reference": {"n_walks": 2},
    "benchmark": {"n_iterations": 3},
}  # fmt: skip


def load(folder: Path, **changes: Any) -> Any:
    body = FIRST | changes
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in body.items() if v is not None}))
    return load_campaign(path)


def test_the_thesis_is_its_tables(tmp_path: Path) -> None:
    config = load(tmp_path)
    system, sample, training = config.system, config.sample, config.training
    assert (system.solvent, system.temperature_kelvin, system.pressure_atm) == (
        "tip3pfb", 300, 1
    )  # fmt: skip
    assert (system.friction_per_ps, system.timestep_fs) == (1, 4)
    assert (system.hydrogen_mass_amu, system.beads) == (1.5, "calpha")
    assert (sample.bins.kind, sample.bins.nbins) == ("mab", (9, 9))
    assert sample.walkers_per_bin == 6
    assert (sample.segment_length_fs, sample.frame_interval_fs) == (4000, 400)
    assert sample.weight_cutoff == 1e-5
    assert config.prior.preset == "CA_Majewski2022_v0"
    assert (training.n_epochs, training.batch_size, training.noise_angstrom) == (
        50, 20, 0
    )  # fmt: skip
    model = config.model
    assert (model.kind, model.embedding_dimension, model.num_layers) == (
        "cgschnet", 128, 4
    )  # fmt: skip
    assert (model.cutoff_lower_angstrom, model.cutoff_angstrom) == (2, 12)
    weighted = {v.name: v.training.weighted for v in config.variants}
    assert weighted == {"weighted": True, "unweighted": False}


def test_what_is_written_wins_key_by_key_and_is_told(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        sample={"n_iterations": 7, "bins": {"nbins": [3, 3]}},
        model={"kind": "torchmd_net", "num_layers": 1},
    )
    assert config.sample.n_iterations == 7
    assert (config.sample.bins.nbins, config.sample.walkers_per_bin) == ((3, 3), 6)
    model = config.model  # of another kind, with defaults of its own
    assert (model.kind, model.num_layers, model.cutoff_lower_angstrom) == (
        "torchmd_net", 1, 0
    )  # fmt: skip
    *lines, last = say_preset(config)
    assert "Tables 4.1 to 4.3" in lines[0]
    assert "  training: n_epochs 50, batch_size 20" in "\n".join(lines)
    assert last == (
        "  Set otherwise here: sample.n_iterations 7 (2811), sample.bins.nbins 3 x 3 "
        "(9 x 9), model.kind torchmd_net (cgschnet)"
    )


def test_each_of_several_proteins_has_the_conditions(tmp_path: Path) -> None:
    proteins = {"a": {"fold": "chignolin"}, "b": {"fold": "trp_cage"}}
    config = load(tmp_path, system=None, proteins=proteins)
    assert {s.solvent for s in config.systems.values()} == {"tip3pfb"}
    proteins["b"] |= {"pressure_atm": 2}
    config = load(tmp_path, system=None, proteins=proteins)
    said = say_preset(config)[-1]
    assert said == "  Set otherwise here: proteins.b.pressure_atm 2 (1)"


def test_what_it_became_is_written_out_and_reads_back(tmp_path: Path) -> None:
    config = load(tmp_path)
    text = dump_campaign(config)
    assert yaml.safe_load(text)["training"]["batch_size"] == 20
    (tmp_path / "campaign.yaml").write_text(text)
    assert load_campaign(tmp_path / "campaign.yaml") == config


@pytest.mark.parametrize("preset", ["theses", 5, ""])
def test_an_unknown_preset_is_refused_with_those_that_exist(
    tmp_path: Path, preset: object
) -> None:
    with pytest.raises(ConfigError, match="presets that exist: thesis") as refused:
        load(tmp_path, preset=preset)
    assert "1 mistake" in str(refused.value)


def test_every_preset_has_a_first_campaign(tmp_path: Path) -> None:
    for name in list_presets():
        path = write_template(tmp_path / f"{name}.yaml", "mine", "force_field", name)
        assert load_campaign(path).preset == name
    with pytest.raises(ConfigError, match="presets that exist"):
        write_template(tmp_path / "no.yaml", "mine", "force_field", "thsis")
    with pytest.raises(ConfigError, match="frames have no presets"):
        write_template(tmp_path / "no.yaml", "mine", "frames", "thesis")
