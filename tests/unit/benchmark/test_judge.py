"""The whole benchmark on small sets."""

import itertools
import json

import numpy as np
import pytest

from apps.science.benchmark.judge import (
    METRICS,
    SCHEMA,
    drop_burn_in,
    make_beads,
    run_benchmark,
    slowest_values,
)
from apps.science.errors import NumericalError, ShapeMismatchError
from apps.science.metrics.conformations import tic0
from apps.science.metrics.conformations._blocks import join_correlated
from apps.science.metrics.conformations.base import Comparison, WeightedSet
from apps.science.pcoords._tica_model import TicaModel
from apps.science.plugins import list_kinds
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames

N_BEADS = 5
UNDEFINED = {
    "rmsd": "no native structure is given",
    "native_contacts": "no native structure is given",
    "folded": "no native structure is given",
    "timescales": "the reference has one basin only",
    "passage": "the model's run has no target",
}
"""Here: a reference without a fold, of independent frames around one shape."""


def make_tica():
    pairs = np.array([[0, 3], [0, 4], [1, 4]])
    return TicaModel(
        features="distances", indices=pairs, n_beads=N_BEADS, mean=np.full(3, 8.0),
        components=np.eye(3)[:, :2], eigenvalues=np.array([0.9, 0.5]),
        timescales_ps=np.array([10.0, 2.0]), lag_ps=1.0,
    )  # fmt: skip


def chains(n_frames, seed, bend=0.0):
    """Return chains with bonds near 3.8 that straighten with ``bend``."""
    rng = np.random.default_rng(seed)
    steps = rng.normal([bend, 0, 0], 1.0, size=(n_frames, N_BEADS - 1, 3))
    steps *= 3.8 / np.linalg.norm(steps, axis=-1, keepdims=True)
    steps *= 1 + 0.02 * rng.normal(size=(n_frames, N_BEADS - 1, 1))
    start = np.zeros((n_frames, 1, 3))
    return np.concatenate([start, np.cumsum(steps, axis=1)], axis=1)


def as_set(positions, weight=None):
    n = len(positions)
    return WeightedFrames(
        positions=positions.astype(np.float32),
        weight=np.ones(n) if weight is None else weight,
        lineage=np.arange(n) // (n // 20),
        trajectory=np.arange(n) // (n // 20),
        time_ps=np.arange(1.0, n + 1),
    )


@pytest.fixture
def bench(tmp_path, calpha_chain):
    calpha_chain(N_BEADS).write(tmp_path / "mapping.json")
    make_tica().write(tmp_path / "tica.npz")
    as_set(chains(3000, 1)).write(tmp_path / "reference.h5")

    def run(model, **options):
        model.write(tmp_path / "model.h5")
        given = {"n_bootstrap": 20, "seed": 3} | options
        run_benchmark(
            tmp_path / "reference.h5", tmp_path / "model.h5",
            tmp_path / "mapping.json", given.pop("tica", tmp_path / "tica.npz"),
            tmp_path / "metrics.json", tmp_path / "densities.npz", **given,
        )  # fmt: skip

        def refuse(text):
            raise AssertionError(f"{text} is not JSON")

        text = (tmp_path / "metrics.json").read_text()
        return json.loads(text, parse_constant=refuse)

    run.folder = tmp_path
    return run


@pytest.mark.random_outcome
def test_every_metric_is_reported_with_intervals_and_floor(bench, margin) -> None:
    found = bench(as_set(chains(2000, 2, bend=1.0)))
    assert found["schema"] == SCHEMA
    assert set(found["metrics"]) == set(list_kinds(METRICS))
    for name, metric in found["metrics"].items():
        assert metric["defined"] == (name not in UNDEFINED)
        assert bool(metric["figures"]) == metric["defined"]
        for figure in metric["figures"].values():
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert figure["floor"] is not None
    ratios = []
    for name in ("tic0", "gyration", "end_to_end", "angles"):
        kl = found["metrics"][name]["figures"]["kl"]
        ratios.append(kl["value"] / kl["floor"])
    # together, since a floor of 20 halves may be low by chance
    margin("mean of log(kl / floor)", np.mean(np.log(ratios)), above=np.log(3))
    for name, reason in UNDEFINED.items():
        assert reason in found["metrics"][name]["reason"]
    assert len(found["reference_sha256"]) == 64


def test_the_densities_are_masses_on_shared_bins(bench) -> None:
    bench(as_set(chains(1000, 2)))
    with np.load(bench.folder / "densities.npz") as arrays:
        for name in ("tic0", "bonds", "dihedrals", "gyration"):
            assert arrays[f"{name}/edges"].shape == (101,)
            for side in ("reference", "model"):
                masses = arrays[f"{name}/{side}"]
                assert masses.shape == (102,)
                assert masses.sum() == pytest.approx(1)
        assert arrays["tica2d/model"].shape == (50, 50)
        assert arrays["contacts/model_contact"].shape == (N_BEADS, N_BEADS)
        assert arrays["stability/intact"].shape == arrays["stability/time_ps"].shape


def test_the_same_seed_writes_the_same_file(bench) -> None:
    model = as_set(chains(1000, 2))
    assert bench(model) == bench(model)
    kl = [bench(model, seed=s)["metrics"]["bonds"]["figures"]["kl"] for s in (3, 4)]
    assert kl[0]["value"] == kl[1]["value"]
    assert kl[0]["high"] != kl[1]["high"]


@pytest.mark.random_outcome
def test_a_model_like_the_reference_scores_near_the_floor(bench, margin) -> None:
    """The mean over models: one of them may be far off by chance."""
    judged = [bench(as_set(chains(3000, s)))["metrics"] for s in (9, 10, 11, 12)]
    for name in ("tic0", "tic1", "gyration", "end_to_end", "contacts"):
        for kind in {"kl", "w1", "difference"} & set(judged[0][name]["figures"]):
            figures = [metrics[name]["figures"][kind] for metrics in judged]
            ratio = np.mean([figure["value"] / figure["floor"] for figure in figures])
            margin(f"{name}: {kind} / floor", ratio, below=2.5)


@pytest.mark.random_outcome
def test_weights_of_the_model_reach_every_metric(bench, margin) -> None:
    """Half the frames are of another ensemble, with weight zero."""
    x = np.concatenate([chains(6000, 9), chains(6000, 10, bend=2.0)])
    order = np.random.default_rng(0).permutation(12000)
    weight = np.repeat([1.0, 0.0], 6000)
    weighted = bench(as_set(x[order], weight[order]))["metrics"]
    ignored = bench(as_set(x[order]))["metrics"]
    for name in ("tic0", "tica2d", "gyration", "end_to_end", "angles", "contacts"):
        for kind, figure in ignored[name]["figures"].items():
            ratio = weighted[name]["figures"][kind]["value"] / figure["value"]
            margin(f"{name}: {kind} / ignored", ratio, below=0.8)


@pytest.mark.random_outcome
def test_broken_frames_are_counted_once_and_judged_nowhere_else(bench, margin) -> None:
    x = chains(1000, 2)
    x[900:] = np.nan
    found = bench(as_set(x))
    assert found["sets"]["model"]["n_frames"] == 1000
    assert found["sets"]["model"]["n_finite_frames"] == 900
    stability = found["metrics"]["stability"]
    assert stability["figures"]["broken"]["value"] == pytest.approx(0.1)
    assert stability["details"]["causes"]["not finite"] == pytest.approx(0.1)
    kl = found["metrics"]["bonds"]["figures"]["kl"]["value"]
    margin("bonds: kl", kl, below=0.1)


def test_a_reference_with_one_basin_is_warned_of(bench) -> None:
    found = bench(as_set(chains(400, 2)))
    assert found["sets"]["reference"]["basins"] == [1, 1]
    assert "one basin" in found["warnings"][0]


def test_a_reference_that_never_crosses_is_warned_of(bench) -> None:
    """Half of the walks are in one basin, half in the other, and none leaves."""
    x = np.concatenate([chains(1500, 1, bend=9.0), chains(1500, 2, bend=9.0) * 0.3])
    reference = as_set(x)
    reference.write(bench.folder / "reference.h5")
    found = bench(as_set(chains(400, 2)))
    assert found["sets"]["reference"]["basins"][0] == 2
    assert "never changes basin" in found["warnings"][0]


def test_the_temperature_gives_the_free_energy_its_unit(bench) -> None:
    np.save(bench.folder / "native.npy", chains(1, 40, bend=9.0)[0])
    options = {"native": bench.folder / "native.npy", "folded_angstrom": 3.0}
    kt = bench(as_set(chains(400, 2)), **options)["metrics"]["folded"]
    kcal = bench(as_set(chains(400, 2)), temperature_kelvin=300.0, **options)
    kcal = kcal["metrics"]["folded"]
    assert kt["figures"]["delta_g"]["unit"] == "kT"
    assert kcal["figures"]["delta_g"]["unit"] == "kcal/mol"
    ratio = kcal["details"]["model_delta_g"] / kt["details"]["model_delta_g"]
    assert ratio == pytest.approx(0.5962, abs=1e-4)


@pytest.mark.random_outcome
def test_burn_in_is_left_out_of_all_but_stability(bench, margin) -> None:
    x = np.concatenate([chains(500, 2, bend=3.0), chains(1500, 9)])
    x[:10] = np.nan
    cut = bench(as_set(x), burn_in_fraction=0.25)
    whole = bench(as_set(x))
    kl = [r["metrics"]["end_to_end"]["figures"]["kl"]["value"] for r in (cut, whole)]
    margin("kl / whole", kl[0] / kl[1], below=0.5)
    assert cut["metrics"]["stability"]["figures"]["broken"]["value"] == pytest.approx(
        10 / 2000
    )


def test_without_tica_its_metrics_say_so(bench) -> None:
    found = bench(as_set(chains(400, 2)), tica=None)["metrics"]
    for name in ("tic0", "tic1", "tica2d"):
        assert not found[name]["defined"]
        assert found[name]["reason"] == "no TICA model is given"


def test_a_native_structure_defines_the_rmsd(bench) -> None:
    native = chains(1, 40)[0]
    np.save(bench.folder / "native.npy", native)
    found = bench(as_set(chains(400, 2)), native=bench.folder / "native.npy")
    assert found["metrics"]["rmsd"]["defined"]
    assert found["metrics"]["rmsd"]["details"]["reference_mean"] > 0


def test_wrong_beads_and_ruined_models_are_refused(bench) -> None:
    other = as_set(chains(400, 2)[:, :4])
    with pytest.raises(ShapeMismatchError, match="mapping has 5 beads"):
        bench(other)
    as_set(np.full((400, N_BEADS, 3), np.nan)).write(bench.folder / "reference.h5")
    with pytest.raises(NumericalError, match="No frame of the reference"):
        bench(as_set(chains(400, 2)))


def test_a_model_that_ran_away_at_once_is_judged_as_that(bench) -> None:
    found = bench(as_set(np.full((400, N_BEADS, 3), np.nan)))
    metrics = found["metrics"]
    assert metrics["stability"]["defined"], metrics["stability"]["reason"]
    assert {name for name, one in metrics.items() if one["defined"]} == {"stability"}
    assert metrics["stability"]["figures"]["broken"]["value"] == 1.0
    assert "ran away at once" in metrics["gyration"]["reason"]
    assert found["sets"]["model"]["n_finite_frames"] == 0
    assert "ran away: 100% of its weight" in found["model_warnings"][0]


def ran_away_late() -> np.ndarray:
    frames = chains(400, 2)
    frames[40:] = np.nan
    return frames


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (np.repeat(chains(1, 2), 400, axis=0), "it is frozen"),
        (np.zeros((400, N_BEADS, 3)), "it is frozen"),
        (ran_away_late(), "ran away: 90% of its weight"),
        (1e6 * chains(400, 2), ""),
    ],
)
def test_odd_trajectories_are_judged_to_the_end(bench, frames, said) -> None:
    found = bench(as_set(frames))
    assert set(found["metrics"]) == set(list_kinds(METRICS))
    assert found["metrics"]["stability"]["figures"]["broken"]["value"] >= 0
    warnings = found["model_warnings"]
    assert [w for w in warnings if said in w] if said else not warnings


def test_a_reference_that_lies_upon_itself_leaves_metrics_undefined(bench) -> None:
    frames = chains(400, 2)
    frames[:, 1] = frames[:, 0]
    as_set(frames).write(bench.folder / "reference.h5")
    found = bench(as_set(chains(400, 2)))
    assert "cannot be computed" in found["metrics"]["chirality"]["reason"]
    assert found["metrics"]["gyration"]["defined"]


def test_burn_in_follows_time_not_file_order() -> None:
    frames = as_set(chains(100, 1))
    order = np.random.default_rng(0).permutation(100)
    mixed = WeightedFrames(**{k: v[order] for k, v in vars(frames).items()})
    assert set(drop_burn_in(mixed, 0.2).time_ps) == set(range(21, 101))


def test_stretches_shorter_than_the_memory_are_joined() -> None:
    """A slow wave over 40 blocks: neighbours correlate until few are left."""
    n = 4000
    frames = WeightedFrames(
        np.zeros((n, 3, 3), "f4"), np.ones(n), np.arange(n) // 100, np.zeros(n, int),
        np.arange(1.0, n + 1),
    )  # fmt: skip
    one = WeightedSet.from_frames(frames)
    assert one.n_blocks == 40
    rng = np.random.default_rng(0)
    fast = join_correlated(one, rng.normal(size=n))
    assert fast.n_blocks >= 20
    slow = join_correlated(one, np.sin(np.arange(n) * 2 * np.pi / 1000))
    assert slow.n_blocks == 10
    for block in range(10):
        assert np.ptp(frames.time_ps[slow.block == block]) == 399
    # what is no stretch of one trajectory stays as it is
    ensemble = WeightedFrames(**{**vars(frames), "trajectory": np.arange(n) % 7})
    same = join_correlated(WeightedSet.from_frames(ensemble), np.arange(float(n)))
    assert same.n_blocks == 40


@pytest.mark.random_outcome
def test_the_floor_of_a_slow_reference_is_not_too_low(calpha_chain, margin) -> None:
    """Two equal samples of a slow process are as far apart as the floor says.

    With blocks of a quarter of its memory they are twice as far.
    """
    beads = make_beads(calpha_chain(N_BEADS), make_tica(), None)

    def slow_set(seed):
        rng = np.random.default_rng(seed)
        sides = np.repeat(rng.random(40) < 0.5, 100)[:, None, None]
        frames = as_set(np.where(sides, chains(4000, seed, 9.0), chains(4000, seed)))
        columns = vars(frames) | {
            "lineage": np.arange(4000) // 25,
            "trajectory": np.zeros(4000, int),
        }
        one = WeightedSet.from_frames(WeightedFrames(**columns))
        return one, join_correlated(one, slowest_values(one.positions, beads))

    whole = [slow_set(seed) for seed in range(1, 49)]
    assert whole[0][0].n_blocks == 160
    assert np.median([joined.n_blocks for _, joined in whole]) <= 40
    far: dict[str, list[float]] = {"short": [], "joined": []}
    for k, name in enumerate(far):
        for pair, other_pair in itertools.pairwise(whole):
            reference, other = pair[k], other_pair[k]
            plan = plan_resampling(reference.n_blocks, other.n_blocks, 20, 1)
            found = tic0.Metric().compare(
                Comparison(reference, other, plan, other, plan, beads)
            )
            w1 = found.figures["w1"]
            far[name].append(w1.value / w1.floor)
    # of halves that lie sqrt(2) further apart: 0.7, twice that with short blocks
    margin("joined: value / floor", np.mean(far["joined"]), below=1.3)
    further = np.mean(far["short"]) / np.mean(far["joined"])
    margin("short / joined", further, above=1.4)
