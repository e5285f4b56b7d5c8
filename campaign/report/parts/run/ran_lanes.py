"""Worker slots: processes that took over from each other share a lane."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from apps.science.arrays import Array
from campaign.report.parts.run.ran_steps import Steps
from campaign.watching.timeline import Interval, Task, merge


@dataclass
class Lane:
    """One worker slot, in the driver's time.

    Attributes
    ----------
    lives : when a worker was there
    tasks : what it did
    """

    lives: list[Interval] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)


def make_lanes(tasks: Sequence[Task], noted: Steps) -> list[Lane]:
    """Return the slots of one pool, as many as there were workers at any time.

    Parameters
    ----------
    noted
        Workers that the driver noted. Before its first and after its last task only
        the number of workers is known, not which: they are shared out.
    """
    lanes = _pack(tasks, noted)
    _share_out(lanes, noted)
    return lanes


def _pack(tasks: Sequence[Task], noted: Steps) -> list[Lane]:
    """Return lanes in which processes live from their first task to their last.

    A process takes the first lane whose earlier ones are gone. One of a single task
    may be the command of a bash app, such as a training, whose worker waits for it: it
    goes where a lane has a gap, unless more workers were noted at that time.
    """
    processes: dict[str, list[Task]] = {}
    for task in sorted(tasks, key=lambda t: t.started):
        processes.setdefault(task.worker, []).append(task)
    lanes: list[Lane] = []
    for done in processes.values():
        life = (done[0].started, max(t.ended for t in done))
        alive = [x for x in lanes if x.lives[-1][1] > life[0]]
        lane = None
        if len(done) == 1 and len(alive) >= noted.at(np.array([life[0]]))[0]:
            lane = next((x for x in alive if _has_gap(x, life)), None)
        if lane is None:
            lane = next((x for x in lanes if x.lives[-1][1] <= life[0]), None)
            if lane is None:
                lanes.append(lane := Lane())
            lane.lives.append(life)
        lane.tasks += done
    return lanes


def _has_gap(lane: Lane, life: Interval) -> bool:
    return all(t.ended <= life[0] or t.started >= life[1] for t in lane.tasks)


def _share_out(lanes: list[Lane], noted: Steps) -> None:
    """Let as many workers live at every time as were noted."""
    ends = [end for lane in lanes for life in lane.lives for end in life]
    edges = np.union1d(noted.edges, ends)
    if len(edges) < 2:
        return
    wanted = np.rint(noted.at(edges[:-1])).astype(int)
    lanes += [Lane() for _ in range(max(0, wanted.max() - len(lanes)))]
    alive = np.array([_lives_in(lane, edges) for lane in lanes])
    before = np.zeros(len(lanes), dtype=bool)
    for k, n_wanted in enumerate(wanted):
        missing = n_wanted - alive[:, k].sum()
        if missing > 0:
            # first who was there just now, then who is about to have a task
            after = alive[:, k + 1] if k + 1 < len(wanted) else before
            order = np.lexsort((~after, ~before, alive[:, k]))
            alive[order[:missing], k] = True
        before = alive[:, k]
    for lane, lives in zip(lanes, alive, strict=True):
        there = np.flatnonzero(lives)
        lane.lives = merge((float(edges[k]), float(edges[k + 1])) for k in there)


def _lives_in(lane: Lane, edges: Array) -> Array:
    lives = np.zeros(len(edges) - 1, dtype=bool)
    for life in lane.lives:
        begin, end = np.searchsorted(edges, life)
        lives[begin:end] = True
    return lives
