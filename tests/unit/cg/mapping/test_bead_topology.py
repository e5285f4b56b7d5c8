"""PSF files of C-alpha models, and the structures that belong to them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.science.cg.dataset.frame_checks import check_bond_lengths
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.bead_topology import (
    NamedResidue,
    check_same_residues,
    compare_residues,
    read_psf,
)
from apps.science.cg.prior.gate import check_prior
from apps.science.cg.prior.priors import read_prior
from apps.science.errors import DataError, StructureError

DATA = Path(__file__).parents[5] / "shared" / "data"
STRUCTURES = {
    "a3d": "a3d_2a3d", "bba": "bba_1fme", "bbl": "bbl_2wxc", "cln": "chignolin_cln025",
    "homeodomain": "homeodomain_1enh", "lambda": "lambda_1lmb", "ntl9": "ntl9_2hba",
    "trp": "trpcage_2jof", "villin": "villin_2f4k", "ww": "wwdomain_1pin",
}  # fmt: skip
PSF = """PSF NAMD

       0 !NTITLE

       4 !NATOM
         2 A        1        TYR      CA       CAY 0.000000 0.0000 0
        11 A        2        HSD      CA       CAH 0.000000 0.0000 0
        32 A        4        ASP      CA       CAD 0.000000 0.0000 0
        44 B        1        PRO      CA       CAP 0.000000 0.0000 0

         2 !NBOND: bonds
         1         2         2         3


         0 !NPHI: dihedrals


"""


@pytest.fixture
def published() -> Path:
    folder = DATA / "cg_majewski"
    if not folder.is_dir():
        pytest.skip("the published C-alpha models are not at hand")
    return folder


def test_a_psf_gives_beads_with_the_bonds_it_names(tmp_path: Path) -> None:
    psf = tmp_path / "cln.psf"
    psf.write_text(PSF)
    mapping = read_psf(psf)
    assert mapping.resnames == ["TYR", "HIS", "ASP", "PRO"]
    assert mapping.types == ["CAY", "CAH", "CAD", "CAP"]
    assert mapping.chains == [0, 0, 0, 1]
    assert mapping.bonds == [(0, 1), (1, 2)]
    assert mapping.angles == [(0, 1, 2)]
    assert min(mapping.masses_amu) > 0
    frames = np.random.default_rng(1).normal(size=(2, 4, 3))
    np.testing.assert_array_equal(mapping.map_positions(frames), frames)


def test_a_psf_of_atoms_is_refused(tmp_path: Path) -> None:
    psf = tmp_path / "atoms.psf"
    psf.write_text(PSF.replace("  CA  ", "  CB  "))
    with pytest.raises(DataError, match="no PSF of C-alpha beads"):
        read_psf(psf)
    with pytest.raises(DataError, match="does not exist"):
        read_psf(tmp_path / "missing.psf")


def test_an_unknown_residue_of_a_psf_is_named(tmp_path: Path) -> None:
    psf = tmp_path / "odd.psf"
    psf.write_text(PSF.replace("HSD", "XYZ"))
    with pytest.raises(StructureError, match="residue XYZ 2 has no bead type"):
        read_psf(psf)


def test_residues_that_differ_are_named_with_both_numbers() -> None:
    one = [NamedResidue("LEU", 0), NamedResidue("ILE", 4)]
    two = [NamedResidue("LEU", 7), NamedResidue("LYS", 11)]
    with pytest.raises(StructureError, match=r"1 of 2 residues: ILE 4 is LYS 11 there"):
        compare_residues(one, two, "the topology", "1prb.pdb")
    with pytest.raises(StructureError, match=r"has 2 residues and 1prb\.pdb has 1"):
        compare_residues(one, two[:1], "the topology", "1prb.pdb")


@pytest.mark.parametrize("protein", sorted(STRUCTURES))
def test_published_topologies_fit_their_structures_and_frames(
    published: Path, protein: str
) -> None:
    from mdtraj.formats import XTCTrajectoryFile

    mapping = read_psf(published / "topology" / f"{protein}.psf")
    structure = DATA / "structures" / f"{STRUCTURES[protein]}.pdb"
    check_same_residues(mapping, structure)
    (starts,) = (published / "starts").glob(f"{protein}_*.xtc")
    with XTCTrajectoryFile(str(starts)) as xtc:
        frames = 10.0 * xtc.read()[0].astype(float)
    lengths = measure_distances(frames, mapping.bonds)
    check_bond_lengths(lengths, mapping)
    with pytest.raises(DataError, match="in nm"):
        check_bond_lengths(0.1 * lengths, mapping)


@pytest.mark.parametrize(
    ("protein", "structure", "named"),
    [
        ("proteinb", "proteinb_1prb", ["ILE 4 is LYS 11", "VAL 38 is LYS 45"]),
        ("proteing", "proteing_1mi0",
         ["ALA 42 is ASN 38", "ASP 51 is ALA 47", "ALA 52 is ASP 48"]),
    ],
)  # fmt: skip
def test_topologies_of_other_mutants_are_refused(
    published: Path, protein: str, structure: str, named: list[str]
) -> None:
    mapping = read_psf(published / "topology" / f"{protein}.psf")
    with pytest.raises(StructureError) as refused:
        check_same_residues(mapping, DATA / "structures" / f"{structure}.pdb")
    for residue in named:
        assert residue in str(refused.value)


@pytest.mark.parametrize("protein", ["cln", "trp", "bba", "villin"])
def test_the_published_prior_agrees_with_torchmd_on_published_frames(
    published: Path, protein: str, compute_with_torchmd: Callable[..., object]
) -> None:
    from mdtraj.formats import XTCTrajectoryFile

    mapping = read_psf(published / "topology" / f"{protein}.psf")
    (starts,) = (published / "starts").glob(f"{protein}_*.xtc")
    with XTCTrajectoryFile(str(starts)) as xtc:
        positions = torch.as_tensor(10.0 * xtc.read()[0][:8].astype(float))
    yaml = published / "prior_force_field.yaml"
    energy, forces = read_prior(yaml, mapping).energy_and_forces(positions)
    theirs = compute_with_torchmd(
        yaml, mapping, positions, ["bonds", "dihedrals", "repulsioncg"]
    )
    for mine, other in zip((energy, forces), theirs, strict=True):  # type: ignore[call-overload]
        assert (mine - other).abs().max() < 1e-6 * other.abs().max()


def test_the_published_prior_passes_the_gate(published: Path) -> None:
    """It has no angles: beads that line up kick bonds, which settle again."""
    from mdtraj.formats import XTCTrajectoryFile

    mapping = read_psf(published / "topology" / "trp.psf")
    (starts,) = (published / "starts").glob("trp_*.xtc")
    with XTCTrajectoryFile(str(starts)) as xtc:
        positions = 10.0 * xtc.read()[0][::8].astype(float)
    prior = read_prior(published / "prior_force_field.yaml", mapping)
    check = check_prior(prior, mapping, positions, 300.0, n_steps=20_000)
    assert check.strained_share < 1e-3
