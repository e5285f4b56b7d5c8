"""Force matching: what the prior leaves of the forces of weighted frames is learnt."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from apps.science.arrays import IntArray
from apps.science.cg.checkpoint import describe_force_field
from apps.science.files import hash_file
from apps.science.learning import task
from apps.science.learning.ranks import Ranks
from apps.science.learning.task import Share
from apps.science.models.potentials.base import (
    build_network,
    describe_briefly,
    read_config,
)
from apps.science.models.potentials.network import Network
from apps.science.tasks.force_matching.batches import Batches
from apps.science.tasks.force_matching.config import TrainingJob
from apps.science.tasks.force_matching.data import read_training_data
from apps.science.tasks.force_matching.evaluate import COLUMNS, frame_errors, validate
from apps.science.tasks.force_matching.few_frames import describe_few_frames
from apps.science.tasks.force_matching.loss import frame_factors
from apps.science.tasks.force_matching.noise import Noise, prepare_noise

Job = TrainingJob


class Task(task.Task):
    """A network and the frames of one protein or several."""

    columns: ClassVar[Sequence[str]] = COLUMNS
    units: ClassVar[str] = "(kcal/mol/Å)²"
    remedy: ClassVar[str] = (
        "More frames, a smaller model or training.noise_angstrom would help"
    )
    job: TrainingJob

    def __init__(self, job: TrainingJob, ranks: Ranks) -> None:
        super().__init__(job, ranks)
        self.config, self.model = job.training, read_config(job.model)
        prior = None if job.prior is None else hash_file(job.prior)
        self.data = read_training_data(job.dataset, ranks.device, prior_sha256=prior)
        factors, probability = frame_factors(
            [protein.train.weight for protein in self.data.proteins], self.config
        )
        counts = [len(protein.train) for protein in self.data.proteins]
        self._batches = Batches(counts, self.config, job.seed, probability)
        self.n_samples = self._batches.n_frames
        self.n_batches = self._batches.n_batches
        self.noise = prepare_noise(
            self.data, self.config.noise_angstrom, ranks.device,
            self.config.noise_pairs, self.config.noise_force_share,
        )  # fmt: skip
        self.factors = torch.as_tensor(
            factors, dtype=torch.float32, device=ranks.device
        )
        self.doubt = f"look for outliers in the forces of {job.dataset}"

    @property
    def score(self) -> str:
        """The validation loss that is weighted as the loss is."""
        return "val_loss_weighted" if self.config.weighted else "val_loss_unweighted"

    def build(self) -> Network:
        """Return an untrained network of the job's model."""
        network = build_network(self.model)
        if self.config.mixed_precision:
            network.use_mixed_precision()
        if self.ranks.is_first:  # it tells the others
            for protein in self.data.proteins:
                sequence = None if protein.sequence is None else protein.sequence.cpu()
                for positions in protein.train.parts():
                    network.see(positions, sequence)
        return network

    def batches(self, epoch: int) -> Sequence[IntArray]:
        """Return frame numbers, of all proteins, of every batch."""
        return self._batches.order(epoch)

    def loss(
        self, network: nn.Module, part: str, batch: IntArray, at: tuple[int, int]
    ) -> Iterator[Share]:
        """Yield weighted squared errors of forces, and weights, of each protein."""
        for protein, places, rows in self._batches.split(batch):
            mine = self.ranks.share(len(rows))
            if not len(mine):
                continue
            numbers = torch.as_tensor(batch[places[mine]], device=self.ranks.device)
            factors = self.factors[numbers]
            errors = factors * self._train_errors(network, protein, rows, mine, at)
            yield Share(errors.sum(), factors.sum())

    def _train_errors(
        self, network: nn.Module, protein: int, rows: IntArray, mine: IntArray,
        at: tuple[int, int],
    ) -> Tensor:  # fmt: skip
        """Return the squared errors of this rank's frames of one protein."""
        assert isinstance(network, Network)
        draw = (self.job.seed, "noise", *at, protein)

        def measure(noise: Noise | None) -> Tensor:
            return frame_errors(
                network, self.data.proteins[protein], "train", rows, mine, noise, draw
            )

        noise = self.noise[protein]
        if noise is None or not noise.paired:
            return measure(noise)
        return (measure(noise) + measure(noise.mirrored)) / 2

    def validate(self, network: nn.Module, most: int | None) -> Mapping[str, float]:
        """Return the losses of frames that validate; see ``evaluate.validate``."""
        assert isinstance(network, Network)
        # one side of a pair says little, and paired noise hardly blurs
        noise = [None if n is None or n.paired else n for n in self.noise]
        return validate(
            network, self.data, noise, self.config, self.ranks, self.job.seed, most
        )

    def share_validated(self, most: int) -> float:
        """Return which share of the frames so many of each protein are."""
        counts = [len(protein.validation) for protein in self.data.proteins]
        return sum(min(n, most) for n in counts) / max(sum(counts), 1)

    def identity(self) -> Mapping[str, Any]:
        """Return the model's settings, and what the training set holds."""
        return {
            "model": describe_briefly(self.model),
            "data": self.data.fingerprint,
            "beads": [protein.embeddings.tolist() for protein in self.data.proteins],
        }

    def payload(self) -> Mapping[str, Any]:
        """Return the model, and each protein's prior and mapping."""
        proteins = {
            protein.key: {
                "residues": protein.residues,
                "prior_sha256": protein.prior_sha256,
                "prior_yaml": protein.prior_yaml,
                "mapping_json": protein.mapping_json,
            }
            for protein in self.data.proteins
        }
        provenance = {
            "dataset": str(self.job.dataset),
            "dataset_sha256": self.data.fingerprint,
            "weights": self.data.weights,
        }
        field = describe_force_field(self.model.model_dump(mode="json"), proteins)
        return {**field, "provenance": provenance}

    def warn(self, network: nn.Module) -> str:
        """Warn of fewer numbers known than weights to find."""
        weights = [p for p in network.parameters() if p.requires_grad]
        return describe_few_frames(self.data.proteins, self.config, weights)
