"""Experiments and several proteins: what a campaign.yaml may ask, and what it means."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.science.errors import ConfigError
from campaign.config import dump_campaign, load_campaign, parse_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.experiments import Experiment, write_experiments
from campaign.stages.learning import share_out
from campaign.stages.variants import Variant
from campaign.types.force_field import type as force_field

BODY: dict[str, Any] = {
    "name": "some", "type": "force_field", "seed": 3,
    "system": {"fold": "chignolin"},
    "reference": {"walk_length_ps": 100},
    "sample": {"bins": {"kind": "mab", "nbins": [2, 2]}, "n_iterations": 2},
    "benchmark": {"bins": {"kind": "mab", "nbins": [2, 2]}, "n_iterations": 2},
    "model": {"kind": "torchmd_net"},
}  # fmt: skip
Load = Callable[..., force_field.Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_changed(**changes: Any) -> force_field.Config:
        body = {k: v for k, v in (BODY | changes).items() if v is not None}
        path = tmp_path / "campaign.yaml"
        path.write_text(yaml.safe_dump(body, sort_keys=False))
        found = load_campaign(path)
        assert isinstance(found, force_field.Config)
        return found

    return load_changed


def name_stages(config: force_field.Config) -> list[str]:
    return [stage.name for stage in force_field.stages(config)]


def by_name(config: force_field.Config) -> dict[str, Variant]:
    return {v.name: v for v in config.variants}


def test_weighted_and_unweighted_are_the_usual_models(load: Load) -> None:
    found = by_name(load())
    assert {n: v.training.weighted for n, v in found.items()} == {
        "weighted": True,
        "unweighted": False,
    }
    assert {v.seed for v in found.values()} == {3}
    assert "experiments" not in name_stages(load())


def test_a_sweep_is_every_combination_of_every_variant(load: Load) -> None:
    experiments = {
        "variants": {"a": {}, "b": {"prior": {"dihedral_scale": 1.0}}},
        "sweep": {"seed": [1, 2], "dataset.weight_cutoff": [0.0, 1e-6]},
    }
    # a map that frames decide would be another for each cutoff
    config = load(experiments=experiments, mapping={"force_map": "constraint_sum"})
    found = by_name(config)
    assert len(found) == 8
    one = found["b_seed_2_weight_cutoff_1e-06"]
    assert (one.seed, one.dataset.weight_cutoff, one.prior.dihedral_scale) == (
        2, 1e-6, 1.0
    )  # fmt: skip
    assert one.changes == {
        "prior.dihedral_scale": 1.0, "seed": 2, "dataset.weight_cutoff": 1e-6
    }  # fmt: skip
    # a prior for each of a, b; a training set for each cutoff of those; seeds share
    learnt = share_out(config.variants, ProteinDir(Path("run")))
    assert len({one.prior for one in learnt.values()}) == 2
    assert len({one.dataset for one in learnt.values()}) == 4
    assert learnt["a_seed_1_weight_cutoff_0"].prior == Path("run/cg/prior.yaml")
    names = name_stages(config)
    assert len(set(names)) == len(names)
    assert "experiments" in names


def test_models_with_a_map_that_frames_decide_share_no_other_frames(load: Load) -> None:
    """Which frames are held out decides which force map is the quietest."""
    variants = {
        name: {"mapping": {"force_map": force_map}, "dataset": {"split_fraction": part}}
        for name, force_map, part in (
            ("fixed", "constraint_sum", 0.1), ("same", "constraint_sum", 0.2),
            ("auto", "auto", 0.1), ("other", "auto", 0.2),
        )
    }  # fmt: skip
    learnt = share_out(
        load(experiments={"variants": variants}).variants, ProteinDir(Path("run"))
    )
    assert learnt["fixed"].prior == learnt["same"].prior
    assert len({one.prior for one in learnt.values()}) == 3


def test_a_sweep_alone_is_of_the_campaigns_own_model(load: Load) -> None:
    found = by_name(load(experiments={"sweep": {"training.weighted": [True, False]}}))
    assert list(found) == ["weighted_true", "weighted_false"]


def test_a_model_of_another_kind_takes_none_of_the_firsts_settings(load: Load) -> None:
    model = {"kind": "torchmd_net", "embedding_dimension": 32}
    variants = {
        "wide": {"model": {"embedding_dimension": 64}},
        "cgschnet": {"model": {"kind": "cgschnet", "num_layers": 1}},
    }
    found = by_name(load(model=model, experiments={"variants": variants}))
    wide, other = (found[n].model.model_dump() for n in variants)
    assert (wide["kind"], wide["embedding_dimension"]) == ("torchmd_net", 64)
    assert (other["kind"], other["embedding_dimension"]) == ("cgschnet", 64)


def test_whole_models_can_be_swept(load: Load) -> None:
    kinds = [{"kind": "cgschnet", "num_layers": 1}, {"kind": "torchmd_net"}]
    found = by_name(load(experiments={"sweep": {"model": kinds}}))
    assert {n: v.model.kind for n, v in found.items()} == {
        "model_cgschnet+1": "cgschnet",
        "model_torchmd_net": "torchmd_net",
    }


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ({"sample": {"n_iterations": 3}}, "sample.n_iterations cannot differ"),
        ({"prior": {"dihedral_scale": 7}}, "prior.dihedral_scale: Input should be"),
        ({"training": {"n_epoch": 7}}, "training.n_epoch: Extra inputs"),
        ({"mapping": {"beads": "backbone"}}, "only force_map can differ"),
        ({"model": {"kind": "none"}}, "kinds that exist are"),
        ({"seed": -1}, "whole number of at least 0"),
    ],
)
def test_what_cannot_differ_is_named(load: Load, variant: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(experiments={"variants": {"odd": variant}})


def test_experiments_of_one_name_are_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match="Two experiments are called seed_1"):
        load(experiments={"sweep": {"seed": [1, 1]}})
    with pytest.raises(ConfigError, match="has no values"):
        load(experiments={"sweep": {"seed": []}})
    with pytest.raises(ConfigError, match="cannot be the name"):
        load(experiments={"variants": {"a/b": {}}})


def test_a_campaign_is_read_again_as_it_was_written(load: Load) -> None:
    config = load(experiments={"sweep": {"dataset.split_fraction": [0.1, 0.2]}})
    again = parse_campaign(yaml.safe_load(dump_campaign(config)), Path("x.yaml"))
    assert again.model_dump() == config.model_dump()


def test_stages_of_several_proteins_say_whose_they_are(load: Load) -> None:
    proteins = {"one": {"fold": "chignolin"}, "two": {"sequence": "GGGGG"}}
    config = load(system=None, proteins=proteins)
    names = name_stages(config)
    assert "sample@two" in names
    assert names.count("train_weighted") == 1
    assert names[-2] == "benchmark_unweighted@two"
    last = force_field.stages(config)[-2]
    assert (last.name, last.kind) == (names[-2], "benchmark")
    assert last.of == {"models": "unweighted", "proteins": "two"}
    assert last.we == "proteins/two/benchmark/unweighted"


def test_proteins_must_agree_and_be_there(load: Load) -> None:
    proteins = {
        "one": {"fold": "chignolin"},
        "two": {"fold": "chignolin", "temperature_kelvin": 310},
    }
    with pytest.raises(ConfigError, match="temperature_kelvin is 310"):
        load(system=None, proteins=proteins)
    with pytest.raises(ConfigError, match="found both"):
        load(proteins=proteins)
    with pytest.raises(ConfigError, match="found neither"):
        load(system=None)


def test_the_table_has_each_models_own_best_epoch(tmp_path: Path) -> None:
    paths = ProteinDir(tmp_path)
    for name, weighted in (("a", True), ("b", False)):
        folder = paths.model(name)
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(
            "epoch,val_loss_weighted,val_loss_unweighted\n1,5,9\n2,4,7\n3,6,8\n4,3,9\n"
        )
        job = {"training": {"weighted": weighted}}
        (folder / "config.yaml").write_text(yaml.safe_dump(job))
    asked = [Experiment("a", {}), Experiment("b", {"training.weighted": False})]
    table = write_experiments(paths, asked, [paths])
    rows = {row["name"]: row for row in csv.DictReader(table.read_text().splitlines())}
    assert (rows["a"]["best_epoch"], rows["a"]["val_loss_weighted"]) == ("4", "3")
    assert (rows["b"]["best_epoch"], rows["b"]["val_loss_unweighted"]) == ("2", "7")
    assert (rows["a"]["training.weighted"], rows["b"]["training.weighted"]) == (
        "",
        "false",
    )
