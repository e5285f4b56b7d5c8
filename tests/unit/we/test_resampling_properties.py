"""Whatever the walkers: resampling keeps all weight and invents no parent."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.random import MT19937, Generator
from westpa.core.segment import Segment
from westpa.core.states import InitialState, TargetState

from apps.science.we import engine, ordered
from apps.science.we.binning import targets
from apps.science.we.config import WEConfig
from apps.science.we.spec import PropagationSpec

CONFIGS = {
    "grid": {"bins": {"kind": "rectilinear", "edges": [[-1.0, 0.0, 1.0]]}},
    "mab": {"bins": {"kind": "mab", "nbins": [4]}},
    "thresholds": {
        "bins": {"kind": "rectilinear", "edges": [[0.0]]},
        "largest_allowed_weight": 0.2,
        "smallest_allowed_weight": 1e-20,
    },
    "grid and target": {
        "bins": {"kind": "rectilinear", "edges": [[-1.0, 0.0, 1.0]]},
        "targets": [{"region": [[1.5, None]]}],
    },
    "mab and target": {
        "bins": {"kind": "mab", "nbins": [4]},
        "targets": [{"region": [[1.5, None]]}],
    },
}

Walkers = list[tuple[float, float, float]]
WALKERS = st.lists(
    st.tuples(st.floats(-1.45, 1.45), st.floats(-2.0, 2.0), st.floats(-50.0, 0.0)),
    min_size=1,
    max_size=25,
)


@pytest.fixture(params=CONFIGS, scope="module")
def setting(request, tmp_path_factory):
    """A WESTPA driver made from one config's west.cfg, and that config."""
    folder: Path = tmp_path_factory.mktemp("we")
    config = WEConfig(n_iterations=1, walkers_per_bin=4, **CONFIGS[request.param])
    toy = {"kind": "toy", "n_steps": 1, "n_steps_per_frame": 1}
    engine.prepare_folder(
        folder, config, PropagationSpec(1, toy, {"kind": "cartesian"}, "none"), 1
    )
    rc = engine._load_westpa(folder)
    yield config, rc.get_we_driver(), rc.get_system_driver()
    rc.status_stream.close()


def resample(setting, walkers: Walkers, seed: int) -> tuple[list[Segment], list[float]]:
    """Return the walkers of the next iteration and the weights they come from."""
    config, driver, system = setting
    driver.system = system
    ordered.restart_order()
    driver.rng = Generator(MT19937(seed))
    states = [
        TargetState(t.label, targets.representative(t), i)
        for i, t in enumerate(config.targets)
    ]
    driver.new_iteration(target_states=states)
    weights = 10.0 ** np.array([w for _, _, w in walkers])
    weights /= weights.sum()
    segments = []
    for i, ((start, end, _), weight) in enumerate(zip(walkers, weights, strict=True)):
        segment = Segment(
            n_iter=1, seg_id=i, parent_id=i, weight=float(weight),
            pcoord=np.array([[start], [end]]),
        )  # fmt: skip
        segments.append(segment)
    segments = list(ordered.order_by_seg_id(segments).values())
    n_needed = driver.assign(segments)
    driver.avail_initial_states = {
        i: InitialState(i, 0, 1, pcoord=np.array([-1.0]))
        for i in range(max(0, n_needed))
    }
    driver.construct_next()
    return list(driver.next_iter_segments), [float(w) for w in weights]


@settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(walkers=WALKERS, seed=st.integers(0, 2**31))
def test_no_weight_is_lost_and_every_parent_exists(setting, walkers, seed) -> None:
    config, driver, _ = setting
    after, weights = resample(setting, walkers, seed)
    assert sum(s.weight for s in after) == pytest.approx(1.0, abs=1e-10)
    assert min(s.weight for s in after) > 0
    n_recycled = len(driver.new_weights)
    for segment in after:
        assert -n_recycled <= segment.parent_id < len(weights)
        start = segment.pcoord[0, 0]
        if segment.parent_id >= 0:
            assert start == walkers[segment.parent_id][1]
        else:
            assert start == -1.0
    arrived = [
        w
        for w, (_, end, _) in zip(weights, walkers, strict=True)
        if any(targets.holds(config, t, [end]) for t in config.targets)
    ]
    assert n_recycled == len(arrived)
    recycled = sum(entry.weight for entry in driver.new_weights)
    assert recycled == pytest.approx(sum(arrived), rel=1e-12)


@settings(
    max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(walkers=WALKERS, seed=st.integers(0, 2**31))
def test_the_same_seed_resamples_to_the_same_bits(setting, walkers, seed) -> None:
    first, again = (
        [(s.parent_id, s.weight) for s in resample(setting, walkers, seed)[0]]
        for _ in range(2)
    )
    assert first == again


@settings(
    max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(walkers=WALKERS, seed=st.integers(0, 2**31))
def test_no_walker_outweighs_the_largest_allowed(setting, walkers, seed) -> None:
    config, _, _ = setting
    after, _ = resample(setting, walkers, seed)
    largest = config.largest_allowed_weight
    assert max(s.weight for s in after) <= largest * (1 + 1e-12)
