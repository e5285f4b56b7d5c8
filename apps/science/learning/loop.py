"""Train one model by force matching, on one process or many, and resume exactly."""

import logging
import math
import signal
import time
from functools import partial
from types import FrameType
from typing import Final

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import IntArray
from apps.science.errors import NumericalError
from apps.science.files import hash_file, write_text
from apps.science.learning.ending import Stopped, describe_ending, write_ending
from apps.science.learning.plan import Plan, Stopwatch, plan_budget, time_steps
from apps.science.learning.ranks import Ranks, join_ranks
from apps.science.learning.rate_finder import (
    FIRST_EPOCH,
    MEASURED,
    N_SWEEPS,
    choose_rate,
    join_rates,
    sweep_rates,
)
from apps.science.learning.record import Row, write_metrics, write_progress
from apps.science.learning.state import TrainingState
from apps.science.stopping import must_end
from apps.science.tasks.force_matching.batches import Batches
from apps.science.tasks.force_matching.config import TrainingJob
from apps.science.tasks.force_matching.data import read_training_data
from apps.science.tasks.force_matching.evaluate import Losses, frame_errors, validate
from apps.science.tasks.force_matching.few_frames import describe_few_frames
from apps.science.tasks.force_matching.loss import frame_factors
from apps.science.tasks.force_matching.noise import Noise, prepare_noise

_log = logging.getLogger(__name__)

_PROGRESS_SECONDS: Final = 1.0


def train(job: TrainingJob) -> bool:
    """Train until done or told to stop; return whether the model is finished.

    SIGTERM, a run asked to stop, and a batch job near its end let training leave
    after the running step with a checkpoint to go on from.

    Raises
    ------
    NumericalError
        If the loss stops being finite.
    """
    with join_ranks(job.device) as ranks, _StopSignal() as stop:
        return _Training(job, ranks, stop).run()


class _StopSignal:
    """Notes SIGTERM for as long as it is entered, and looks for other reasons."""

    def __init__(self) -> None:
        self._signalled = False
        self._looked = -math.inf
        self._previous: signal._HANDLER = signal.SIG_DFL

    def __enter__(self) -> "_StopSignal":
        self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    @property
    def asked(self) -> bool:
        """Whether to leave; files are looked at once a second."""
        now = time.monotonic()
        if not self._signalled and now - self._looked > _PROGRESS_SECONDS:
            self._looked, self._signalled = now, must_end()
        return self._signalled

    def _note(self, _signum: int, _frame: FrameType | None) -> None:
        self._signalled = True


class _Training:
    """One call of ``train``: the epochs, the checkpoints, the words."""

    def __init__(self, job: TrainingJob, ranks: Ranks, stop: _StopSignal) -> None:
        self.job, self.ranks, self.stop = job, ranks, stop
        self.config = job.training
        prior = None if job.prior is None else hash_file(job.prior)
        self.data = read_training_data(
            job.dataset, ranks.device, prior_sha256=prior
        )
        factors, probability = frame_factors(
            [protein.train.weight for protein in self.data.proteins], self.config
        )
        counts = [len(protein.train) for protein in self.data.proteins]
        self.batches = Batches(counts, self.config, job.seed, probability)
        self.state = TrainingState(job, self.data, self.batches, ranks)
        self.noise = prepare_noise(
            self.data, self.config.noise_angstrom, ranks.device,
            self.config.noise_pairs, self.config.noise_force_share,
        )  # fmt: skip
        self.factors = torch.as_tensor(
            factors, dtype=torch.float32, device=ranks.device
        )
        self.few_frames = describe_few_frames(
            self.data.proteins, self.config, self.state.trainable
        )
        if self.few_frames:
            _log.warning("%s", self.few_frames)
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
            write_metrics(self.job.out / "metrics.csv", progress.history)
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
            of_epochs = (config.n_epochs or math.inf) * self.batches.n_batches
            stopped = "budget" if plan.n_steps < of_epochs else "epochs"
        own = "val_loss_weighted" if config.weighted else "val_loss_unweighted"
        ending = describe_ending(
            progress.history, stopped, own, plan.learning_rate, config.patience,
            config.budget_minutes, self.few_frames,
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
        config, n_batches = self.config, self.batches.n_batches
        clock, rate, used_s = Stopwatch(self.ranks), config.learning_rate, 0.0
        if rate == "auto":
            began = clock.read()
            found = self._find_rate()
            if found is None:
                return False
            rate, used_s = found, clock.read() - began
        if config.budget_minutes is None:
            assert config.n_epochs is not None
            plan = Plan(config.n_epochs * n_batches, rate)
        else:
            budget_s = config.budget_minutes * 60
            self._say(budget_s, "timing a few steps")
            with self.state.rehearsed():
                timed = time_steps(
                    self.batches.order(0), self._step, self._validate_some, budget_s,
                    self.ranks,
                )  # fmt: skip
            if timed is None:
                return False
            plan = plan_budget(config, n_batches, rate, timed, self.ranks.tell(used_s))
        self.state.adopt(plan)
        if self.ranks.is_first:
            self.state.write_last()  # killed from here on, it is kept
        return True

    def _find_rate(self) -> float | None:
        """Return the rate that range tests find; None where told to stop."""
        self._say(0.0, "looking for a learning rate")
        found = []
        for sweep in range(FIRST_EPOCH, FIRST_EPOCH + N_SWEEPS):
            batches = self.batches.order(sweep)
            frames = np.concatenate(self.batches.order(sweep + N_SWEEPS))[:MEASURED]
            with self.state.rehearsed():
                losses = sweep_rates(
                    batches, self._step, partial(self._measure, frames), self.ranks
                )
            if losses is None:
                return None
            found.append(choose_rate(*losses))
        return self.ranks.tell(join_rates(found))

    def _measure(self, frames: IntArray) -> float:
        """Return the training loss of some frames, with the weights as they are."""
        sums = torch.zeros(2, dtype=torch.float64, device=self.ranks.device)
        for protein, places, rows in self.batches.split(frames):
            mine = self.ranks.share(len(rows))
            if not len(mine):
                continue
            factors = self.factors[
                torch.as_tensor(frames[places[mine]], device=self.ranks.device)
            ]
            errors = factors * self._train_errors(protein, rows, mine).detach()
            sums += torch.stack([errors.sum(), factors.sum()])
        error_sum, factor_sum = self.ranks.sum(sums).tolist()
        return float(error_sum / max(factor_sum, 1e-300))

    def _validate_some(self, most: int) -> float:
        """Validate so many frames of each protein, and return which share they are."""
        self._validate(most)
        counts = [len(protein.validation) for protein in self.data.proteins]
        return sum(min(n, most) for n in counts) / max(sum(counts), 1)

    def _run_epoch(self) -> bool:
        """Take the epoch's remaining batches; return False where told to stop."""
        progress = self.state.progress
        batches = self.batches.order(progress.epoch)
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

    def _step(self, frames: IntArray, rate: float | None = None) -> bool:
        """Take one optimiser step; return whether any process was told to stop."""
        state, ranks = self.state, self.ranks
        state.set_rate(rate)
        state.optimiser.zero_grad()
        sums = torch.zeros(2, device=ranks.device)
        for protein, places, rows in self.batches.split(frames):
            mine = ranks.share(len(rows))
            if not len(mine):
                continue
            factors = self.factors[torch.as_tensor(frames[places[mine]])]
            errors = factors * self._train_errors(protein, rows, mine)
            (errors.sum() / self.batches.mean_size).backward(  # type: ignore[no-untyped-call]
                inputs=state.trainable
            )
            sums += torch.stack([errors.detach().sum(), factors.sum()])
        told = torch.tensor([float(self.stop.asked)], device=ranks.device)
        error_sum, factor_sum, stops = ranks.sum_gradients(
            state.network, torch.cat([sums, told])
        ).tolist()
        if not math.isfinite(error_sum):
            raise NumericalError(
                f"The training loss is {error_sum} in epoch "
                f"{state.progress.epoch + 1}. Lower training.learning_rate, or look "
                f"for outliers in the forces of {self.job.dataset}."
            )
        torch.nn.utils.clip_grad_norm_(state.trainable, self.config.gradient_clip)
        state.optimiser.step()
        state.average.update(state.progress.step)
        state.progress.error_sum += error_sum
        state.progress.factor_sum += factor_sum
        return bool(stops > 0)

    def _train_errors(self, protein: int, rows: IntArray, mine: IntArray) -> Tensor:
        """Return the squared errors of this process's frames of one protein."""
        progress = self.state.progress
        draw = (self.job.seed, "noise", progress.epoch, progress.batch, protein)

        def measure(noise: Noise | None) -> Tensor:
            return frame_errors(
                self.state.network, self.data.proteins[protein], "train", rows, mine,
                noise, draw,
            )  # fmt: skip

        noise = self.noise[protein]
        if noise is None or not noise.paired:
            return measure(noise)
        return (measure(noise) + measure(noise.mirrored)) / 2

    def _close_epoch(self) -> None:
        """Validate, keep the best, note the epoch, and decide whether to go on."""
        state, progress = self.state, self.state.progress
        began = time.monotonic()
        losses = self._validate()
        weighted, unweighted = losses.weighted, losses.unweighted
        train_loss = progress.error_sum / max(progress.factor_sum, 1e-300)
        own = weighted if self.config.weighted else unweighted
        score = own if math.isfinite(own) else train_loss
        seconds = progress.seconds + time.monotonic() - began
        taken = progress.batch / self.batches.n_batches
        progress.history.append(
            {
                "epoch": float(progress.epoch + 1),
                "train_loss": train_loss,
                "val_loss_weighted": weighted,
                "val_loss_unweighted": unweighted,
                "learning_rate": state.optimiser.param_groups[0]["lr"],
                "frames_per_second": taken * self.batches.n_frames / max(seconds, 1e-9),
                "seconds": seconds,
                **losses.each,
            }
        )
        better = score < progress.best
        if better:
            progress.best, progress.best_epoch = score, progress.epoch + 1
        progress.stalled = 0 if better else progress.stalled + 1
        state.rate.finish_epoch(score)
        progress.epoch += 1
        progress.batch = 0
        progress.error_sum = progress.factor_sum = progress.seconds = 0.0
        progress.finished = self.ranks.decide(
            progress.step >= self._plan.n_steps
            or progress.stalled >= self.config.patience
        )
        if self.ranks.is_first:
            # Killed between these lines, the epoch is done again and ends the same.
            if better:
                state.write_best()
            state.write_last()
            write_metrics(self.job.out / "metrics.csv", progress.history)
            self._last_save = time.monotonic()
        self._tell_epoch(progress.history[-1], better)

    def _validate(self, most_frames: int | None = None) -> Losses:
        # one side of a pair says little, and paired noise hardly blurs
        noise = [None if n is None or n.paired else n for n in self.noise]
        return validate(
            self.state.network, self.state.average, self.data, noise, self.config,
            self.ranks, self.job.seed, most_frames,
        )  # fmt: skip

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
        taken = progress.batch / self.batches.n_batches
        if per_epoch:
            epoch_s = float(np.mean(per_epoch))
        else:
            epoch_s = progress.seconds / max(taken, 1e-9)
        return epoch_s * (self._plan.n_steps - progress.step) / self.batches.n_batches

    def _describe(self) -> str:
        progress = self.state.progress
        if not math.isfinite(progress.best):
            return "first epoch"
        return f"best validation loss {progress.best:.4g} (epoch {progress.best_epoch})"

    def _say(self, seconds_left: float, detail: str) -> None:
        if not self.ranks.is_first:
            return
        progress = self.state.progress
        done = progress.epoch + progress.batch / self.batches.n_batches
        total = max(done, 1.0)
        if self.state.plan is not None and not progress.finished:
            total = max(done, self.state.plan.n_steps / self.batches.n_batches)
        write_progress(self.job.progress, done, total, seconds_left, detail)
        self._last_word = time.monotonic()

    def _tell_epoch(self, row: Row, better: bool) -> None:
        if not self.ranks.is_first:
            return
        self._say(self._estimate_left(), self._describe())
        _log.info(
            "epoch %d: train %.5g, validation weighted %.5g, unweighted %.5g, "
            "%.0f frames/s%s",
            row["epoch"], row["train_loss"], row["val_loss_weighted"],
            row["val_loss_unweighted"], row["frames_per_second"],
            ", best so far" if better else "",
        )  # fmt: skip
