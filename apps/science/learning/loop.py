"""Train one model of any task, on one process or many, and resume exactly."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch

from apps.science.arrays import IntArray
from apps.science.errors import NumericalError
from apps.science.files import write_text
from apps.science.learning.config import Job
from apps.science.learning.ending import Stopped, describe_ending, write_ending
from apps.science.learning.plan import Plan
from apps.science.learning.planning import make_plan
from apps.science.learning.ranks import Ranks, join_ranks
from apps.science.learning.record import Row, write_metrics, write_progress
from apps.science.learning.state import TrainingState
from apps.science.learning.stop_signal import StopSignal
from apps.science.learning.task import Part, Task, load_task

_log = logging.getLogger(__name__)

_PROGRESS_SECONDS: Final = 1.0


def train(job: Job) -> bool:
    """Train until done or told to stop; return whether the model is finished.

    SIGTERM, a run asked to stop, and a batch job near its end let training leave
    after the running step with a checkpoint to go on from.

    Raises
    ------
    NumericalError
        If the loss stops being finite.
    """
    with join_ranks(job.device) as ranks, StopSignal() as stop:
        return Training(job, ranks, stop).run()


class Training:
    """One call of ``train``: the epochs, the checkpoints, the words."""

    def __init__(self, job: Job, ranks: Ranks, stop: StopSignal) -> None:
        self.job, self.ranks, self.stop = job, ranks, stop
        self.config = job.training
        self.task: Task = load_task(job.task).Task(job, ranks)
        self.state = TrainingState(job, self.task, ranks)
        self.warning = self.task.warn(self.state.network)
        if self.warning:
            _log.warning("%s", self.warning)
        self._last_save = self._last_word = time.monotonic()

    def run(self) -> bool:
        """Run what is left of the epochs; return whether all are done."""
        progress = self.state.progress
        if self.state.restore():
            progress = self.state.progress
            _log.info(
                "resuming after %d epochs and %d batches",
                progress.epoch,
                progress.batch,
            )
        if self.ranks.is_first:
            self.job.unfinished.unlink(missing_ok=True)
            self._write_metrics()
        if self.state.plan is None and not self._make_plan():
            return self._leave()
        while not self.state.progress.finished:
            if not self._run_epoch():
                return self._leave()
            self._close_epoch()
        self._say(0.0, "finished")
        self._tell_ending()
        return True

    def _tell_ending(self) -> None:
        """Say where training stopped and whether more would help."""
        if not self.ranks.is_first:
            return
        progress, plan, config = self.state.progress, self._plan, self.config
        stopped: Stopped = "patience"
        if progress.step >= plan.n_steps:
            of_epochs = (config.n_epochs or math.inf) * self.task.n_batches
            stopped = "budget" if plan.n_steps < of_epochs else "epochs"
        ending = describe_ending(
            progress.history, stopped, self.task.score, plan.learning_rate,
            config.patience, config.budget_minutes, self.warning,
            units=self.task.units, remedy=self.task.remedy,
        )  # fmt: skip
        write_ending(self.job.out, ending)
        _log.info("%s", ending.sentence)

    def _leave(self) -> bool:
        if self.ranks.is_first:
            self.state.write_last()
            write_text(self.job.unfinished, "start again to go on\n")
        _log.info("stopped on request in epoch %d", self.state.progress.epoch + 1)
        return False

    def _make_plan(self) -> bool:
        """Decide rate and number of steps; return False where told to stop."""
        plan = make_plan(self.state, self.ranks, self._step, self._validate, self._say)
        if plan is None:
            return False
        self.state.adopt(plan)
        if self.ranks.is_first:
            self.state.write_last()  # killed from here on, it is kept
        return True

    def _run_epoch(self) -> bool:
        """Take the epoch's remaining batches; return False where told to stop."""
        progress = self.state.progress
        batches = self.task.batches(progress.epoch)
        while progress.batch < len(batches) and progress.step < self._plan.n_steps:
            began = time.monotonic()
            stop = self._step(batches[progress.batch])
            progress.batch += 1
            progress.step += 1
            progress.seconds += time.monotonic() - began
            self._between_steps()
            if stop:
                return False
        return True

    def _step(self, batch: IntArray, rate: float | None = None) -> bool:
        """Step the parts that are due; return whether any process was told to stop."""
        state, due = self.state, self.state.due
        state.set_rate(rate)
        stops = [self._step_part(part, batch) for part in due]
        if not due:
            stops = [self.ranks.sum(self._told()).item() > 0]
        state.average.update(state.progress.step)
        return any(stops)

    def _step_part(self, part: Part, batch: IntArray) -> bool:
        state, ranks = self.state, self.ranks
        parameters, optimiser = state.parameters[part.name], state.optimisers[part.name]
        optimiser.zero_grad()
        sums = torch.zeros(2, device=ranks.device)
        at = (state.progress.epoch, state.progress.batch)
        for share in self.task.loss(state.network, part.name, batch, at):
            (share.loss / self.task.mean_size).backward(  # type: ignore[no-untyped-call]
                inputs=parameters
            )
            sums += torch.stack([share.loss.detach(), share.count])
        loss, count, stops = ranks.sum_gradients(
            parameters, torch.cat([sums, self._told()])
        ).tolist()
        if not math.isfinite(loss):
            raise NumericalError(
                f"The training loss is {loss} in epoch {state.progress.epoch + 1}. "
                f"Lower training.learning_rate, or {self.task.doubt}."
            )
        torch.nn.utils.clip_grad_norm_(parameters, self.config.gradient_clip)
        optimiser.step()
        state.progress.add(part.name, loss, count)
        return bool(stops > 0)

    def _told(self) -> torch.Tensor:
        return torch.tensor([float(self.stop.asked)], device=self.ranks.device)

    def _close_epoch(self) -> None:
        """Validate, keep the best, note the epoch, and decide whether to go on."""
        state, progress = self.state, self.state.progress
        began = time.monotonic()
        found = self._validate()
        trained = {name: progress.mean(name) for name in state.parts}
        train_loss, own = trained.pop(state.first), found[self.task.score]
        score = own if math.isfinite(own) else train_loss
        seconds = progress.seconds + time.monotonic() - began
        taken = progress.batch / self.task.n_batches
        progress.history.append(
            {
                "epoch": float(progress.epoch + 1),
                "train_loss": train_loss,
                **{name: found[name] for name in self.task.columns},
                "learning_rate": state.optimisers[state.first].param_groups[0]["lr"],
                "frames_per_second": taken * self.task.n_samples / max(seconds, 1e-9),
                "seconds": seconds,
                **{f"train_loss_{name}": loss for name, loss in trained.items()},
                **{n: v for n, v in found.items() if n not in self.task.columns},
            }
        )
        better = score < progress.best
        if better:
            progress.best, progress.best_epoch = score, progress.epoch + 1
        progress.stalled = 0 if better else progress.stalled + 1
        state.rate.finish_epoch(score)
        progress.epoch += 1
        progress.batch = 0
        progress.sums, progress.seconds = {}, 0.0
        progress.finished = self.ranks.decide(
            progress.step >= self._plan.n_steps
            or progress.stalled >= self.config.patience
        )
        if self.ranks.is_first:
            # Killed between these lines, the epoch is done again and ends the same.
            if better:
                state.write_best()
            state.write_last()
            self._write_metrics()
            self._last_save = time.monotonic()
        self._tell_epoch(progress.history[-1], better)

    def _validate(self, most: int | None = None) -> Mapping[str, float]:
        network = self.state.network
        network.eval()
        with self.state.average.applied():
            found = self.task.validate(network, most)
        network.train()
        return found

    def _write_metrics(self) -> None:
        path, history = self.job.out / "metrics.csv", self.state.progress.history
        write_metrics(path, history, self.task.columns)

    @property
    def _plan(self) -> Plan:
        assert self.state.plan is not None
        return self.state.plan

    def _between_steps(self) -> None:
        if not self.ranks.is_first:
            return
        now = time.monotonic()
        if now - self._last_save > self.config.checkpoint_seconds:
            self.state.write_last()
            self._last_save = now
        if now - self._last_word > _PROGRESS_SECONDS:
            self._say(self._estimate_left(), self._describe())

    def _estimate_left(self) -> float:
        progress = self.state.progress
        per_epoch = [row["seconds"] for row in progress.history[-3:]]
        taken = progress.batch / self.task.n_batches
        if per_epoch:
            epoch_s = float(np.mean(per_epoch))
        else:
            epoch_s = progress.seconds / max(taken, 1e-9)
        return epoch_s * (self._plan.n_steps - progress.step) / self.task.n_batches

    def _describe(self) -> str:
        progress = self.state.progress
        if not math.isfinite(progress.best):
            return "first epoch"
        return f"best validation loss {progress.best:.4g} (epoch {progress.best_epoch})"

    def _say(self, seconds_left: float, detail: str) -> None:
        if not self.ranks.is_first:
            return
        progress = self.state.progress
        done = progress.epoch + progress.batch / self.task.n_batches
        total = max(done, 1.0)
        if self.state.plan is not None and not progress.finished:
            total = max(done, self.state.plan.n_steps / self.task.n_batches)
        write_progress(self.job.progress, done, total, seconds_left, detail)
        self._last_word = time.monotonic()

    def _tell_epoch(self, row: Row, better: bool) -> None:
        if not self.ranks.is_first:
            return
        self._say(self._estimate_left(), self._describe())
        validated = ", ".join(
            f"{name.removeprefix('val_loss').removeprefix('_')} {row[name]:.5g}".strip()
            for name in self.task.columns
        )
        _log.info(
            "epoch %d: train %.5g, validation %s, %.0f frames/s%s",
            row["epoch"], row["train_loss"], validated, row["frames_per_second"],
            ", best so far" if better else "",
        )  # fmt: skip
