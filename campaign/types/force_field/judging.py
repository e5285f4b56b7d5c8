"""From a trained model to its judgement: its own WE run against the reference."""

from collections.abc import Sequence
from pathlib import Path

from apps.roles import ANALYSIS, MD
from apps.science.files import make_folder
from apps.science.seeds import derive_seed
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.incomplete import prepare_to_mend
from campaign.context import Context, StageFuture
from campaign.declared import Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.learning import Learnt
from campaign.stages.names import at_protein
from campaign.stages.sampling_choice import count_segment
from campaign.stages.variants import Variant
from campaign.stages.we import WERun, drive_we
from campaign.types.force_field.config import Config
from campaign.types.force_field.protein import Protein


def declare_benchmark(variant: Variant, protein: str | None) -> Stage:
    """Return the stage that judges a model of a protein, None for an only one."""
    folder = str(ProteinDir(Path(), protein).benchmark(variant.name))
    return Stage(
        at_protein(f"benchmark_{variant.name}", protein), "benchmark",
        f"run the model {variant.name} and compare it with the reference", MD,
        of={"models": variant.name} | ({"proteins": protein} if protein else {}),
        we=folder, keeps=[folder],
    )  # fmt: skip


class BenchmarkStages:
    """Judges models of one protein."""

    def __init__(self, ctx: Context, config: Config, protein: Protein) -> None:
        self.ctx, self.config, self.protein = ctx, config, protein
        self.paths, self.system = protein.paths, protein.system

    def benchmark(
        self, variant: Variant, learnt: Learnt, after: Sequence[StageFuture]
    ) -> StageFuture:
        """Run the model's own WE simulation and compare it with the reference."""
        from apps.benchmark import compare_with_reference, write_reference_starts
        from apps.ingest import ingest_in_parallel

        stage = self.protein.stage(f"benchmark_{variant.name}")
        folder = self.paths.benchmark(variant.name)
        config, paths = self.config.benchmark, self.paths
        has_native = self.system.sequence is None
        native = paths.system / "protein.pdb" if has_native else None

        def work() -> None:
            make_folder(folder)
            write_reference_starts(
                paths.reference_frames, paths.mapping, config.n_starts,
                self.system.temperature_kelvin, self._seed("bead_starts"),
                folder / "starts.npz", stage=stage,
            ).result()  # fmt: skip
            drive_we(self.ctx, self._benchmark_run(stage, variant, learnt))
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

        prepare_to_mend(folder)
        names = ("west.h5", "segments.h5", "frames.h5", "metrics.json", "densities.npz")
        outputs = [folder / name for name in names]
        reads = [
            paths.reference_frames, paths.mapping, paths.tica, learnt.prior,
            paths.checkpoint(variant.name), *([native] if native else []),
        ]  # fmt: skip
        return self.ctx.drive(stage, outputs, work, after, reads=reads)

    def _benchmark_run(self, stage: str, variant: Variant, learnt: Learnt) -> WERun:
        config, folder = self.config.benchmark, self.paths.benchmark(variant.name)
        n_steps, per_frame = count_segment(config, config.timestep_fs)
        propagator = {
            "kind": "cg",
            "mapping": str(self.paths.mapping),
            "prior": str(learnt.prior),
            "checkpoint": str(self.paths.checkpoint(variant.name)),
            "timestep_fs": config.timestep_fs,
            "temperature_kelvin": self.system.temperature_kelvin,
            "friction_per_ps": config.friction_per_ps,
            "n_steps": n_steps,
            "n_steps_per_frame": per_frame,
            "device": config.device,
        }
        pcoord = {"kind": "tica", "model": str(self.paths.tica), "mapping": None}
        # all models see the same seed: the same starts and the same noise
        spec = PropagationSpec(
            self._seed("benchmark"), propagator, pcoord, str(folder / "starts.npz"),
            keep_failed=True, n_reseeds=config.failures.numerical,
        )  # fmt: skip
        n = config.n_starts
        return WERun(
            stage, folder, config, spec, n_steps // per_frame,
            [f"reference_{k}" for k in range(n)], [1.0 / n] * n,
        )  # fmt: skip

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.config.seed, self.protein.stage(purpose))
