"""Tests whose outcome is random: other seeds for them, and how far off they end.

``--other-seeds 1-20`` runs them, and no others, once for each of these numbers, which
gives every generator of this process another seed, those of the tests as those of
weft. tests/repeat_random.py prints what comes of it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MARK = "random_outcome"
OTHER = 1_000_003
"""Apart by more than the seeds that one test counts up."""
Margin = Callable[..., None]
_now = {"number": 0}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("random outcomes")
    group.addoption(
        "--other-seeds", type=read_numbers, default=[], metavar="FIRST-LAST",
        help="repeat the tests of a random outcome, and no others, with other seeds",
    )  # fmt: skip
    group.addoption(
        "--margins", type=Path, metavar="FILE",
        help="add a line of JSON for each bound; a bound that is passed fails nothing",
    )  # fmt: skip


def read_numbers(words: str) -> list[int]:
    first, _, last = words.partition("-")
    return list(range(int(first), int(last or first) + 1))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARK}: asserts on what is drawn, learnt or chaotic"
    )
    if config.getoption("--other-seeds"):
        listen_for_other_seeds()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    numbers = metafunc.config.getoption("--other-seeds")
    if numbers and metafunc.definition.get_closest_marker(MARK):
        metafunc.fixturenames.append("other_seed")
        metafunc.parametrize("other_seed", numbers, indirect=True, scope="session")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--other-seeds"):
        items[:] = [i for i in items if i.get_closest_marker(MARK)]


@pytest.fixture(scope="session")
def other_seed(request: pytest.FixtureRequest) -> Iterator[int]:
    """Change all seeds meanwhile; give what a seed handed to a propagator needs added.

    A fixture of a module that makes something random for marked tests asks for it too.
    """
    _now["number"] = getattr(request, "param", 0)
    yield OTHER * _now["number"]
    _now["number"] = 0


@pytest.fixture(autouse=True)
def _with_other_seeds(request: pytest.FixtureRequest) -> None:
    """Change the seeds of a marked test that does not ask for the number itself."""
    if request.config.getoption("--other-seeds"):
        request.getfixturevalue("other_seed")


def listen_for_other_seeds() -> None:
    """Let every seed mean another while there is a number, here and in weft."""
    import torch

    from apps.science import seeds

    derive, draw, seed_torch = (
        seeds.derive_seed, np.random.default_rng, torch.manual_seed,
    )  # fmt: skip

    def derive_other(campaign_seed: int, purpose: str, *counters: int) -> int:
        more = [_now["number"]] if _now["number"] else []
        return derive(campaign_seed, purpose, *counters, *more)

    def draw_other(seed: Any = None) -> np.random.Generator:
        whole = isinstance(seed, int | np.integer) and _now["number"]
        return draw([_now["number"], int(seed)] if whole else seed)

    def seed_torch_other(seed: int) -> Any:
        return seed_torch(seed + _now["number"] * OTHER)

    for module in list(sys.modules.values()):
        if getattr(module, "derive_seed", None) is derive:
            module.derive_seed = derive_other  # type: ignore[attr-defined]
    np.random.default_rng = draw_other
    torch.manual_seed = seed_torch_other


@pytest.fixture
def margin(request: pytest.FixtureRequest) -> Margin:
    """Return what checks a random number against its bounds, and notes both."""
    path: Path | None = request.config.getoption("--margins")

    def check(
        name: str, value: Any, above: float = -np.inf, below: float = np.inf,
        near: float | None = None, within: float = np.inf,
    ) -> None:  # fmt: skip
        found = float(value)
        if near is not None:
            above, below = near - within, near + within
        if path is None:
            assert above < found < below, name
            return
        line = {
            "test": name_case(request.node), "name": name, "value": found,
            "above": float(above), "below": float(below), "seeds": _now["number"],
        }  # fmt: skip
        with path.open("a") as lines:
            lines.write(json.dumps(line) + os.linesep)

    return check


def name_case(item: pytest.Item) -> str:
    """Return a test and its parameters, but for seeds."""
    test = item.nodeid.split("[")[0]
    given = getattr(item, "callspec", None)
    params = given.params.items() if given else ()
    chosen = [str(getattr(v, "__name__", v)) for k, v in params if "seed" not in k]
    return f"{test}[{', '.join(chosen)}]" if chosen else test
