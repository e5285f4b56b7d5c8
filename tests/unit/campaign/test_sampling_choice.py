"""Propagator and progress coordinate of campaign.yaml: taken, filled, or refused."""

from pathlib import Path

import pytest

from apps.science import plugins
from apps.science.errors import ConfigError
from apps.science.propagators import toy
from apps.science.we.spec import PROPAGATORS
from campaign.config import check_campaign, dump_campaign, load_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.sampling_choice import fill_pcoord, fill_propagator
from campaign.types.force_field.config import Config

TEXT = """\
name: small
type: force_field
system: {sequence: AVA, caps: true, solvent: vacuum}
reference: {walk_length_ps: 20, frame_interval_ps: 0.4}
tica: {lag_ps: 0.8}
mapping: {beads: backbone}
sample:
  n_iterations: 4
  segment_length_fs: 400
  frame_interval_fs: 40
  bins: {kind: rectilinear, edges: [[0], [0]]}
model: {kind: cgschnet}
benchmark: {n_iterations: 4}
"""


def load(folder: Path, *lines: str, text: str = TEXT) -> Config:
    path = folder / "campaign.yaml"
    added = "".join(f"sample:\n  {line}\n".removeprefix("sample:\n") for line in lines)
    path.write_text(text.replace("sample:\n", f"sample:\n{added}"))
    config = load_campaign(path)
    check_campaign(config)
    assert isinstance(config, Config)
    return config


def test_what_is_not_given_is_all_atom_dynamics_binned_on_two_tics(
    tmp_path: Path,
) -> None:
    config, paths = load(tmp_path), ProteinDir(tmp_path / "run")
    # the very keys of earlier versions: their runs are known by the hash of these
    assert fill_pcoord(config.sample.pcoord, paths) == {
        "kind": "tica", "model": str(paths.tica), "mapping": str(paths.mapping)
    }  # fmt: skip
    assert fill_propagator(config.sample, config.system, "/run/system") == {
        "kind": "openmm", "system_dir": "/run/system", "timestep_fs": 4.0,
        "temperature_kelvin": 300.0, "friction_per_ps": 1.0, "n_steps": 100,
        "n_steps_per_frame": 10, "platform": "auto", "exact_replay": True,
    }  # fmt: skip


def test_settings_that_are_given_go_before_those_of_the_system(tmp_path: Path) -> None:
    config = load(tmp_path, "propagator: {kind: openmm, timestep_fs: 2}")
    found = fill_propagator(config.sample, config.system)
    assert (found["timestep_fs"], found["n_steps"]) == (2, 200)


def test_a_file_of_the_run_is_filled_in_and_an_own_one_is_found_beside_the_campaign(
    tmp_path: Path,
) -> None:
    paths = ProteinDir(tmp_path / "run")
    (tmp_path / "mine.npy").touch()
    one_bin = "bins: {kind: rectilinear, edges: [[1]]}"
    text = TEXT.replace("bins: {kind: rectilinear, edges: [[0], [0]]}", one_bin)
    for given, expected in (
        ("", paths.system / "protein.pdb"),
        (", reference: mine.npy", tmp_path / "mine.npy"),
    ):
        source = tmp_path / "campaign.yaml"
        pcoord = f"sample:\n  pcoord: {{kind: rmsd{given}}}\n"
        source.write_text(text.replace("sample:\n", pcoord))
        config = load_campaign(source)
        assert isinstance(config, Config)
        filled = fill_pcoord(config.sample.pcoord, paths)
        assert filled == {"kind": "rmsd", "reference": str(expected)}


def test_what_was_resolved_reads_as_what_was_asked(tmp_path: Path) -> None:
    asked = load(tmp_path, "pcoord: {kind: dihedrals, torsions: [phi 2, psi 2]}")
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_campaign(asked))
    again = load_campaign(path)
    assert isinstance(again, Config)
    assert again.sample == asked.sample
    assert again.sample.pcoord.labels == ["phi 2, degrees", "psi 2, degrees"]


def test_each_kind_says_what_it_moves_and_whether_copies_part() -> None:
    found = {}
    for kind in plugins.list_kinds(PROPAGATORS):
        config = plugins.load_kind(PROPAGATORS, kind).Config
        found[kind] = (config.moves, config.model_construct().is_random)
    assert found == {
        "cg": ("beads", True), "openmm": ("atoms", True), "toy": ("points", True)
    }  # fmt: skip
    steps = {"n_steps": 1, "n_steps_per_frame": 1}
    assert not toy.Config(potential="none", **steps).is_random


QUIET = '''\
"""Atoms that stand still: no kind of weft's moves atoms without noise."""
from typing import ClassVar, Literal

from apps.science.propagators import toy


class Config(toy.Config):
    moves: ClassVar[str] = "atoms"
    kind: Literal["quiet"] = "quiet"
    potential: Literal["none"] = "none"


class Propagator(toy.Propagator):
    pass
'''


def test_dynamics_without_noise_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "propagators"
    folder.mkdir(parents=True)
    (folder / "quiet.py").write_text(QUIET)
    with (
        plugins.staying_with_folder(),
        pytest.raises(ConfigError, match="copies of a walker would never part"),
    ):
        load(
            tmp_path,
            "propagator: {kind: quiet, timestep_fs: 4}",
            text=f"plugins: ./mine\n{TEXT}",
        )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pcoord: {kind: dihedral}", "Unknown kind 'dihedral' in pcoords"),
        ("pcoord: {kind: dihedrals, torsion: [phi 2]}",
         "sample.pcoord.torsion: unknown key. Did you mean 'torsions'"),
        ("pcoord: {kind: dihedrals, torsions: [phi 2]}",
         "sample.bins divide 2 coordinates; the dihedrals progress coordinate has 1"),
        ("pcoord: {kind: dihedrals, torsions: [phi, psi]}",
         "3 residues have a torsion phi: phi 2 .ALA2., phi 3 .VAL3."),
        ("pcoord: {kind: dihedrals, torsions: [phi 2, chi1 1]}",
         "sample.pcoord: The protein has no torsion chi1 1. It has chi1 3"),
        ("pcoord: {kind: dihedrals, torsions: [phi 2, fee]}", "no torsion 'fee'"),
        ("pcoord: {kind: dihedrals, quadruples: [[0, 1, 2, 3], [0, 1, 2, 90]]}",
         "quadruples names point 90, but frames will hold about 48 atoms"),
        ("pcoord: {kind: dihedrals, mapping: run, quadruples: "
         "[[0, 1, 2, 3], [0, 1, 2, 11]]}", "point 11, but frames will hold 11 beads"),
        ("pcoord: {kind: rmsd, reference: none.pdb}", "where no file is"),
        ("pcoord: {kind: cartesian, axes: [0, 1]}", "a molecule turns and drifts"),
        ("pcoord: {kind: tica, n_dim: 9}", "sample.bins divide 2 .* TICA .* has 9"),
        ("propagator: {kind: openm}", "Unknown kind 'openm' in propagators"),
        ("propagator: {kind: toy}", "moves points; beads are learnt from the atoms"),
        ("propagator: {kind: openmm, friction: 2}",
         "sample.propagator.friction: unknown key"),
        ("propagator: {kind: openmm, timestep_fs: 8}",
         "sample.propagator.timestep_fs: .*less than or equal to 5"),
        ("propagator: {kind: openmm, timestep_fs: fast}",
         "timestep_fs: expected a number above 0; found 'fast'"),
        ("propagator: {kind: openmm, timestep_fs: 3}", "no whole number of steps"),
        ("propagator: {kind: openmm, n_steps: 5}", "n_steps follows from the system"),
        ("propagator: {kind: openmm, temperature_kelvin: 350}",
         "is 350, that of the system 300"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, line)
