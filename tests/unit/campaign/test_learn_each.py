"""Models of each of several proteins: what `learn: each` means, and its files."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.science.errors import ConfigError
from campaign.commands.model_folder import find_model
from campaign.config import dump_campaign, load_campaign
from campaign.declared import Stages, list_kept
from campaign.estimate.kept import list_work
from campaign.estimate.work import total_bytes
from campaign.layout.protein_dir import ProteinDir
from campaign.ledger import Ledger
from campaign.opening.settings_change import find_standing
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written.methods import write_methods
from campaign.stages.experiments import Experiment, write_experiments
from campaign.types.force_field import type as force_field

BODY: dict[str, Any] = {
    "name": "some", "type": "force_field", "seed": 3, "learn": "each",
    "proteins": {"one": {"fold": "chignolin"}, "two": {"fold": "trp_cage"}},
    "reference": {"walk_length_ps": 100},
    "sample": {"bins": {"kind": "mab", "nbins": [2, 2]}, "n_iterations": 2},
    "benchmark": {"bins": {"kind": "mab", "nbins": [2, 2]}, "n_iterations": 2},
}  # fmt: skip
Load = Callable[..., force_field.Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_changed(two: dict[str, Any] | None = None, **changes: Any) -> Any:
        body = BODY | changes
        proteins = {**BODY["proteins"], "two": BODY["proteins"]["two"] | (two or {})}
        path = tmp_path / "campaign.yaml"
        text = yaml.safe_dump(body | {"proteins": proteins}, sort_keys=False)
        path.write_text(text)
        return load_campaign(path)

    return load_changed


def test_each_has_stages_of_its_own_from_prior_to_judging(load: Load) -> None:
    variants = {"weighted": {}, "soft": {"prior": {"dihedral_scale": 0.5}}}
    declared = force_field.stages(load(experiments={"variants": variants}))
    names = [stage.name for stage in declared]
    assert len(names) == len(set(names))
    for protein in ("one", "two"):
        of_it = [n.removesuffix(f"@{protein}") for n in names if n.endswith(protein)]
        assert of_it == [
            "prepare", "reference", "tica", "sample", "ingest",
            "prior", "prior_soft", "dataset", "dataset_soft",
            "train_weighted", "train_soft", "benchmark_weighted", "benchmark_soft",
        ]  # fmt: skip
    assert [name for name in names if "@" not in name] == ["experiments", "report"]


def test_its_files_lie_with_the_protein(load: Load, tmp_path: Path) -> None:
    root = tmp_path / "runs" / "some"
    (home := root / "proteins" / "one").mkdir(parents=True)
    assert ProteinDir.at(home).prior == root / "cg" / "prior.yaml"
    (root / "resolved.yaml").write_text("learn: each\n")
    run = ProteinDir.at(home)
    assert [run.prior, run.dataset, run.model("m")] == [
        home / "cg" / "prior.yaml", home / "cg" / "dataset.h5", home / "models" / "m"
    ]  # fmt: skip
    assert ProteinDir.at(root).each_learner() == [run]
    stage = Stages(force_field.stages(load()))["train_weighted@one"]
    assert stage.of == {"proteins": "one", "models": "weighted"}
    folder = run.model("weighted")
    assert list_kept(run, stage) == [root / str(stage.trains)] == [folder]


def test_proteins_may_differ_in_what_they_are_simulated_at(load: Load) -> None:
    other = {"temperature_kelvin": 340, "timestep_fs": 5, "beads": "backbone"}
    found = load(two=other)
    assert found.proteins["two"].temperature_kelvin == 340
    with pytest.raises(ConfigError, match=r"temperature_kelvin is 340.* learn: each"):
        load(two=other, learn="together")
    with pytest.raises(ConfigError, match=r"prior.temperature_kelvin is 300.* 340"):
        load(two=other, prior={"temperature_kelvin": 300})
    with pytest.raises(ConfigError, match="1000 fs is no whole number of steps of 3"):
        load(two={"timestep_fs": 3})


def test_the_work_is_that_of_the_same_stages_and_no_more_is_kept(load: Load) -> None:
    config, together = load(), load(learn="together")
    worked = [work.stage for work in list_work(config)]
    named = [stage.name for stage in force_field.stages(config)]
    assert [stage for stage in named if stage in worked] == worked
    frames = {w.stage: w.n_frames for w in list_work(config)}
    learnt = {w.stage: w.amount for w in list_work(config)}
    for protein in ("one", "two"):
        assert learnt[f"prior@{protein}"] == frames[f"sample@{protein}"]
    datasets = [
        sum(w.n_bytes for w in list_work(c) if w.stage.startswith("dataset"))
        for c in (config, together)
    ]
    assert datasets[0] <= datasets[1]
    assert total_bytes(list_work(config)) > 0


def test_a_changed_protein_concerns_its_own_stages(load: Load, tmp_path: Path) -> None:
    paths = ProteinDir(tmp_path / "run")
    paths.root.mkdir()
    ledger = Ledger(paths.ledger)
    stages = Stages(force_field.stages(load()))
    for name in stages:
        ledger.append("done", name)

    def concern(change: str) -> list[str]:
        read_by, declared = force_field.READ_BY, stages.values()
        return find_standing(read_by, [change], declared, paths, ledger).done

    assert concern("proteins.two.solvent") == ["prepare@two", "prior@two"]
    kinds = {stages[name].kind for name in concern("learn")}
    assert kinds == {"prior", "dataset", "train"}


def test_the_table_has_the_losses_of_each(tmp_path: Path) -> None:
    homes = [ProteinDir(tmp_path, name, learns_each=True) for name in ("one", "two")]
    for home, loss in zip(homes, (5, 7), strict=True):
        home.model("a").mkdir(parents=True)
        (home.model("a") / "metrics.csv").write_text(
            f"epoch,val_loss_weighted,val_loss_unweighted\n1,{loss},9\n"
        )
    table = write_experiments(ProteinDir(tmp_path), [Experiment("a", {})], homes)
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert [row[f"{p}.val_loss_weighted"] for p in ("one", "two")] == ["5", "7"]
    assert "val_loss_weighted" not in row


def test_a_model_is_chosen_by_its_protein(tmp_path: Path) -> None:
    root = tmp_path / "some"
    for protein in ("one", "two"):
        (root / "proteins" / protein / "models" / "weighted").mkdir(parents=True)
    asked = root / "models" / "weighted"
    assert find_model(asked, "one") == asked  # who reads it says that it is not there
    (root / "resolved.yaml").write_text("learn: each\n")
    own = root / "proteins" / "two" / "models" / "weighted"
    assert find_model(asked, "two") == own
    assert find_model(own, None) == own
    with pytest.raises(ConfigError, match=r"none is named.*--protein one or two"):
        find_model(asked, None)
    with pytest.raises(ConfigError, match="three is none of them"):
        find_model(asked, "three")


def test_the_methods_say_that_and_what_the_proteins_differ_in(
    load: Load, tmp_path: Path
) -> None:
    root = tmp_path / "run"
    for protein in ("one", "two"):
        (root / "proteins" / protein).mkdir(parents=True)
    settings = dump_campaign(load(two={"temperature_kelvin": 340}))
    (root / "resolved.yaml").write_text(settings)
    found = write_methods(LearntSource(ProteinDir.at(root)))
    assert found is not None
    text = " ".join(found.paragraphs)
    assert "at 300 K (one) and 340 K (two) by Langevin" in text
    assert "time step 4 fs)" in text
    assert "Each protein had a prior, a training set and models of its own." in text
