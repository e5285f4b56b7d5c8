"""Which beads a protein gets, from its rules, its residues and its table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.cg.mapping.beads import N_EMBEDDINGS, SIDE_CHAIN_EMBEDDING
from apps.science.cg.mapping.config import BeadRule, MappingConfig
from apps.science.cg.mapping.mapping import Mapping, build_mapping
from apps.science.errors import ConfigError, StructureError
from apps.science.systems.sequence import build_extended
from apps.science.systems.structure import add_caps, format_pdb

CALPHA = BeadRule(name="CA", atoms=["CA"])
SIDE = BeadRule(name="SC", selection="sidechain", optional=True)
Peptide = Callable[..., Path]


@dataclass(frozen=True)
class Heavy:
    """The heavy atoms of a PDB file: nothing is rigid."""

    masses_amu: list[float]
    constraints: tuple[tuple[int, int], ...] = ()


def map_heavy(pdb: Path, beads: object, **options: object) -> Mapping:
    atoms = mdtraj.load(str(pdb)).topology.atoms
    heavy = Heavy([a.element.mass for a in atoms])
    return build_mapping(pdb, heavy, beads, **options)  # type: ignore[arg-type]


@pytest.fixture
def peptide(tmp_path: Path) -> Peptide:
    def write(sequence: str, caps: bool = False, rename: tuple[str, str] = ("", "")):
        residues = build_extended(sequence)
        text = format_pdb(add_caps(residues) if caps else residues)
        if rename[0]:
            text = text.replace(f" {rename[0]} ", f" {rename[1]} ")
        path = tmp_path / f"{sequence}.pdb"
        path.write_text(text)
        return path

    return write


def test_five_beads_a_residue_follow_the_covalent_bonds(peptide: Peptide) -> None:
    mapping = map_heavy(peptide("AGPA"), "backbone_cb")
    assert mapping.names[:5] == ["N", "CA", "C", "O", "CB"]
    assert mapping.names[5:9] == ["N", "CA", "C", "O"]  # glycine has no CB
    assert {(0, 1), (1, 2), (2, 3), (1, 4), (2, 5)} <= set(mapping.bonds)
    # a tree: proline's ring is closed by atoms of no bead, which bond nothing here
    assert len(mapping.bonds) == mapping.n_beads - 1
    assert {tuple(sorted((a, b))) for a, b in mapping.bonds} == set(mapping.bonds)
    assert (0, 1, 4) in mapping.angles
    assert (2, 1, 4) in mapping.angles


def test_side_chain_beads_lie_at_their_weighted_mean(peptide: Peptide) -> None:
    pdb = peptide("KGW")
    by_mass = map_heavy(pdb, [CALPHA, SIDE])
    equal = SIDE.model_copy(update={"weights": "equal"})
    by_number = map_heavy(pdb, [CALPHA, equal])
    assert by_mass.types == ["CAK", "SC-LYS", "CAG", "CAW", "SC-TRP"]
    assert by_mass.kind == "custom"
    assert by_mass.bonds == [(0, 1), (0, 2), (2, 3), (3, 4)]
    frame = mdtraj.load(str(pdb))
    side = frame.topology.select("sidechain and resid 0")
    positions = frame.xyz.astype(float)
    np.testing.assert_allclose(
        by_number.map_positions(positions)[0, 1], positions[0, side].mean(axis=0)
    )
    masses = np.array([frame.topology.atom(i).element.mass for i in side])
    np.testing.assert_allclose(
        by_mass.map_positions(positions)[0, 1],
        masses @ positions[0, side] / masses.sum(),
    )


def test_a_users_weights_place_a_bead(peptide: Peptide) -> None:
    rule = BeadRule(name="CO", atoms=["C", "O"], weights={"C": 1.0, "O": 3.0})
    mapping = map_heavy(peptide("AA"), [CALPHA, rule])
    assert mapping.coordinate_groups[1].coefficients == [0.25, 0.75]


def test_a_bead_that_a_residue_lacks_is_named(peptide: Peptide) -> None:
    rule = BeadRule(name="CB", atoms=["CB"])
    with pytest.raises(StructureError, match="GLY 2 of chain A has no atom CB"):
        map_heavy(peptide("AGA"), [CALPHA, rule])


def test_modified_residues_stand_for_what_they_come_from(peptide: Peptide) -> None:
    mapping = map_heavy(peptide("AMA", rename=("MET", "MSE")), "calpha")
    assert mapping.resnames == ["ALA", "MET", "ALA"]
    assert mapping.types[1] == "CAM"
    assert mapping.bonds == [(0, 1), (1, 2)]


def test_charmm_and_amber_histidines_are_one_residue(peptide: Peptide) -> None:
    beads = [
        map_heavy(peptide("AHA", rename=("HIS", name)), "calpha").embeddings
        for name in ("HIS", "HSD", "HIE", "HIP")
    ]
    assert all(one == beads[0] for one in beads)


def test_an_unknown_residue_is_named_with_how_to_add_it(peptide: Peptide) -> None:
    pdb = peptide("AMA", rename=("MET", "ABA"))
    with pytest.raises(StructureError, match=r"ABA 2 of chain A.*residues: \{ABA: ALA"):
        map_heavy(pdb, "calpha")
    known = map_heavy(pdb, "calpha", residues={"ABA": "ALA"})
    assert known.types == ["CAA"] * 3


def test_a_table_that_names_no_bead_type_is_refused() -> None:
    with pytest.raises(ValidationError, match="XYZ, which is no residue"):
        MappingConfig(residues={"ABA": "XYZ"})


def test_caps_give_beads_to_the_backbone_only(peptide: Peptide) -> None:
    mapping = map_heavy(peptide("A", caps=True), "backbone_cb")
    pairs = zip(mapping.resnames, mapping.names, strict=True)
    assert [f"{resname}:{name}" for resname, name in pairs] == [
        "ACE:C", "ACE:O", "ALA:N", "ALA:CA", "ALA:C", "ALA:O", "ALA:CB", "NME:N",
    ]  # fmt: skip


def test_an_atom_is_in_one_bead_only(peptide: Peptide) -> None:
    with pytest.raises(ConfigError, match="in bead CA and in bead BB"):
        map_heavy(peptide("AA"), [CALPHA, BeadRule(name="BB", atoms=["CA", "C"])])


def test_beads_of_a_residue_must_differ_to_a_model(peptide: Peptide) -> None:
    two = [BeadRule(name="S1", atoms=["CB"]), BeadRule(name="S2", atoms=["O"])]
    with pytest.raises(ConfigError, match="both have embedding"):
        map_heavy(peptide("AA"), [CALPHA, *two])
    own = two[1].model_copy(update={"embedding": 22})
    assert 22 in map_heavy(peptide("AA"), [CALPHA, two[0], own]).embeddings


def test_a_rule_that_fits_nothing_is_refused(peptide: Peptide) -> None:
    rule = BeadRule(name="SE", atoms=["SE"], optional=True)
    with pytest.raises(ConfigError, match="SE fits no residue"):
        map_heavy(peptide("AA"), [CALPHA, rule])


def test_a_selection_that_mdtraj_cannot_read_is_quoted(peptide: Peptide) -> None:
    rule = BeadRule(name="SC", selection="name CB and (")
    with pytest.raises(ConfigError, match="cannot read the selection"):
        map_heavy(peptide("AA"), [rule])


@pytest.mark.parametrize(
    "fields",
    [{}, {"atoms": ["CA"], "selection": "name CA"}, {"atoms": ["C"], "weights": {}},
     {"atoms": ["C"], "weights": {"C": -1.0}}],
)  # fmt: skip
def test_a_bead_says_once_what_it_is_made_of(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"needs either|above zero"):
        BeadRule(name="B", **fields)  # type: ignore[arg-type]


def test_every_embedding_fits_the_table() -> None:
    assert max(SIDE_CHAIN_EMBEDDING.values()) < N_EMBEDDINGS


def cut(pdb: Path, residues: set[int]) -> Path:
    """Leave residues out of a PDB file."""
    kept = [
        line
        for line in pdb.read_text().splitlines()
        if not (line.startswith("ATOM") and int(line[22:26]) in residues)
    ]
    pdb.write_text("\n".join(kept) + "\n")
    return pdb


def test_missing_residues_are_named_and_not_bridged(
    peptide: Peptide, caplog: pytest.LogCaptureFixture
) -> None:
    mapping = map_heavy(cut(peptide("ACDEFGHI"), {4, 5}), "calpha")
    (gap,) = mapping.gaps
    assert gap == (
        "residues 4 to 5 are missing between ASP 3 of chain A and GLY 6 of chain A"
    )
    assert mapping.bonds == [(0, 1), (1, 2), (3, 4), (4, 5)]
    assert mapping.angles == [(0, 1, 2), (3, 4, 5)]
    assert not mapping.dihedrals
    assert "residues 4 to 5 are missing" in caplog.text


def test_chains_are_not_bonded_to_each_other(peptide: Peptide) -> None:
    one = peptide("AAA").read_text().splitlines()
    atoms = [line for line in one if line.startswith("ATOM")]
    other = [f"{a[:21]}B{a[22:30]}{float(a[30:38]) + 3.0:8.3f}{a[38:]}" for a in atoms]
    pdb = peptide("AAA")
    pdb.write_text("\n".join([*atoms, "TER", *other, "TER", "END", ""]))
    mapping = map_heavy(pdb, "calpha")
    assert mapping.bonds == [(0, 1), (1, 2), (3, 4), (4, 5)]
    assert mapping.chains == [0, 0, 0, 1, 1, 1]
    assert not mapping.gaps
