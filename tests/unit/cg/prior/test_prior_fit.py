from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.counts import FitSettings, PriorCounts
from apps.science.cg.prior.fit import fit_fourier, fit_tables
from apps.science.cg.prior.gate import check_prior
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.terms import build_prior
from apps.science.errors import DataError, NumericalError
from apps.science.units import thermal_energy

KT = thermal_energy(300.0)
SETTINGS = FitSettings(300.0, 50.0, shared_dihedral=True, dihedral_scale=0.5)


def fit_pair(pair: Mapping, lengths: Array, weights: Array) -> tuple[float, float]:
    structure = PriorTables(terms=("bonds",), exclusions=("bonds",))
    counts = PriorCounts(pair, structure, SETTINGS)
    positions = np.zeros((len(lengths), 2, 3))
    positions[:, 1, 0] = lengths
    for rows in np.array_split(np.arange(len(lengths)), 3):
        counts.add(positions[rows], weights[rows])
    return fit_tables([counts]).bonds["CAA", "CAA"]


@pytest.fixture
def pair(bead_chain: Callable[..., Mapping]) -> Mapping:
    return bead_chain(["CAA", "CAA"])


@pytest.mark.random_outcome
def test_bond_fit_shrugs_off_outliers(pair: Mapping, margin) -> None:
    rng = np.random.default_rng(11)
    lengths = 3.8 + np.sqrt(KT / (2 * 75.0)) * rng.normal(size=120_000)
    lengths[:240] = rng.uniform(5.0, 9.0, size=240)  # 0.2 %
    k, r0 = fit_pair(pair, lengths, np.full(120_000, 1 / 120_000))
    margin("k / exact", k / 75.0, near=1.0, within=0.05)
    margin("length, Angstrom", r0, near=3.8, within=0.002)


@pytest.mark.random_outcome
def test_bond_fit_follows_the_weights(pair: Mapping, margin) -> None:
    rng = np.random.default_rng(12)
    sigma = np.sqrt(KT / (2 * 75.0))
    lengths = np.concatenate(
        [3.8 + sigma * rng.normal(size=80_000), 4.2 + sigma * rng.normal(size=80_000)]
    )
    weights = np.repeat([1.0, 1e-6], 80_000)
    k, r0 = fit_pair(pair, lengths, weights)
    margin("k / exact", k / 75.0, near=1.0, within=0.05)
    margin("length, Angstrom", r0, near=3.8, within=0.002)


@pytest.mark.random_outcome
def test_angle_fit_takes_out_the_solid_angle(
    bead_chain: Callable[..., Mapping], margin
) -> None:
    """Draw theta from sin(theta) exp(-k (theta - theta0)^2 / kT) near a pole."""
    k_true, theta0 = 3.0, 2.6
    grid = np.linspace(1e-4, np.pi - 1e-4, 20_000)
    density = np.sin(grid) * np.exp(-k_true * (grid - theta0) ** 2 / KT)
    rng = np.random.default_rng(13)
    theta = rng.choice(grid, size=60_000, p=density / density.sum())
    positions = np.zeros((len(theta), 3, 3))
    positions[:, 0, 0] = 3.8
    positions[:, 2, 0] = 3.8 * np.cos(theta)
    positions[:, 2, 1] = 3.8 * np.sin(theta)
    chain = bead_chain(["CAA"] * 3)
    counts = PriorCounts(chain, PriorTables(terms=("angles",), exclusions=()), SETTINGS)
    counts.add(positions, np.ones(len(theta)))
    k, center = fit_tables([counts]).angles["CAA", "CAA", "CAA"]
    # Angles stop at pi, 1.7 sigma above theta0, which moves the median a little;
    # left in, the solid angle would move it by 0.15 rad.
    margin("angle", center, near=theta0, within=0.05)
    margin("k / exact", k / k_true, near=1.0, within=0.25)


def test_fourier_fit_recovers_a_known_torsion() -> None:
    phi = -np.pi + (np.arange(72) + 0.5) * 2 * np.pi / 72
    energy = 0.4 * (1 + np.cos(phi - 0.7)) + 0.3 * (1 + np.cos(2 * phi + 1.2))
    (k1, phase1, n1), (k2, phase2, n2) = fit_fourier(phi, np.exp(-energy / KT), KT)
    assert (n1, n2) == (1, 2)
    assert (k1, k2) == pytest.approx((0.4, 0.3), rel=0.02)
    assert (phase1, phase2) == pytest.approx((0.7, -1.2), abs=0.02)


def test_repulsion_holds_beads_apart(
    octamer: Mapping, random_chains: Callable[..., Array]
) -> None:
    structure = PriorTables(terms=("repulsion",), exclusions=("bonds",))
    counts = PriorCounts(octamer, structure, SETTINGS)
    counts.add(random_chains(500, 8), np.ones(500))
    tables = fit_tables([counts])
    prior = build_prior(octamer, tables)
    positions = torch.zeros(1, 8, 3, dtype=torch.float64)
    positions[0, :, 0] = 100.0 * torch.arange(8)
    positions[0, 7] = positions[0, 2] + torch.tensor([0.0, 3.5, 0.0])
    energy, _ = prior.energy_and_forces(positions)
    assert all(epsilon > 0 for _, epsilon in tables.repulsion.values())
    assert float(energy) >= 2.99 * KT


def test_no_weight_is_an_error(pair: Mapping) -> None:
    with pytest.raises(DataError, match="no frame with a weight above zero"):
        fit_pair(pair, np.full(10, 3.8), np.zeros(10))


def chain_tables(**extra: object) -> PriorTables:
    bonds = {("CAA", "CAA"): (75.0, 3.8)}
    fields = {"terms": ("bonds",), "exclusions": ("bonds",), "bonds": bonds}
    return PriorTables(**(fields | extra))  # type: ignore[arg-type]


@pytest.mark.random_outcome
def test_a_sound_prior_passes_the_gate(
    bead_chain: Callable[..., Mapping], random_chains: Callable[..., Array], margin
) -> None:
    chain = bead_chain(["CAA"] * 6)
    prior = build_prior(chain, chain_tables())
    check = check_prior(prior, chain, random_chains(4, 6), 300.0, n_steps=1000)
    margin("deviation / limit", check.largest_deviation / check.limit, below=1)


def test_a_prior_that_tears_bonds_is_refused(
    bead_chain: Callable[..., Mapping], random_chains: Callable[..., Array]
) -> None:
    chain = bead_chain(["CAA"] * 6)
    tables = chain_tables(
        terms=("bonds", "repulsion"), exclusions=(), repulsion={("CAA",): (6.0, 2.0)}
    )
    prior = build_prior(chain, tables)
    with pytest.raises(NumericalError, match=r"Bond CAA.*stayed out"):
        check_prior(prior, chain, random_chains(4, 6), 300.0, n_steps=1000)


def test_the_gate_is_the_same_twice(
    bead_chain: Callable[..., Mapping], random_chains: Callable[..., Array]
) -> None:
    chain = bead_chain(["CAA"] * 4)
    prior, start = build_prior(chain, chain_tables()), random_chains(2, 4)
    runs = [check_prior(prior, chain, start, 300.0, n_steps=200) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.alone
@pytest.mark.random_outcome
def test_the_default_gate_takes_less_than_a_minute(
    octamer: Mapping, random_chains: Callable[..., Array], margin
) -> None:
    """The default gate of a small protein stays well under a minute."""
    bonds = {("X", "X"): (75.0, 3.8)}
    tables = chain_tables(
        bonds=bonds,
        terms=("bonds", "dihedrals", "repulsion"),
        dihedrals={("X",) * 4: ((0.4, 0.7, 1), (0.3, -1.2, 2))},
        repulsion={("X",): (3.8, 0.1)},
    )
    prior = build_prior(octamer, tables)
    chains = random_chains(400, 8)
    apart = np.linalg.norm(chains[:, :, None] - chains[:, None], axis=-1)
    apart[:, np.abs(np.subtract.outer(range(8), range(8))) < 2] = np.inf
    stretched = chains[apart.min(axis=(1, 2)) > 4.0][:4]  # beads in each other kick
    assert len(stretched) == 4
    check = check_prior(prior, octamer, stretched, 300.0, n_steps=2000)
    assert check.seconds < 2000 / 100_000 * 60.0
    assert check.frames.shape[1:] == (8, 3)
    lengths = np.linalg.norm(np.diff(check.frames, axis=1), axis=-1)
    sigma = np.sqrt(KT / (2 * 75.0))
    margin("length, Angstrom", lengths.mean(), near=3.8, within=0.05)
    margin("spread / exact", lengths.std() / sigma, near=1.0, within=0.15)


def test_a_prior_that_runs_away_says_when(
    bead_chain: Callable[..., Mapping], random_chains: Callable[..., Array]
) -> None:
    chain = bead_chain(["CAA"] * 6)
    prior = build_prior(chain, chain_tables())
    with pytest.raises(NumericalError, match=r"NaN after|left its range"):
        check_prior(
            prior, chain, random_chains(2, 6), 300.0, n_steps=2000, timestep_fs=40.0
        )


@pytest.mark.parametrize("preset", ["CA_Majewski2022_v0", "CA_Majewski2022_v1"])
def test_presets_fit_and_read_back(
    octamer: Mapping, random_chains: Callable[..., Array], tmp_path: Path, preset: str
) -> None:
    from apps.science.cg.prior.priors import PRESETS, read_prior
    from apps.science.cg.prior.torchmd_yaml import write_tables

    chosen = PRESETS[preset]
    counts = PriorCounts(
        octamer, PriorTables(terms=chosen.terms, exclusions=chosen.exclusions), SETTINGS
    )
    frames = random_chains(2000, 8)
    counts.add(frames, np.ones(len(frames)))
    written = write_tables(fit_tables([counts]), tmp_path / "prior.yaml")
    prior = read_prior(written, octamer)
    assert set(prior.terms) == {"bonds", "dihedrals", "repulsion"}
    assert prior.tables.exclusions == chosen.exclusions


def test_backbone_beads_get_a_handed_dihedral_for_each_torsion(
    bead_chain: Callable[..., Mapping],
) -> None:
    """A network of distances cannot tell mirror images apart: the prior has to."""
    from apps.science.cg.prior.priors import PriorConfig, choose_preset

    chain = bead_chain(["C-ACE", "N-ALA", "CAA", "C-ALA", "N-NME"], "backbone")
    preset = choose_preset(PriorConfig(), chain)
    assert preset.terms == ("bonds", "angles", "dihedrals")
    assert not preset.shared_dihedral
    assert preset.dihedral_scale == 1.0
