"""How a run compares with what was expected of it as it began."""

from collections.abc import Sequence
from typing import Any

from apps.science.files import read_json
from campaign.declared import Stages, we_folder
from campaign.estimate.work import from_json
from campaign.layout.run_dir import RunDir
from campaign.watching.last_iteration import count_segments


def compare(
    paths: RunDir, declared: Stages, stages: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return, for the stages that have begun, what was expected and what is seen.

    Each has ``stage`` and ``expected_s`` or None; a WE stage also ``n_segments`` and
    ``n_bytes`` as they will be at the present pace, beside ``most_segments`` and
    ``most_bytes``.
    """
    kept = read_json(paths.estimate) or {}
    works = {work.stage: work for work in from_json(kept.get("work") or [])}
    expected = kept.get("expected_s") or {}
    found = []
    for stage in stages:
        work = works.get(stage["name"])
        if work is None or stage["state"] == "waiting":
            continue
        one: dict[str, Any] = {
            "stage": work.stage, "expected_s": expected.get(work.stage),
            "n_segments": None, "most_segments": None, "n_bytes": None,
            "most_bytes": work.n_bytes,
        }  # fmt: skip
        iteration = stage.get("iteration")
        folder = we_folder(paths, declared[work.stage])
        if work.unit == "segments" and iteration and folder is not None:
            n_iterations = work.amount / work.side_by_side
            share = iteration["n_iter"] / n_iterations
            one["n_segments"] = round(count_segments(folder) / share)
            one["most_segments"] = round(work.amount)
            one["n_bytes"] = round(work.n_bytes * one["n_segments"] / work.amount)
        found.append(one)
    return found
