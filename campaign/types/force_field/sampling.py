"""From a protein to segments: prepare, reference, slow coordinates, sampling by WE."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from apps.roles import ANALYSIS, MD
from apps.science.seeds import derive_seed
from apps.science.systems.info import read_system_info
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.incomplete import prepare_to_mend
from campaign.context import Context, StageFuture
from campaign.declared import Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.names import at_protein
from campaign.stages.sampling_choice import fill_pcoord, fill_propagator
from campaign.stages.we import WERun, drive_we
from campaign.types.force_field.config import Config
from campaign.types.force_field.protein import Protein

Futures = list["Future[Any]"]


def declare_sampling(protein: str | None) -> list[Stage]:
    """Return the stages of a protein, None for an only one, up to its segments."""
    we = str(ProteinDir(Path(), protein).we)
    of = {"proteins": protein} if protein else {}

    def one(name: str, brief: str, role: str, **more: Any) -> Stage:
        return Stage(at_protein(name, protein), name, brief, role, of=of, **more)

    return [
        one("prepare", "build, minimise and equilibrate the system", MD),
        one("reference", "plain molecular dynamics, which models are judged by", MD),
        one("tica", "find the slow coordinates of the reference", ANALYSIS),
        one("sample", "sample by weighted ensemble", MD, we=we, keeps=[we]),
        one("ingest", "check and gather the segments", ANALYSIS, at_once=True),
    ]


class SamplingStages:
    """Each method submits or drives one stage of a protein and returns its future."""

    def __init__(self, ctx: Context, config: Config, protein: Protein) -> None:
        self.ctx, self.config, self.protein = ctx, config, protein
        self.paths, self.system = protein.paths, protein.system

    def prepare(self) -> StageFuture:
        """Build, minimise and equilibrate the system; name its beads."""
        from apps.coarse_grain import write_mapping
        from apps.prepare import prepare_system

        paths, system = self.paths, self.system
        mapping = self.config.mapping.model_dump_json()
        stage = self.protein.stage("prepare")

        def submit(after: Futures) -> Futures:
            prepared = prepare_system(
                system.model_dump_json(), self._seed("prepare"), paths.system,
                stage=stage,
            )  # fmt: skip
            named = write_mapping(
                paths.system, system.beads, mapping, paths.mapping, stage=stage,
                inputs=[prepared],
            )  # fmt: skip
            return [prepared, named]

        return self.ctx.stage(stage, [*self._prepared, paths.mapping], submit)

    @property
    def _prepared(self) -> list[Path]:
        """What is known of the system, whatever its beads are."""
        names = ("system.xml", "topology.pdb", "protein.pdb", "starts.npz",
                 "system.json")  # fmt: skip
        return [self.paths.system / name for name in names]

    def reference(self, after: Sequence[StageFuture]) -> StageFuture:
        """Run plain MD walks from every start in turn."""
        from apps.simulate import simulate_walk

        config, paths = self.config.reference, self.paths
        walks = [paths.walk(k) for k in range(config.n_walks)]
        stage = self.protein.stage("reference")

        def submit(after: Futures) -> Futures:
            return [
                simulate_walk(
                    paths.system, k, config.walk_length_ps, config.frame_interval_ps,
                    self._seed("reference"), self.config.sample.platform, walk,
                    paths.progress(stage), config.n_walks, stage=stage, inputs=after,
                )
                for k, walk in enumerate(walks)
            ]  # fmt: skip

        return self.ctx.stage(stage, walks, submit, after, reads=self._prepared)

    def tica(self, after: Sequence[StageFuture]) -> StageFuture:
        """Collect the reference frames and fit the slow coordinates on them."""
        from apps.simulate import fit_reference_tica

        paths, config = self.paths, self.config
        walks = [paths.walk(k) for k in range(config.reference.n_walks)]
        stage = self.protein.stage("tica")

        def submit(after: Futures) -> Futures:
            return [
                fit_reference_tica(
                    walks, paths.mapping, config.tica.lag_ps, config.tica.features,
                    config.reference.lineage_block_ps, paths.reference_frames,
                    paths.tica, stage=stage, inputs=after,
                )
            ]  # fmt: skip

        outputs = [paths.reference_frames, paths.tica]
        reads = [*walks, paths.mapping]
        return self.ctx.stage(stage, outputs, submit, after, reads=reads)

    def sample(self, after: Sequence[StageFuture]) -> StageFuture:
        """Sample by WE, each closed iteration verified while the next one runs."""
        from apps.ingest import (
            ingest_in_parallel,
            verify_iterations,
            weigh_equilibrium,
        )

        paths, config = self.paths, self.config.sample
        stage, ingest = self.protein.stage("sample"), self.protein.stage("ingest")
        verified: list[Any] = []

        def verify(n_iter: int) -> None:
            verified.append(
                verify_iterations(
                    paths.we, paths.segments, n_iter, n_iter, stage=ingest
                )
            )

        def work() -> None:
            drive_we(self.ctx, self._sampling_run(stage), verify)

        prepare_to_mend(paths.we)
        names = ("west.h5", "west.cfg", "propagation.json")
        outputs = [paths.we / name for name in names]
        reads = [*self._prepared, paths.mapping, paths.tica]
        sampled = self.ctx.drive(stage, outputs, work, after, reads=reads)

        def finish(after: Futures) -> Futures:
            parts = ingest_in_parallel(
                paths.we, paths.segments, config.n_iterations, config.weight_cutoff,
                self.ctx.n_workers(ANALYSIS), stage=ingest, inputs=[*after, *verified],
            )  # fmt: skip
            if not config.targets:  # a steady state has a flux, and no equilibrium
                parts.append(
                    weigh_equilibrium(
                        paths.we, paths.segments, config.equilibrium.model_dump_json(),
                        self._seed("equilibrium"), stage=ingest, inputs=parts[-1:],
                    )
                )  # fmt: skip
            # the first that failed is the reason
            return [*verified, *parts]

        return self.ctx.stage(ingest, [paths.segments], finish, [sampled])

    def _sampling_run(self, stage: str) -> WERun:
        config, info = self.config.sample, read_system_info(self.paths.system)
        propagator = fill_propagator(config, self.system, str(self.paths.system))
        pcoord = fill_pcoord(config.pcoord, self.paths)
        spec = PropagationSpec(
            self._seed("sample"), propagator, pcoord,
            str(self.paths.system / "starts.npz"),
            n_reseeds=config.failures.numerical,
        )  # fmt: skip
        return WERun(
            stage, self.paths.we, config, spec, spec.n_frames,
            info.start_names, info.start_probabilities,
        )  # fmt: skip

    def _seed(self, purpose: str) -> int:
        return derive_seed(self.config.seed, self.protein.stage(purpose))
