"""Trajectories from elsewhere: any format, checked atoms, one weight for each frame."""

import warnings
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from apps.science.cg.dataset.brought_frames import (
    bring_frames,
    load_trajectory,
    map_to_beads,
    read_weights,
)
from apps.science.cg.mapping.mapping import build_mapping
from apps.science.errors import DataError, ShapeMismatchError, WeightError

SEQUENCE = ("GLY", "TYR", "ASP", "PRO", "GLU", "THR")


class Masses:
    constraints = ()

    def __init__(self, n):
        self.masses_amu = [12.0] * n


def make_topology(residues=SEQUENCE, names=("N", "CA", "C", "O"), n_waters=0):
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    kinds = {"N": mdtraj.element.nitrogen, "O": mdtraj.element.oxygen}
    for name in residues:
        residue = topology.add_residue(name, chain)
        for atom in names:
            topology.add_atom(atom, kinds.get(atom, mdtraj.element.carbon), residue)
    waters = topology.add_chain()
    for _ in range(n_waters):
        residue = topology.add_residue("HOH", waters)
        topology.add_atom("O", mdtraj.element.oxygen, residue)
    return topology


def make_trajectory(topology, n_frames=12, seed=0):
    """Return a chain with C-alpha atoms 3.8 Angstrom apart, shaken, in nm."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_frames, topology.n_atoms, 3), "f4")
    x[:, :, 0] = 0.38 * np.array([a.residue.index for a in topology.atoms])
    x += 0.13 * np.random.default_rng(1).normal(size=x.shape[1:])
    x += 0.01 * rng.normal(size=x.shape)
    return mdtraj.Trajectory(x, topology, time=2.0 * np.arange(n_frames))


@pytest.fixture
def made(tmp_path: Path):
    trajectory = make_trajectory(make_topology())
    trajectory[0].save_pdb(str(tmp_path / "top.pdb"))
    mapping = build_mapping(
        tmp_path / "top.pdb", Masses(trajectory.n_atoms), "calpha", "slice"
    )
    return trajectory, mapping


@pytest.mark.parametrize("form", ["xtc", "dcd", "h5", "trr", "nc"])
def test_any_format_gives_the_same_beads_in_angstrom(made, tmp_path, form) -> None:
    trajectory, mapping = made
    path = tmp_path / f"run.{form}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a faster NetCDF writer exists
        trajectory.save(str(path))
    frames = bring_frames([path], mapping, "run", tmp_path / "top.pdb")
    calpha = trajectory.topology.select("name CA")
    np.testing.assert_allclose(
        frames.positions, 10 * trajectory.xyz[:, calpha], atol=0.02
    )
    if form in {"xtc", "trr", "h5", "nc"}:  # DCD holds no times that mdtraj reads
        np.testing.assert_allclose(frames.time_ps, 2.0 * np.arange(12))


def test_several_trajectories_share_one_file_of_weights(made, tmp_path) -> None:
    trajectory, mapping = made
    paths = []
    for k, part in enumerate((trajectory[:5], trajectory[5:])):
        paths.append(tmp_path / f"run_{k}.h5")
        part.save(str(paths[-1]))
    weights = np.arange(12.0)
    np.savetxt(tmp_path / "weights.txt", weights)
    frames = bring_frames(paths, mapping, "run", weights=tmp_path / "weights.txt")
    np.testing.assert_array_equal(frames.weight, weights)
    assert frames.trajectory.tolist() == [0] * 5 + [1] * 7
    assert frames.time_ps[5] == 0.0


def test_times_may_be_given(made, tmp_path) -> None:
    trajectory, _ = made
    trajectory.save(str(tmp_path / "run.dcd"))
    found = load_trajectory(tmp_path / "run.dcd", tmp_path / "top.pdb", 0.5)
    assert found.time_ps.tolist() == [0.5 * k for k in range(12)]


def test_beads_alone_and_atoms_among_water_are_understood(made) -> None:
    trajectory, mapping = made
    calpha = trajectory.atom_slice(trajectory.topology.select("name CA"))
    wet = make_trajectory(make_topology(n_waters=7))
    wet.xyz[:, : trajectory.n_atoms] = trajectory.xyz
    from apps.science.cg.dataset.brought_frames import Brought

    for one in (calpha, wet):
        found = Brought(10 * one.xyz, one.time, one.topology)
        np.testing.assert_allclose(
            map_to_beads(found, mapping, "run"), 10 * calpha.xyz, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("topology", "says"),
    [
        (make_topology(("GLY", "TYR", "ASP", "PRO", "GLU", "ALA")), "another protein"),
        (make_topology(SEQUENCE[:5]), "6 beads"),
        (make_topology(names=("N", "C", "CA", "O")), "another order"),
        (make_topology(SEQUENCE[::-1], ("CA",)), "another protein"),
    ],
)
def test_another_protein_is_refused(made, tmp_path, topology, says) -> None:
    _, mapping = made
    make_trajectory(topology).save(str(tmp_path / "other.h5"))
    with pytest.raises(ShapeMismatchError, match=says):
        bring_frames([tmp_path / "other.h5"], mapping, "run")


@pytest.mark.parametrize("form", ["npy", "npz", "txt", "csv"])
def test_weights_in_any_form(tmp_path, form) -> None:
    values, path = np.array([0.5, 0.0, 2.5]), tmp_path / f"w.{form}"
    match form:
        case "npy":
            np.save(path, values)
        case "npz":
            np.savez(path, other=np.zeros(9), weight=values)
        case _:
            np.savetxt(path, values)
    np.testing.assert_array_equal(read_weights(path, 3), values)


def test_weights_that_do_not_match_are_refused(tmp_path) -> None:
    for values, kind, says in (
        ([1.0, 2.0], WeightError, r"\(2,\) but there are 3 frames"),
        ([1.0, -2.0, 1.0], WeightError, "none negative"),
        ([0.0, 0.0, 0.0], WeightError, "not all zero"),
        ([np.nan, 1.0, 1.0], WeightError, "expected finite"),
    ):
        np.save(tmp_path / "w.npy", values)
        with pytest.raises(kind, match=says):
            read_weights(tmp_path / "w.npy", 3)
    (tmp_path / "w.txt").write_text("one two")
    with pytest.raises(DataError, match="holds no weights"):
        read_weights(tmp_path / "w.txt", 3)
    with pytest.raises(DataError, match="does not exist"):
        read_weights(tmp_path / "none.npy", 3)


def test_what_cannot_be_read_says_what_is_missing(made, tmp_path) -> None:
    trajectory, _ = made
    trajectory.save(str(tmp_path / "run.dcd"))
    with pytest.raises(DataError, match="--topology"):
        load_trajectory(tmp_path / "run.dcd")
    with pytest.raises(DataError, match="does not exist"):
        load_trajectory(tmp_path / "none.dcd")
    trajectory.atom_slice(range(5))[0].save_pdb(str(tmp_path / "few.pdb"))
    with pytest.raises(DataError, match="cannot be read"):
        load_trajectory(tmp_path / "run.dcd", tmp_path / "few.pdb")


PSF = """PSF

       6 !NATOM
{}

       5 !NBOND: bonds
1 2 2 3 3 4 4 5 5 6
"""


def write_psf(path: Path, atom: str = "CA") -> Path:
    """Write beads whose atom numbers have gaps, which mdtraj refuses."""
    lines = [
        f"{9 * k + 2:8d} A {k + 1} {name} {atom} {atom}{name[0]} 0.0 0.0 0"
        for k, name in enumerate(SEQUENCE)
    ]
    path.write_text(PSF.format("\n".join(lines)))
    return path


def test_a_psf_of_beads_names_the_atoms_of_a_trajectory(made, tmp_path) -> None:
    trajectory, mapping = made
    beads = trajectory.atom_slice(trajectory.topology.select("name CA"))
    beads.save(str(tmp_path / "beads.dcd"))
    psf = write_psf(tmp_path / "beads.psf")
    found = bring_frames([tmp_path / "beads.dcd"], mapping, "run", psf)
    np.testing.assert_allclose(found.positions, 10 * beads.xyz, rtol=1e-5)
    topology = load_trajectory(tmp_path / "beads.dcd", psf).topology
    assert [r.name for r in topology.residues] == list(SEQUENCE)
    assert topology.n_bonds == 5
    write_psf(psf, "CB")
    with pytest.raises(DataError, match="cannot be read as a structure"):
        load_trajectory(tmp_path / "beads.dcd", psf)


def test_beads_of_another_mutant_are_named(made, tmp_path) -> None:
    trajectory, mapping = made
    beads = trajectory.atom_slice(trajectory.topology.select("name CA"))
    beads.save(str(tmp_path / "beads.dcd"))
    psf = write_psf(tmp_path / "beads.psf")
    psf.write_text(psf.read_text().replace("PRO", "ALA").replace("THR", "VAL"))
    with pytest.raises(
        ShapeMismatchError,
        match=r"bead 3 is of ALA, not of PRO, bead 5 is of VAL, not of THR \(2 of 6",
    ):
        bring_frames([tmp_path / "beads.dcd"], mapping, "run", psf)


@pytest.mark.parametrize("form", ["dcd", "xtc", "trr", "pdb"])
def test_a_file_cut_anywhere_is_refused(made, tmp_path, form) -> None:
    trajectory = make_trajectory(make_topology())
    if form != "pdb":
        trajectory.unitcell_vectors = np.tile(5 * np.eye(3, dtype="f4"), (12, 1, 1))
    trajectory.save(str(tmp_path / f"run.{form}"))
    whole = (tmp_path / f"run.{form}").read_bytes()
    top = tmp_path / "top.pdb"
    assert len(load_trajectory(tmp_path / f"run.{form}", top).positions) == 12
    for n in range(1, len(whole) - 120, max(1, len(whole) // 60)):
        (tmp_path / f"cut.{form}").write_bytes(whole[:n])
        try:
            found = load_trajectory(tmp_path / f"cut.{form}", top)
        except DataError:
            continue
        # XTC, TRR and PDB files do not say how many frames they have: cut between two
        assert form != "dcd"
        again = tmp_path / f"again.{form}"
        trajectory[: len(found.positions)].save(str(again))
        assert len(again.read_bytes()) - 5 <= n + (form == "pdb") * 100


@pytest.mark.parametrize("form", ["dcd", "xtc", "trr", "h5", "pdb"])
def test_a_path_of_other_letters_can_be_read(made, tmp_path, form) -> None:
    folder = tmp_path / "ü [b]"
    folder.mkdir()
    make_trajectory(make_topology()).save(str(tmp_path / f"run.{form}"))
    (tmp_path / f"run.{form}").rename(folder / f"größe.{form}")
    (tmp_path / "top.pdb").rename(folder / "ö.pdb")
    found = load_trajectory(folder / f"größe.{form}", folder / "ö.pdb")
    assert len(found.positions) == 12


def test_molecules_broken_across_the_box_are_mended(made, tmp_path, caplog) -> None:
    whole = make_trajectory(make_topology())
    whole.unitcell_vectors = np.tile(3 * np.eye(3, dtype="f4"), (12, 1, 1))
    broken = whole.slice(range(12))
    broken.xyz[4:] -= (1.1, 0, 0)
    broken.xyz[4:] %= 3.0  # atom by atom, as MD programs write them
    for name, one in (("whole", whole), ("broken", broken)):
        one.save(str(tmp_path / f"{name}.xtc"))
    loaded = [
        load_trajectory(tmp_path / f"{name}.xtc", tmp_path / "top.pdb").positions
        for name in ("whole", "broken")
    ]
    for k in range(12):
        np.testing.assert_allclose(
            loaded[1][k] - loaded[1][k, :1], loaded[0][k] - loaded[0][k, :1], atol=0.05
        )
    assert "broken across the periodic box in 8 of 12 frames" in caplog.text


@pytest.mark.parametrize(
    "name", ["a.npz", "a.pt", "a", "a.dcd", "a.xtc", "a.h5", "a.pdb"]
)
def test_a_foreign_file_is_refused_in_words(made, tmp_path, name) -> None:
    for content in (b"", b"words\n", np.random.default_rng(0).bytes(3000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} "):
            load_trajectory(tmp_path / name, tmp_path / "top.pdb")
