"""The view that a person turns: its data are the structures, rounded."""

import json
import re
from pathlib import Path

import numpy as np

from campaign.report.parts.judged.courses import Yardstick
from campaign.report.parts.judged.structures import lay_flat, make_traces
from campaign.report.parts.judged.turning_view import (
    MAX_FRAMES,
    MAX_NUMBERS,
    count_frames,
    make_turning,
    place_along,
)

STAR = np.array([[0, 0, 0], [0, 2.4, 0], [3.8, 0, 0], [3.8, 0, 2.4], [7.6, 1, 0.0]])
"""Three C-alphas, the first two with a side bead."""
BONDS = np.array([[0, 1], [0, 2], [2, 3], [2, 4]])
LENGTHS = np.linalg.norm(STAR[BONDS[:, 0]] - STAR[BONDS[:, 1]], axis=1)


def read_view(page: str) -> dict:
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def side_bead_view(frames: np.ndarray) -> dict:
    traces = make_traces(frames, np.arange(len(frames)) * 1.0, STAR)
    yardstick = Yardstick(BONDS, LENGTHS, (1.0, 2.0, 3.0))
    turning = make_turning(
        {"reference": traces}, lay_flat(STAR), yardstick, [1, 1, 2, 2, 3],
        ("a <native> structure", STAR), lambda name: "#123456",
    )  # fmt: skip
    return json.loads(turning.data)


def test_bonds_are_as_long_in_the_page_as_in_the_frames(
    finished: tuple[Path, str],
) -> None:
    view = read_view(finished[1])
    assert [s["name"] for s in view["sets"]] == ["Reference", "Weighted", "Unweighted"]
    for one in view["sets"]:
        xyz = np.array([f["xyz"] for f in one["frames"]]).reshape(-1, 10, 3) / 100
        lengths = np.linalg.norm(np.diff(xyz, axis=1), axis=2)
        assert abs(float(lengths.mean()) - 3.82) < 0.02


def test_the_first_reference_frame_lies_on_the_grey_one(
    finished: tuple[Path, str],
) -> None:
    view = read_view(finished[1])
    first = view["sets"][0]["frames"][0]
    np.testing.assert_allclose(first["xyz"], view["native"], atol=1)
    assert first["label"].endswith("0.0 Å")


def test_rounding_and_turning_move_no_bead_by_more_than_a_hundredth() -> None:
    rng = np.random.default_rng(2)
    frames = STAR + rng.normal(size=(4, 5, 3))
    view = side_bead_view(frames)
    for frame, drawn in zip(frames, view["sets"][0]["frames"], strict=True):
        xyz = np.array(drawn["xyz"]).reshape(5, 3) / 100
        apart = [np.linalg.norm(b[:, None] - b[None], axis=2) for b in (frame, xyz)]
        np.testing.assert_allclose(apart[0], apart[1], atol=0.02)


def test_a_side_bead_has_the_colour_of_its_residue() -> None:
    assert place_along([1, 1, 2, 2, 3]) == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert place_along([7]) == [0.0]
    assert side_bead_view(STAR[None])["bonds"] == BONDS.tolist()


def test_a_structure_that_is_not_finite_has_no_coordinates() -> None:
    frames = np.stack([STAR, np.full_like(STAR, np.nan)])
    drawn = side_bead_view(frames)["sets"][0]["frames"]
    assert drawn[0]["xyz"] is not None
    assert drawn[1] == {"label": "1 ps  ·  not finite", "xyz": None}


def test_long_chains_are_shown_at_fewer_times() -> None:
    assert count_frames(10, 3) == MAX_FRAMES
    assert count_frames(224, 5) * 3 * 224 * 5 <= MAX_NUMBERS
