"""What is measured against the native structure, and the handedness of a chain."""

import numpy as np
import pytest

from apps.science.metrics.conformations import (
    chirality,
    folded,
    native_contacts,
    stability,
)
from apps.science.metrics.conformations.distribution import observe_all
from apps.science.units import thermal_energy


def make_helix(n_beads=8):
    """Return the C-alpha trace of an ideal alpha helix."""
    turn = np.radians(100.0) * np.arange(n_beads)
    return np.stack(
        [2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(n_beads)], axis=1
    )


def test_contacts_at_their_tolerance_are_half_there(sets) -> None:
    native = make_helix()
    beads = sets.chain(8, native=native)
    values = observe_all(
        native_contacts.Metric(), np.stack([native, 1.2 * native, 3 * native]), beads
    )
    assert values[0, 0] > 0.99
    assert values[1, 0] == pytest.approx(0.5)
    assert values[2, 0] < 1e-3


def test_native_contacts_by_brute_force(sets) -> None:
    native = make_helix()
    x = native + np.random.default_rng(0).normal(size=native.shape)
    terms = []
    for i in range(8):
        for j in range(i + 3, 8):
            r0 = np.linalg.norm(native[i] - native[j])
            if r0 < 10:
                r = np.linalg.norm(x[i] - x[j])
                terms.append(1 / (1 + np.exp(5 * (r - 1.2 * r0))))
    values = observe_all(
        native_contacts.Metric(), x[None], sets.chain(8, native=native)
    )
    assert values[0, 0] == pytest.approx(np.mean(terms))


def test_contacts_are_followed_over_time(sets) -> None:
    native = make_helix()
    x = np.repeat(native[None], 100, axis=0)
    x[50:] *= 3.0
    x[90:] = np.nan
    frames, beads = sets.make_frames(x), sets.chain(8, native=native)
    found = native_contacts.Metric().compare(
        sets.compare(sets.make_frames(x[:60]), frames, beads)
    )
    time, course = found.arrays["time_ps"], found.arrays["course"]
    assert (course[time <= 50] > 0.99).all()
    assert (course[time > 52] < 0.01).all()
    assert time.max() <= 90


def test_without_a_native_or_its_contacts_there_is_no_number(sets) -> None:
    line = np.zeros((8, 3))
    line[:, 0] = 5.0 * np.arange(8)
    metric = native_contacts.Metric()
    assert "no native" in metric.undefined(sets.chain(8))
    assert "no contacts" in metric.undefined(sets.chain(8, native=line))
    assert "no native" in folded.Metric().undefined(sets.chain(8))


def mixture(n_folded, n_unfolded):
    native = make_helix()
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [np.repeat(one[None], n, axis=0)
         for one, n in ((native, n_folded), (3 * native, n_unfolded))]
    )  # fmt: skip
    return x + 0.05 * rng.normal(size=x.shape)


@pytest.mark.random_outcome
def test_fraction_folded_and_its_free_energy_are_weighted(sets, margin) -> None:
    """30 of 40 frames are folded; with a third of the weight each they are half."""
    kt = thermal_energy(300.0)
    x = mixture(300, 100)
    weight = np.where(np.arange(400) < 300, 1.0, 3.0)
    order = np.random.default_rng(2).permutation(400)
    beads = sets.chain(8, native=make_helix(), temperature_kelvin=300.0)
    reference = sets.make_frames(x[order], weight[order])
    model = sets.make_frames(x[order])
    found = folded.Metric().compare(sets.compare(reference, model, beads))
    assert found.details["reference_fraction"] == pytest.approx(0.5)
    assert found.details["model_fraction"] == pytest.approx(0.75)
    assert found.figures["fraction"].value == pytest.approx(0.25)
    assert found.details["reference_delta_g"] == pytest.approx(0.0, abs=1e-9)
    assert found.details["model_delta_g"] == pytest.approx(-kt * np.log(3), rel=0.01)
    delta = found.figures["delta_g"]
    assert delta.unit == "kcal/mol"
    assert delta.value == pytest.approx(kt * np.log(3), rel=0.01)
    margin("low", delta.low, below=kt * np.log(3))
    margin("high", delta.high, above=kt * np.log(3))


@pytest.mark.random_outcome
def test_the_interval_of_the_fraction_covers_the_truth(sets, margin) -> None:
    """95 % intervals of |p - q| over repeated samples of independent frames."""
    rng = np.random.default_rng(3)
    beads = sets.chain(8, native=make_helix(), folded_angstrom=2.0)
    native = make_helix()
    inside = 0
    for _ in range(400):
        reference = sets.make_frames(
            np.where(rng.random(400)[:, None, None] < 0.5, native, 3 * native)
        )
        x = np.where(rng.random(400)[:, None, None] < 0.75, native, 3 * native)
        found = folded.Metric().compare(
            sets.compare(reference, sets.make_frames(x), beads, n_bootstrap=100)
        )
        one = found.figures["fraction"]
        inside += one.low <= 0.25 <= one.high
    margin("inside", inside / 400, above=0.85)


def test_never_folding_gives_no_free_energy(sets) -> None:
    beads = sets.chain(8, native=make_helix())
    both = sets.make_frames(mixture(50, 50))
    never = sets.make_frames(mixture(0, 100))
    found = folded.Metric().compare(sets.compare(both, never, beads))
    assert "delta_g" not in found.figures
    assert found.details["delta_g_undefined"] == "the model is never folded"
    assert found.details["delta_g_unit"] == "kT"
    assert found.figures["fraction"].value == pytest.approx(0.5)


def test_the_folded_state_is_as_wide_as_asked(sets) -> None:
    native = make_helix()
    size = np.sqrt(((native - native.mean(0)) ** 2).sum(-1).mean())
    assert folded.folding_limit(sets.chain(8, native=native)) == pytest.approx(size / 2)
    assert folded.folding_limit(sets.chain(8, native=9 * native)) == 4.0
    asked = sets.chain(8, native=native, folded_angstrom=1.5)
    assert folded.folding_limit(asked) == 1.5


def test_chirality_of_a_dihedral_is_its_sine(sets) -> None:
    phi = np.radians([-170.0, -60.0, 0.0, 35.0, 90.0])
    x = np.zeros((5, 4, 3))
    x[:, 0, 0] = 1
    x[:, 2:, 2] = 1
    x[:, 3, 0], x[:, 3, 1] = np.cos(phi), np.sin(phi)
    values = observe_all(chirality.Metric(), x, sets.chain(4))
    np.testing.assert_allclose(values[:, 0], np.sin(phi), atol=1e-12)


def test_a_mirror_image_is_told_though_all_distances_agree(sets) -> None:
    rng = np.random.default_rng(4)
    x = make_helix() + 0.1 * rng.normal(size=(400, 8, 3))
    frames, mirror = sets.make_frames(x), sets.make_frames(x * [1, 1, -1])
    found = chirality.Metric().compare(sets.compare(frames, mirror, sets.chain(8)))
    assert found.figures["handedness"].value == pytest.approx(1.0)
    assert found.figures["kl"].value > 1
    np.testing.assert_allclose(found.arrays["reference_positive"], 1.0)
    np.testing.assert_allclose(found.arrays["model_positive"], 0.0)
    assert chirality.Metric().undefined(sets.chain(3)) is not None


def test_l_residues_have_one_sign_at_their_centres(sets) -> None:
    # L-alanine (ideal geometry), N, CA, C, CB; seen from H: CO, R, N clockwise
    residue = np.array(
        [[1.46, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.55, 1.42, 0.0], [-0.52, -0.77, -1.21]]
    )
    centres = chirality.list_centres(["N", "CA", "C", "CB"], [(0, 1)] * 4)
    assert centres.tolist() == [[1, 0, 2, 3]]
    beads = sets.chain(4, centres=centres)
    both = np.stack([residue, residue * [1, 1, -1]])
    values = observe_all(chirality.Metric(), both, beads)[:, 0]
    assert values[0] == pytest.approx(-values[1])
    assert abs(values[0]) > 0.5
    # glycine, and a residue of C-alpha alone, have no centre
    residues = [(0, 1), (0, 1), (0, 1), (0, 2)]
    assert len(chirality.list_centres(["N", "CA", "C", "CA"], residues)) == 0


def test_strained_bonds_are_counted_by_weight_and_time(sets) -> None:
    rng = np.random.default_rng(5)
    x = np.zeros((1000, 3, 3))
    x[:, 1, 0] = 3.8 + 0.05 * rng.normal(size=1000)
    x[:, 2, 0] = x[:, 1, 0] + 3.8 + 0.05 * rng.normal(size=1000)
    reference = sets.make_frames(x)
    strained = x.copy()
    strained[600:, 2, 0] += 0.5  # ten standard deviations, not yet broken
    weight = np.where(np.arange(1000) < 600, 1.0, 3.0)
    model = sets.make_frames(strained, weight)
    found = stability.Metric().compare(sets.compare(reference, model, sets.chain(3)))
    expected = 0.5 * 1200 / 1800  # one of two bonds
    assert found.figures["bond_violations"].value == pytest.approx(expected)
    assert found.figures["bond_violations"].floor < 1e-3
    assert found.figures["broken"].value == 0
    time = found.arrays["violations_time_ps"]
    course = found.arrays["bond_violations"]
    assert (course[time <= 600] == 0).all()
    assert (course[time > 620] == 0.5).all()
