"""The whole benchmark on small sets, and the pooling of a WE run into a set."""

import itertools
import json

import h5py
import numpy as np
import pytest

from apps.science.benchmark import (
    SCHEMA,
    drop_burn_in,
    make_beads,
    run_benchmark,
    slowest_values,
)
from apps.science.cg.mapping import AtomGroup, Mapping
from apps.science.errors import DataError, NumericalError, ShapeMismatchError
from apps.science.metrics import tic0
from apps.science.metrics._blocks import join_correlated
from apps.science.metrics.base import Comparison, WeightedSet
from apps.science.model_run import (
    choose_lineage,
    model_frames,
    read_passage,
    read_temperature,
)
from apps.science.pcoords._tica_model import TicaModel
from apps.science.plugins import list_kinds
from apps.science.propagators.base import States
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import create_store
from apps.science.we.config import WEConfig
from apps.science.we.kinetics import read_flux

N_BEADS = 5
UNDEFINED = {
    "rmsd": "no native structure is given",
    "native_contacts": "no native structure is given",
    "folded": "no native structure is given",
    "timescales": "the reference has one basin only",
    "passage": "the model's run has no target",
}
"""Here: a reference without a fold, of independent frames around one shape."""


def make_mapping(n_beads):
    one = [AtomGroup(atoms=[b], coefficients=[1.0]) for b in range(n_beads)]
    index = range(n_beads)
    return Mapping(
        kind="calpha", force_map="slice", n_atoms=n_beads,
        names=["CA"] * n_beads, types=["CAA"] * n_beads, resnames=["ALA"] * n_beads,
        resids=list(index), chains=[0] * n_beads, embeddings=[1] * n_beads,
        masses_amu=[12.0] * n_beads, coordinate_groups=one, force_groups=one,
        bonds=list(itertools.pairwise(index)),
        angles=list(zip(index, index[1:], index[2:], strict=False)),
        dihedrals=list(zip(index, index[1:], index[2:], index[3:], strict=False)),
    )  # fmt: skip


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
def bench(tmp_path):
    make_mapping(N_BEADS).write(tmp_path / "mapping.json")
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


def test_every_metric_is_reported_with_intervals_and_floor(bench) -> None:
    found = bench(as_set(chains(2000, 2, bend=1.0)))
    assert found["schema"] == SCHEMA
    assert set(found["metrics"]) == set(list_kinds("apps.science.metrics"))
    for name, metric in found["metrics"].items():
        assert metric["defined"] == (name not in UNDEFINED)
        assert bool(metric["figures"]) == metric["defined"]
        for figure in metric["figures"].values():
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert figure["floor"] is not None
    for name in ("tic0", "gyration", "end_to_end", "angles"):
        kl = found["metrics"][name]["figures"]["kl"]
        assert kl["value"] > 3 * kl["floor"]
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


def test_a_model_like_the_reference_scores_near_the_floor(bench) -> None:
    metrics = bench(as_set(chains(3000, 9)))["metrics"]
    for name in ("tic0", "tic1", "gyration", "end_to_end", "contacts"):
        for kind in {"kl", "w1", "difference"} & set(metrics[name]["figures"]):
            figure = metrics[name]["figures"][kind]
            assert figure["value"] < 2.5 * figure["floor"]


def test_weights_of_the_model_reach_every_metric(bench) -> None:
    """Half the frames are of another ensemble, with weight zero."""
    x = np.concatenate([chains(1500, 9), chains(1500, 10, bend=2.0)])
    order = np.random.default_rng(0).permutation(3000)
    weight = np.repeat([1.0, 0.0], 1500)
    weighted = bench(as_set(x[order], weight[order]))["metrics"]
    ignored = bench(as_set(x[order]))["metrics"]
    for name in ("tic0", "tica2d", "gyration", "end_to_end", "angles", "contacts"):
        for kind, figure in ignored[name]["figures"].items():
            assert weighted[name]["figures"][kind]["value"] < 0.8 * figure["value"]


def test_broken_frames_are_counted_once_and_judged_nowhere_else(bench) -> None:
    x = chains(1000, 2)
    x[900:] = np.nan
    found = bench(as_set(x))
    assert found["sets"]["model"]["n_frames"] == 1000
    assert found["sets"]["model"]["n_finite_frames"] == 900
    stability = found["metrics"]["stability"]
    assert stability["figures"]["broken"]["value"] == pytest.approx(0.1)
    assert stability["details"]["causes"]["not finite"] == pytest.approx(0.1)
    assert found["metrics"]["bonds"]["figures"]["kl"]["value"] < 0.1


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
    assert "changes basin 0 and 0 times" in found["warnings"][0]


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


def test_burn_in_is_left_out_of_all_but_stability(bench) -> None:
    x = np.concatenate([chains(500, 2, bend=3.0), chains(1500, 9)])
    x[:10] = np.nan
    cut = bench(as_set(x), burn_in_fraction=0.25)
    whole = bench(as_set(x))
    kl = [r["metrics"]["end_to_end"]["figures"]["kl"]["value"] for r in (cut, whole)]
    assert kl[0] < 0.5 * kl[1]
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
    with pytest.raises(NumericalError, match="No frame"):
        bench(as_set(np.full((400, N_BEADS, 3), np.nan)))


def test_burn_in_follows_time_not_file_order() -> None:
    frames = as_set(chains(100, 1))
    order = np.random.default_rng(0).permutation(100)
    mixed = WeightedFrames(**{k: v[order] for k, v in vars(frames).items()})
    assert set(drop_burn_in(mixed, 0.2).time_ps) == set(range(21, 101))


def write_run(path, n_iterations, n_roots, n_frames=3, n_alive=None):
    """Write a WE run of ``n_roots`` walkers; only ``n_alive`` ancestors survive."""
    create_store(path, N_BEADS)
    rows = n_iterations * n_roots * n_frames
    n_iter = np.repeat(np.arange(1, n_iterations + 1), n_roots * n_frames)
    seg_id = np.tile(np.repeat(np.arange(n_roots), n_frames), n_iterations)
    root = np.where(n_iter == 1, seg_id, seg_id % (n_alive or n_roots))
    columns = {
        "weight": np.tile(np.repeat(np.arange(1, n_roots + 1), n_frames), n_iterations)
        / (n_roots * (n_roots + 1) / 2),
        "n_iter": n_iter,
        "seg_id": seg_id,
        "frame": np.tile(np.arange(n_frames), n_iterations * n_roots),
        "parent": seg_id,
        "root": root,
    }
    with h5py.File(path, "r+") as h5:
        h5.attrs["last_iter"] = n_iterations
        for name in ("positions", "forces"):
            h5[name].resize(rows, axis=0)
        h5["positions"][:] = chains(rows, 3).astype(np.float32)
        for name, values in columns.items():
            h5[name].resize(rows, axis=0)
            h5[name][:] = values
    return path


def test_a_we_run_is_pooled_with_its_own_weights_and_times(tmp_path) -> None:
    segments = write_run(tmp_path / "segments.h5", 4, 20)
    frames = model_frames(segments, 3.0, 1.0)
    assert len(frames) == 4 * 20 * 3
    # every iteration holds weight one at each frame
    for time in range(1, 13):
        assert frames.weight[frames.time_ps == time].sum() == pytest.approx(1)
    # a segment's frames follow each other and share weight and root
    for one in np.unique(frames.trajectory):
        rows = frames.trajectory == one
        assert np.diff(frames.time_ps[rows]).tolist() == [1.0, 1.0]
        assert len(set(frames.weight[rows])) == len(set(frames.lineage[rows])) == 1
    assert len(np.unique(frames.lineage)) == 20


def test_a_segment_continues_its_parent_and_a_start_nothing(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "segments.h5", 4, 20), 3.0, 1.0)
    first = frames.time_ps <= 3.0
    assert (frames.continues[first] == -1).all()
    ends = dict(zip(frames.trajectory, frames.time_ps, strict=True))
    for row in np.flatnonzero(~first & (frames.time_ps % 3.0 == 1.0)):
        assert ends[frames.continues[row]] == frames.time_ps[row] - 1.0
    kept = model_frames(tmp_path / "segments.h5", 3.0, 1.0, 0.25)
    assert set(kept.trajectory) < set(frames.trajectory)


def test_what_arrives_at_a_target_is_read_from_the_run(tmp_path, run_walkers) -> None:
    """A free particle that is carried to the right, over a target at 1."""
    config = WEConfig.model_validate(
        {
            "n_iterations": 8, "walkers_per_bin": 4,
            "bins": {"kind": "rectilinear", "edges": [[0.0]]},
            "targets": [{"region": [(0.5, None)]}],
        }
    )  # fmt: skip
    toy = {
        "kind": "toy", "potential": "double_well", "barrier_kt": 0.5,
        "timestep_fs": 50.0, "n_steps": 40, "n_steps_per_frame": 40,
        "diffusion_angstrom2_per_ps": 1.0,
    }  # fmt: skip
    place = np.full((1, 1, 3), [[-1.0, 0.0, 0.0]])
    west = run_walkers(
        tmp_path / "we", config, toy, States(place, np.zeros_like(place))
    )

    class Cartesian:
        n_dim = 1

        def project(self, positions):
            return positions[:, 0, :1]

    passage = read_passage(tmp_path / "we", Cartesian(), 2.0, 0.25)
    flux = read_flux(west)
    assert flux.sum() > 0
    np.testing.assert_array_equal(passage.flux, flux[len(flux) // 4 :])
    assert passage.regions == (((0.5, np.inf),),)
    assert passage.starts.tolist() == [[-1.0]]
    assert read_temperature(tmp_path / "we") == toy.get("temperature_kelvin")
    assert read_passage(tmp_path, Cartesian(), 2.0, 0.0) is None


def test_burn_in_drops_whole_iterations(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "s.h5", 8, 20), 3.0, 1.0, 0.25)
    assert frames.time_ps.min() == 2 * 3.0 + 1.0
    assert frames.time_ps.max() == 8 * 3.0


def test_few_surviving_ancestors_make_way_for_blocks_of_iterations(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "s.h5", 40, 20, n_alive=2), 3.0, 1.0)
    assert len(np.unique(frames.lineage)) == 20
    for one in range(20):
        times = frames.time_ps[frames.lineage == one]
        assert np.ptp(times) < 2 * 3.0


def test_roots_count_by_weight_not_by_number() -> None:
    root = np.arange(30)
    n_iter = np.ones(30, dtype=int)
    weight = np.full(30, 1e-9)
    weight[0] = 1.0
    assert len(np.unique(choose_lineage(root, n_iter, weight))) == 1
    assert choose_lineage(root, n_iter, np.ones(30)) is root


def test_an_empty_run_is_named(tmp_path) -> None:
    create_store(tmp_path / "segments.h5", N_BEADS)
    with pytest.raises(DataError, match="is empty"):
        model_frames(tmp_path / "segments.h5", 3.0, 1.0)


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


def test_the_floor_of_a_slow_reference_is_not_too_low() -> None:
    """Two equal samples of a slow process lie within twice the floor of each other.

    With blocks of a quarter of its memory they would not.
    """
    beads = make_beads(make_mapping(N_BEADS), make_tica(), None)

    def slow_set(seed):
        rng = np.random.default_rng(seed)
        sides = np.repeat(rng.random(40) < 0.5, 100)[:, None, None]
        frames = as_set(np.where(sides, chains(4000, seed, 9.0), chains(4000, seed)))
        columns = vars(frames) | {
            "lineage": np.arange(4000) // 25, "trajectory": np.zeros(4000, int)
        }  # fmt: skip
        one = WeightedSet.from_frames(WeightedFrames(**columns))
        return one, join_correlated(one, slowest_values(one.positions, beads))

    whole = [slow_set(seed) for seed in range(1, 9)]
    assert whole[0][0].n_blocks == 160
    assert whole[0][1].n_blocks <= 40
    near = {"short": 0, "joined": 0}
    for k, name in enumerate(near):
        reference = whole[0][k]
        for other in (pair[k] for pair in whole[1:]):
            plan = plan_resampling(reference.n_blocks, other.n_blocks, 20, 1)
            found = tic0.Metric().compare(
                Comparison(reference, other, plan, other, plan, beads)
            )
            w1 = found.figures["w1"]
            near[name] += w1.value <= 2 * w1.floor
    assert near["joined"] >= 6
    assert near["joined"] > near["short"]
