"""Frames of C-alpha beads that a PSF file names, and the structure they are of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.arrays import Array
from apps.science.cg.dataset.own_frames import import_frames
from apps.science.cg.dataset.own_frames_check import check_own_frames
from apps.science.cg.dataset.own_frames_config import OwnFramesConfig
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.errors import (
    ConfigError,
    DataError,
    ShapeMismatchError,
    StructureError,
)
from apps.science.segments.frames import read_frames
from apps.science.segments.store import open_store

DATA = Path(__file__).parents[5] / "shared" / "data"
RESIDUES = ["TYR", "ASP", "PRO", "GLU", "THR"]
N_FRAMES = 20


def write_psf(path: Path, residues: list[str] = RESIDUES) -> Path:
    """Write C-alpha beads with bonds; atom numbers have gaps, as published ones do."""
    atoms = [
        f"{11 * k + 2:8d} A {k + 1:4d} {name} CA CA{name[0]} 0.0 0.0 0"
        for k, name in enumerate(residues)
    ]
    n = len(residues)
    bonds = " ".join(f"{k} {k + 1}" for k in range(1, n))
    dihedrals = " ".join(f"{k} {k + 1} {k + 2} {k + 3}" for k in range(1, n - 2))
    path.write_text(
        "\n".join([
            "PSF", "", f"{n} !NATOM", *atoms, "", f"{n - 1} !NBOND: bonds", bonds, "",
            f"{n - 3} !NPHI: dihedrals", dihedrals, "",
        ])
    )  # fmt: skip
    return path


def write_pdb(path: Path, residues: list[str], beads: Array) -> Path:
    """Write N and CA of every residue, numbered from 31."""
    lines = []
    for k, (name, (x, y, z)) in enumerate(zip(residues, beads, strict=True)):
        for atom, shift in (("N", -1.4), ("CA", 0.0)):
            lines.append(
                f"ATOM  {len(lines) + 1:5d}  {atom:<3s} {name} A{31 + k:4d}    "
                f"{x + shift:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           {atom[0]}"
            )
    path.write_text("\n".join([*lines, "END"]) + "\n")
    return path


@pytest.fixture
def given(
    tmp_path: Path, random_chains: Callable[..., Array]
) -> Callable[..., OwnFramesConfig]:
    """Return a config of frames of five beads, in nm, and their PSF file."""
    frames = random_chains(N_FRAMES, 5).astype("f4")
    np.save(tmp_path / "x.npy", frames / 10.0)
    np.save(tmp_path / "f.npy", np.ones_like(frames))
    write_psf(tmp_path / "beads.psf")

    def config(**settings: Any) -> OwnFramesConfig:
        fields = {
            "topology": "beads.psf", "positions": "x.npy", "forces": "f.npy",
            "length_unit": "nanometer",
        }  # fmt: skip
        return OwnFramesConfig.model_validate(
            fields | settings, context={"folder": tmp_path}
        )

    return config


def bring(config: OwnFramesConfig, folder: Path, beads: Any = None) -> Mapping:
    import_frames(
        config, MappingConfig(beads=beads), folder / "system", folder / "mapping.json",
        folder / "segments.h5", folder / "frames.h5",
    )  # fmt: skip
    return read_mapping(folder / "mapping.json")


def test_beads_of_a_psf_are_taken_as_they_are(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    mapping = bring(given(), tmp_path / "run")
    assert mapping.types == ["CAT", "CAA", "CAP", "CAG", "CAT"]
    assert mapping.bonds == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert mapping.dihedrals == [(0, 1, 2, 3), (1, 2, 3, 4)]
    frames = 10.0 * np.load(tmp_path / "x.npy")
    with open_store(tmp_path / "run" / "segments.h5") as h5:
        np.testing.assert_allclose(h5["positions"][:], frames, rtol=1e-5)
    found = read_frames(tmp_path / "run" / "frames.h5")
    np.testing.assert_allclose(found.positions, frames, rtol=1e-5)
    protein = mdtraj.load(str(tmp_path / "run" / "system" / "protein.pdb"))
    assert [r.name for r in protein.topology.residues] == RESIDUES
    np.testing.assert_allclose(10.0 * protein.xyz[0], frames[0], atol=1e-2)
    assert not (tmp_path / "run" / "system" / "native.npy").exists()


def test_the_native_structure_comes_as_beads(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    beads = np.round(np.arange(15.0).reshape(5, 3) ** 1.1, 3)
    write_pdb(tmp_path / "native.pdb", RESIDUES, beads)
    config = given(structure="native.pdb")
    check_own_frames(config)
    bring(config, tmp_path / "run")
    native = np.load(tmp_path / "run" / "system" / "native.npy")
    np.testing.assert_allclose(native, beads, atol=1e-3)


def test_a_structure_of_another_mutant_names_every_residue(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    mutant = ["TYR", "ASN", "PRO", "GLU", "VAL"]
    write_pdb(tmp_path / "mutant.pdb", mutant, np.zeros((5, 3)))
    with pytest.raises(
        StructureError,
        match=r"beads\.psf and mutant\.pdb differ in 2 of 5 residues: "
        r"ASP 2 is ASN 32, THR 5 is VAL 35",
    ):
        check_own_frames(given(structure="mutant.pdb"))


@pytest.mark.parametrize(
    ("protein", "structure", "named"),
    [("proteinb", "proteinb_1prb", "ILE 4 is LYS 11"),
     ("proteing", "proteing_1mi0", "ASP 51 is ALA 47")],
)  # fmt: skip
def test_published_topologies_of_other_mutants_are_refused(
    tmp_path: Path, protein: str, structure: str, named: str
) -> None:
    topology = DATA / "cg_majewski" / "topology" / f"{protein}.psf"
    if not topology.is_file():
        pytest.skip("the published C-alpha models are not at hand")
    starts = next((DATA / "cg_majewski" / "starts").glob(f"{protein}_*.xtc"))
    with mdtraj.formats.XTCTrajectoryFile(str(starts)) as xtc:
        np.save(tmp_path / "x.npy", xtc.read()[0])
    config = OwnFramesConfig(
        topology=topology, structure=DATA / "structures" / f"{structure}.pdb",
        positions=tmp_path / "x.npy", forces=tmp_path / "x.npy",
        length_unit="nanometer",
    )  # fmt: skip
    with pytest.raises(StructureError, match=named):
        check_own_frames(config)
    check_own_frames(config.model_copy(update={"structure": None}))


def test_a_psf_of_another_protein_is_refused(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    write_psf(tmp_path / "longer.psf", [*RESIDUES, "GLY"])
    with pytest.raises(ShapeMismatchError, match=r"longer\.psf has 6 atoms, x\.npy 5"):
        check_own_frames(given(topology="longer.psf"))


def test_what_a_psf_cannot_be_asked_for(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="PSF file of C-alpha beads, but"):
        given(beads="backbone")
    with pytest.raises(ValidationError, match=r"top\.pdb is none"):
        given(topology="top.pdb", structure="native.pdb")
    with pytest.raises(ConfigError, match=r"mapping\.beads asks for others"):
        bring(given(), tmp_path / "run", "backbone")


def test_a_frame_that_is_not_finite_is_named(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    for name, frame in (("f.npy", 7), ("x.npy", 3)):
        whole = np.load(tmp_path / name)
        spoilt = whole.copy()
        spoilt[[frame, -1], 2, 1] = np.nan, np.inf
        np.save(tmp_path / name, spoilt)
        said = f"{name} has 2 frames .* not finite, of 20 .* first is frame {frame} "
        for work in (check_own_frames, lambda c: bring(c, tmp_path / "run")):
            with pytest.raises(DataError, match=said):
                work(given())
        np.save(tmp_path / name, whole)


def test_a_molecule_broken_across_the_box_is_called_that(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    frames = np.load(tmp_path / "x.npy")
    frames[5, 3:] += (4.0, 0, 0)  # the box, nm
    np.save(tmp_path / "x.npy", frames)
    said = r"broken in 1 of 20 frames.* frame 5 .* GLU 4 are .* across|periodic box"
    with pytest.raises(DataError, match=said):
        check_own_frames(given())


@pytest.mark.parametrize("n_left", [0, 5, 60, 1000])
def test_a_file_that_was_cut_is_refused(
    given: Callable[..., OwnFramesConfig], tmp_path: Path, n_left: int
) -> None:
    whole = (tmp_path / "f.npy").read_bytes()
    (tmp_path / "f.npy").write_bytes(whole[:n_left])
    with pytest.raises(DataError, match=r"f\.npy cannot be read as \.npy"):
        check_own_frames(given())


def test_what_is_no_array_of_numbers_is_refused(
    given: Callable[..., OwnFramesConfig], tmp_path: Path
) -> None:
    shape = (N_FRAMES, 5, 3)
    np.save(tmp_path / "words.npy", np.full(shape, "a"))
    with pytest.raises(DataError, match="no real numbers"):
        check_own_frames(given(forces="words.npy"))
    np.savez(tmp_path / "several.npz", a=np.zeros(shape))
    with pytest.raises(DataError, match="several arrays"):
        check_own_frames(given(forces="several.npz"))
    (tmp_path / "words.pdb").write_text("no structure\n")
    with pytest.raises(DataError, match=r"cannot be read as a structure|no residue"):
        check_own_frames(given(topology="words.pdb"))


ALANINE = DATA / "ala2_forces"


@pytest.mark.skipif(not ALANINE.is_dir(), reason="published forces are not at hand")
@pytest.mark.parametrize(("scale", "said"), [(-1, "by -1"), (1 / 41.84, "too often")])
def test_published_forces_pass_and_spoilt_ones_do_not(
    tmp_path: Path, scale: float, said: str
) -> None:
    example = Path(__file__).parents[4] / "examples" / "04_own_frames"
    config = OwnFramesConfig(
        topology=example / "beads.pdb", beads="backbone",
        positions=ALANINE / "ala2_coordinates.npy", forces=ALANINE / "ala2_forces.npy",
    )  # fmt: skip
    check_own_frames(config)
    np.save(tmp_path / "f.npy", scale * np.load(config.forces))
    with pytest.raises(DataError, match=said):
        check_own_frames(config.model_copy(update={"forces": tmp_path / "f.npy"}))
