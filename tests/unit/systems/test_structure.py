"""Chains from internal coordinates: the geometry comes back, the hand is right."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.science.errors import StructureError
from apps.science.systems.chains import check_chains
from apps.science.systems.fold import build_fold
from apps.science.systems.native_folds import list_folds, read_fold
from apps.science.systems.reading import read_pdb
from apps.science.systems.sequence import build_extended
from apps.science.systems.structure import (
    add_caps,
    format_pdb,
    measure_torsion,
    one_letter_sequence,
    place_atom,
)
from apps.science.systems.superpose import superposed_rmsd


def test_a_placed_atom_has_the_asked_internal_coordinates() -> None:
    a, b, c = np.random.default_rng(3).normal(size=(3, 3))
    d = place_atom(a, b, c, 1.4, 115.0, -70.0)
    cosine = (b - c) @ (d - c) / np.linalg.norm(b - c) / np.linalg.norm(d - c)
    assert np.linalg.norm(d - c) == pytest.approx(1.4)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(115.0)
    assert measure_torsion(a, b, c, d) == pytest.approx(-70.0)


@pytest.mark.parametrize("name", list_folds())
def test_a_rebuilt_fold_has_the_torsions_of_the_table(name: str) -> None:
    fold = read_fold(name)
    chain = [residue.atoms for residue in build_fold(fold)]
    for k in range(1, len(chain) - 1):
        before, here, after = chain[k - 1 : k + 2]
        phi = measure_torsion(before["C"], here["N"], here["CA"], here["C"])
        psi = measure_torsion(here["N"], here["CA"], here["C"], after["N"])
        assert _turn(phi, fold.phi[k]) < 0.1
        assert _turn(psi, fold.psi[k]) < 0.1


def _turn(found: float, expected: float | None) -> float:
    assert expected is not None
    return abs((found - expected + 180.0) % 360.0 - 180.0)


@pytest.mark.parametrize("name", list_folds())
def test_every_residue_is_left_handed(name: str) -> None:
    for residue in build_fold(read_fold(name)):
        atoms = residue.atoms
        if residue.name == "GLY":
            continue
        frame = [atoms[k] - atoms["CA"] for k in ("N", "C", "CB")]
        assert np.linalg.det(frame) > 0, residue
        branch = {"ILE": ("CG1", "CG2", "CA"), "THR": ("OG1", "CG2", "CA")}
        if residue.name in branch:
            around = [atoms[k] - atoms["CB"] for k in branch[residue.name]]
            assert np.linalg.det(around) > 0, residue


def test_an_extended_chain_is_extended_and_trans() -> None:
    chain = build_extended("GAKWPEHS")
    ca = np.array([residue.atoms["CA"] for residue in chain])
    assert np.linalg.norm(ca[-1] - ca[0]) > 0.85 * 3.8 * 7
    for before, after in pairwise(chain):
        omega = measure_torsion(
            before.atoms["CA"], before.atoms["C"], after.atoms["N"], after.atoms["CA"]
        )
        assert abs(omega) > 179
    assert one_letter_sequence(chain) == "GAKWPEHS"


def test_caps_close_the_chain_with_trans_peptide_bonds() -> None:
    ace, alanine, nme = add_caps(build_extended("A"))
    assert (ace.name, alanine.name, nme.name) == ("ACE", "ALA", "NME")
    assert "OXT" not in alanine.atoms
    n, ca, c = (alanine.atoms[k] for k in ("N", "CA", "C"))
    assert np.linalg.norm(ace.atoms["C"] - n) == pytest.approx(1.335)
    assert measure_torsion(ace.atoms["C"], n, ca, c) == pytest.approx(-135)
    assert measure_torsion(n, ca, c, nme.atoms["N"]) == pytest.approx(135)
    leading = measure_torsion(ace.atoms["CH3"], ace.atoms["C"], n, ca)
    closing = measure_torsion(ca, c, nme.atoms["N"], nme.atoms["C"])
    assert abs(leading) == pytest.approx(180)
    assert abs(closing) == pytest.approx(180)


def test_pdb_text_comes_back(tmp_path: Path) -> None:
    chain = add_caps(build_fold(read_fold("chignolin")))
    path = tmp_path / "chain.pdb"
    path.write_text(format_pdb(chain), encoding="utf-8")
    again = read_pdb(path)
    assert [r.name for r in again] == [r.name for r in chain]
    for one, other in zip(again, chain, strict=True):
        assert list(one.atoms) == list(other.atoms)
        for name in one.atoms:
            np.testing.assert_allclose(one.atoms[name], other.atoms[name], atol=6e-4)


def test_rmsd_ignores_rotation_and_sees_mirror_images() -> None:
    points = np.random.default_rng(5).normal(size=(12, 3))
    rotation = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    frames = np.stack([points @ rotation + 4.0, points * [1, 1, -1]])
    rotated, mirrored = superposed_rmsd(frames, points)
    assert rotated == pytest.approx(0, abs=1e-6)
    assert mirrored > 0.3


def test_rmsd_of_one_moved_point() -> None:
    points = np.array([[0, 0, 0], [10.0, 0, 0], [0, 10, 0], [0, 0, 10]])
    stretched = points * 1.1
    expected = 0.1 * np.sqrt(np.square(points - points.mean(0)).sum() / 4)
    np.testing.assert_allclose(superposed_rmsd(stretched[None], points), [expected])


@pytest.mark.parametrize("place", [0.0, np.nan])
def test_atoms_on_one_point_or_nowhere_are_named(place: float) -> None:
    chain = build_extended("GA")
    check_chains(chain, "chain")
    for atom in chain[1].atoms:
        chain[1].atoms[atom] = chain[1].atoms["N"] + place
    with pytest.raises(StructureError, match=r"atoms N and CA of residue ALA 2"):
        check_chains(chain, "bad.pdb")
