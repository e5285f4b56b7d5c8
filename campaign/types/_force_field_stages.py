"""The stages of a force-field campaign: which apps each submits, on which files."""

import functools
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final, cast

import yaml

from apps.roles import ANALYSIS
from apps.science.cg.mapping.config import FrameChoice
from apps.science.files import write_text
from apps.science.seeds import derive_seed
from apps.science.systems.info import read_system_info
from apps.science.we.spec import PropagationSpec
from campaign.context import Context, StageFuture
from campaign.types._force_field_config import (
    BenchmarkConfig,
    Config,
    SampleConfig,
    count_steps,
)
from campaign.we_stage import WERun, drive_we

Futures = list["Future[Any]"]

_BESIDE_PRIOR: Final = ("prior_fit.json", "force_maps.json", "learning_mapping.json")
"""Data against fit; how each force map does; the mapping with the one asked for."""


class Stages:
    """Each method submits or drives one stage and returns its future."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.paths = ctx.paths
        self.config = cast(Config, ctx.config)

    def prepare(self) -> StageFuture:
        """Build, minimise and equilibrate the system; name its beads."""
        from apps.coarse_grain import write_mapping
        from apps.prepare import prepare_system

        paths, config = self.paths, self.config.system
        mapping = self.config.mapping.model_dump_json()

        def submit(after: Futures) -> Futures:
            prepared = prepare_system(
                config.model_dump_json(), self._seed("prepare"), paths.system
            )
            named = write_mapping(
                paths.system, config.beads, mapping, paths.mapping, inputs=[prepared]
            )
            return [prepared, named]

        names = ("system.xml", "topology.pdb", "protein.pdb", "starts.npz",
                 "system.json")  # fmt: skip
        outputs = [*(paths.system / n for n in names), paths.mapping]
        return self.ctx.stage("prepare", outputs, submit)

    def reference(self, after: Sequence[StageFuture]) -> StageFuture:
        """Run plain MD walks from every start in turn."""
        from apps.simulate import simulate_walk

        config, paths = self.config.reference, self.paths
        walks = [paths.walk(k) for k in range(config.n_walks)]

        def submit(after: Futures) -> Futures:
            return [
                simulate_walk(
                    paths.system, k, config.walk_length_ps, config.frame_interval_ps,
                    self._seed("reference"), self.config.sample.platform, walk,
                    paths.progress("reference"), config.n_walks, inputs=after,
                )
                for k, walk in enumerate(walks)
            ]  # fmt: skip

        return self.ctx.stage("reference", walks, submit, after)

    def tica(self, after: Sequence[StageFuture]) -> StageFuture:
        """Collect the reference frames and fit the slow coordinates on them."""
        from apps.simulate import fit_reference_tica

        paths, config = self.paths, self.config
        walks = [paths.walk(k) for k in range(config.reference.n_walks)]

        def submit(after: Futures) -> Futures:
            return [
                fit_reference_tica(
                    walks, paths.mapping, config.tica.lag_ps, config.tica.features,
                    config.reference.lineage_block_ps, paths.reference_frames,
                    paths.tica, inputs=after,
                )
            ]  # fmt: skip

        outputs = [paths.reference_frames, paths.tica]
        return self.ctx.stage("tica", outputs, submit, after)

    def sample(self, after: Sequence[StageFuture]) -> StageFuture:
        """Sample by WE, each closed iteration verified while the next one runs."""
        from apps.ingest import (
            ingest_in_parallel,
            verify_iterations,
            weigh_equilibrium,
        )

        paths, config = self.paths, self.config.sample
        verified: list[Any] = []

        def verify(n_iter: int) -> None:
            verified.append(
                verify_iterations(paths.we, paths.segments, n_iter, n_iter)
            )

        def work() -> None:
            drive_we(self.ctx, self._sampling_run(), verify)

        outputs = [paths.we / "west.h5", paths.we / "west.cfg"]
        sampled = self.ctx.drive("sample", outputs, work, after)

        def finish(after: Futures) -> Futures:
            parts = ingest_in_parallel(
                paths.we, paths.segments, config.n_iterations, config.weight_cutoff,
                self.ctx.n_workers(ANALYSIS), inputs=[*after, *verified],
            )  # fmt: skip
            if not config.targets:  # a steady state has a flux, and no equilibrium
                parts.append(
                    weigh_equilibrium(
                        paths.we, paths.segments, config.equilibrium.model_dump_json(),
                        self._seed("equilibrium"), inputs=parts[-1:],
                    )
                )  # fmt: skip
            # the first that failed is the reason
            return [*verified, *parts]

        return self.ctx.stage("ingest", [paths.segments], finish, [sampled])

    def prior(self, after: Sequence[StageFuture]) -> StageFuture:
        """Fit the prior, check that it is stable by itself, and measure force maps."""
        from apps.coarse_grain import fit_force_map, fit_prior

        paths, mapping = self.paths, self.config.mapping
        chosen = self.config.dataset.model_dump(include=set(FrameChoice.model_fields))
        frames = FrameChoice(**chosen).model_dump_json()
        report, maps, fitted = (paths.prior.with_name(n) for n in _BESIDE_PRIOR)
        kelvin = self.config.system.temperature_kelvin
        config = self.config.prior.model_copy(update={"temperature_kelvin": kelvin})

        def submit(after: Futures) -> Futures:
            return [
                fit_prior(
                    paths.segments, paths.mapping, config.model_dump_json(),
                    paths.prior, report, inputs=after,
                ),
                fit_force_map(
                    paths.segments, paths.mapping, mapping.model_dump_json(), frames,
                    self._seed("split"), fitted, maps, inputs=after,
                ),
            ]  # fmt: skip

        outputs = [paths.prior, report, maps, fitted]
        return self.ctx.stage("prior", outputs, submit, after)

    def dataset(self, after: Sequence[StageFuture]) -> StageFuture:
        """Write what the prior leaves to learn."""
        from apps.coarse_grain import write_delta_forces

        paths, config = self.paths, self.config
        mapping = paths.mapping
        if config.mapping.force_map == "optimal":  # fitted by the prior stage
            mapping = paths.prior.with_name(_BESIDE_PRIOR[-1])

        def submit(after: Futures) -> Futures:
            return [
                write_delta_forces(
                    paths.segments, mapping, paths.prior,
                    config.dataset.model_dump_json(), self._seed("split"),
                    paths.dataset, inputs=after,
                )
            ]  # fmt: skip

        return self.ctx.stage("dataset", [paths.dataset], submit, after)

    def train(self, model: str, after: Sequence[StageFuture]) -> StageFuture:
        """Train one model through torchrun."""
        from apps.train import train_model

        stage, folder, config = f"train_{model}", self.paths.model(model), self.config
        job = {
            "dataset": str(self.paths.dataset),
            "prior": str(self.paths.prior) if config.dataset.one_prior else None,
            "out": str(folder),
            "progress": str(self.paths.progress(stage)),
            "seed": self._seed("train"),
            "device": "auto",
            "model": config.model.model_dump(mode="json"),
            "training": config.training.model_dump(mode="json")
            | {"weighted": model == "weighted"},
        }

        def submit(after: Futures) -> Futures:
            written = write_text(
                folder / "config.yaml", yaml.safe_dump(job, sort_keys=False)
            )
            stream = (str(said), "a")
            return [
                train_model(
                    written, config.n_train_processes, stage,
                    stdout=stream, stderr=stream, inputs=after,
                )
            ]  # fmt: skip

        said = folder / "train.log"
        outputs = [self.paths.checkpoint(model), folder / "metrics.csv"]
        return self.ctx.stage(stage, outputs, submit, after, said)

    def benchmark(self, model: str, after: Sequence[StageFuture]) -> StageFuture:
        """Run the model's own WE simulation and compare it with the reference."""
        from apps.benchmark import compare_with_reference, write_reference_starts
        from apps.ingest import ingest_in_parallel

        stage, folder = f"benchmark_{model}", self.paths.benchmark(model)
        config, paths = self.config.benchmark, self.paths
        has_native = self.config.system.sequence is None
        native = paths.system / "protein.pdb" if has_native else None

        def work() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            write_reference_starts(
                paths.reference_frames, paths.mapping, config.n_starts,
                self.config.system.temperature_kelvin, self._seed("bead_starts"),
                folder / "starts.npz", stage=stage,
            ).result()  # fmt: skip
            drive_we(self.ctx, self._benchmark_run(model))
            for part in ingest_in_parallel(
                folder, folder / "segments.h5", config.n_iterations, 0.0,
                self.ctx.n_workers(ANALYSIS), stage=stage,
            ):  # fmt: skip
                part.result()
            compare_with_reference(
                paths.reference_frames, folder, paths.mapping, paths.tica, native,
                config.segment_length_fs, config.frame_interval_fs,
                config.burn_in_fraction, config.n_bootstrap, self._seed("bootstrap"),
                stage=stage,
            ).result()  # fmt: skip

        outputs = [folder / n for n in ("west.h5", "metrics.json", "densities.npz")]
        return self.ctx.drive(stage, outputs, work, after)

    def report(self, after: Sequence[StageFuture]) -> StageFuture:
        """Write the page to look at."""
        from campaign.report.build import write_report

        work = functools.partial(write_report, self.paths.root)
        return self.ctx.drive(
            "report", [self.paths.report], lambda: (work(), None)[1], after, noted=True
        )

    def _sampling_run(self) -> WERun:
        config, info = self.config.sample, read_system_info(self.paths.system)
        system = self.config.system
        n_steps, per_frame = _count(config, system.timestep_fs)
        propagator = {
            "kind": "openmm",
            "system_dir": str(self.paths.system),
            "timestep_fs": system.timestep_fs,
            "temperature_kelvin": system.temperature_kelvin,
            "friction_per_ps": system.friction_per_ps,
            "n_steps": n_steps,
            "n_steps_per_frame": per_frame,
            "platform": config.platform,
            "exact_replay": config.exact_replay,
        }
        spec = PropagationSpec(
            self._seed("sample"), propagator, self._pcoord(mapped=True),
            str(self.paths.system / "starts.npz"),
            n_reseeds=config.failures.numerical,
        )  # fmt: skip
        return WERun(
            "sample", self.paths.we, config, spec, n_steps // per_frame,
            info.start_names, info.start_probabilities,
        )  # fmt: skip

    def _benchmark_run(self, model: str) -> WERun:
        config, folder = self.config.benchmark, self.paths.benchmark(model)
        n_steps, per_frame = _count(config, config.timestep_fs)
        propagator = {
            "kind": "cg",
            "mapping": str(self.paths.mapping),
            "prior": str(self.paths.prior),
            "checkpoint": str(self.paths.checkpoint(model)),
            "timestep_fs": config.timestep_fs,
            "temperature_kelvin": self.config.system.temperature_kelvin,
            "friction_per_ps": config.friction_per_ps,
            "n_steps": n_steps,
            "n_steps_per_frame": per_frame,
            "device": config.device,
        }
        # both models see the same seed: the same starts and the same noise
        spec = PropagationSpec(
            self._seed("benchmark"), propagator, self._pcoord(mapped=False),
            str(folder / "starts.npz"), keep_failed=True,
            n_reseeds=config.failures.numerical,
        )  # fmt: skip
        n = config.n_starts
        return WERun(
            f"benchmark_{model}", folder, config, spec, n_steps // per_frame,
            [f"reference_{k}" for k in range(n)], [1.0 / n] * n,
        )  # fmt: skip

    def _pcoord(self, *, mapped: bool) -> dict[str, Any]:
        mapping = str(self.paths.mapping) if mapped else None
        return {"kind": "tica", "model": str(self.paths.tica), "mapping": mapping}

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.config.seed, purpose)


def _count(
    config: SampleConfig | BenchmarkConfig, timestep_fs: float
) -> tuple[int, int]:
    """Return steps per segment and steps per frame."""
    per_frame = count_steps(config.frame_interval_fs, timestep_fs, "frame", "steps")
    n_steps = count_steps(config.segment_length_fs, timestep_fs, "segment", "steps")
    return n_steps, per_frame


