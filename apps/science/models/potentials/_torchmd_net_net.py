"""TorchMD-Net's networks on dense batches of one molecule."""

import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from apps.science.models.potentials._pairs import N_BEADS_ALL_PAIRS, PairLists
from apps.science.models.potentials.network import Network

if TYPE_CHECKING:
    from apps.science.models.potentials.torchmd_net import Config


class DensePairs(nn.Module):
    """All pairs inside each replica, in place of a neighbour search.

    TorchMD-Net's search is compiled on first use and may overflow its list. Beads
    of one small molecule need none: the smooth cutoff silences far pairs, and the
    shapes stay fixed.
    """

    def __init__(self, cutoff_angstrom: float, loops: bool, vectors: bool) -> None:
        super().__init__()
        self._cutoff, self._loops, self._vectors = cutoff_angstrom, loops, vectors
        self._cache: dict[tuple[int, int, torch.device], Tensor] = {}
        self.n_beads = 0

    def forward(
        self, positions: Tensor, batch: Tensor | None = None, box: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return edges (2, E), lengths (E,) and, if asked for, vectors (E, 3).

        Parameters
        ----------
        positions : (R * n_beads, 3), Angstrom
        """
        del batch, box
        edges = self._list_edges(len(positions) // self.n_beads, positions.device)
        vectors = positions.index_select(0, edges[0]) - positions.index_select(
            0, edges[1]
        )
        lengths = vectors.norm(dim=1)
        if self.n_beads > N_BEADS_ALL_PAIRS:
            near = (lengths < self._cutoff).nonzero().squeeze(1)
            edges, vectors = edges[:, near], vectors[near]
            lengths = lengths[near]
        if self._loops:
            # A loop's length is a constant zero: the norm has no gradient there.
            own = torch.arange(len(positions), device=positions.device)
            edges = torch.cat([edges, own.expand(2, -1)], dim=1)
            vectors = torch.cat([vectors, torch.zeros_like(positions)])
            lengths = torch.cat([lengths, torch.zeros_like(positions[:, 0])])
        return edges, lengths, vectors if self._vectors else None

    def _list_edges(self, n_replicas: int, device: torch.device) -> Tensor:
        key = (n_replicas, self.n_beads, device)
        if key not in self._cache:
            if len(self._cache) > 64:
                self._cache.clear()
            apart = ~torch.eye(self.n_beads, dtype=torch.bool, device=device)
            within = apart.nonzero().T
            offsets = torch.arange(n_replicas, device=device) * self.n_beads
            self._cache[key] = (within[:, None, :] + offsets[None, :, None]).reshape(
                2, -1
            )
        return self._cache[key]


class TorchMDNetNetwork(Network):
    """A TorchMD-Net model behind ``energy``.

    The graph network's filters depend on distance alone. For small molecules they
    are computed once per pair and not once per direction, with the same parameters
    and the same result as TorchMD-Net's own forward pass, in two thirds of its time.

    Parameters
    ----------
    own : arguments of TorchMD-Net's that win over those of the settings, for models
        that it trained itself
    """

    def __init__(self, config: "Config", own: dict[str, Any] | None = None) -> None:
        super().__init__()
        model = _create(config, own or {})
        self.representation = model.representation_model
        self.output = model.output_model
        self._is_graph = config.architecture == "graph-network"
        embedded = getattr(self.representation, "neighbor_embedding", None)
        self.has_plain_filters = self._is_graph and embedded is None
        self._edges = DensePairs(
            config.cutoff_angstrom, loops=not self._is_graph, vectors=not self._is_graph
        )
        self.representation.distance = self._edges
        self._pair_lists = PairLists()
        self._mixed = False
        _freeze_constant(self.output)

    def energy(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> Tensor:
        """Return energies (R,), kcal/mol; the sequence is not used."""
        small = len(embeddings) <= N_BEADS_ALL_PAIRS
        if self.has_plain_filters and (small or self._mixed):
            return self._graph_energy(positions, embeddings)
        return self.library_energy(positions, embeddings)

    def use_mixed_precision(self) -> None:
        """Run the graph network's filters in bfloat16 while training."""
        if not self._is_graph:
            super().use_mixed_precision()
        self._mixed = True

    def library_energy(self, positions: Tensor, embeddings: Tensor) -> Tensor:
        """Return energies (R,) by TorchMD-Net's own forward pass."""
        n_replicas, n_beads, _ = positions.shape
        self._edges.n_beads = n_beads
        z = embeddings.repeat(n_replicas)
        batch = torch.arange(n_replicas, device=z.device).repeat_interleave(n_beads)
        flat = positions.reshape(-1, 3)
        x, v, z, flat, batch = self.representation(z, flat, batch)
        per_bead = self.output.pre_reduce(x, v, z, flat, batch)
        energy: Tensor = per_bead.view(n_replicas, n_beads).sum(dim=1)
        return energy

    def _graph_energy(self, positions: Tensor, embeddings: Tensor) -> Tensor:
        network = self.representation
        pairs = self._pair_lists.get(len(embeddings), positions.device)
        _, lengths = pairs.measure(positions)
        basis = network.distance_expansion(lengths)
        mixed = self._mixed and self.training
        x = network.embedding(embeddings).expand(len(positions), -1, -1)
        for block in network.interactions:
            with torch.autocast(lengths.device.type, torch.bfloat16, enabled=mixed):
                weights = block.mlp(basis)
            weights = weights.to(lengths.dtype)
            weights = weights * block.conv.cutoff(lengths).unsqueeze(-1)
            message = pairs.sum_messages(weights, block.conv.lin1(x))
            x = x + block.lin(block.act(block.conv.lin2(message)))
        energy: Tensor = self.output.output_network(x).sum(dim=(1, 2))
        return energy


def _create(config: "Config", own: dict[str, Any]) -> Any:
    import warp

    warp.config.log_level = logging.WARNING  # it greets on stdout
    with warnings.catch_warnings():
        # TorchMD-Net warns which architectures it may drop one day.
        warnings.simplefilter("ignore")
        from torchmdnet.models.model import create_model

        return create_model(
            {
                "model": config.architecture,
                "precision": 32,
                "embedding_dimension": config.embedding_dimension,
                "num_layers": config.num_layers,
                "num_rbf": config.num_rbf,
                "rbf_type": "expnorm",
                "trainable_rbf": config.trainable_rbf,
                "activation": config.activation,
                "attn_activation": config.activation,
                "num_heads": config.num_heads,
                "distance_influence": "both",
                "equivariance_invariance_group": "O(3)",
                "neighbor_embedding": False,
                "aggr": "add",
                "cutoff_lower": config.cutoff_lower_angstrom,
                "cutoff_upper": config.cutoff_angstrom,
                "max_z": config.max_embedding,
                "max_num_neighbors": 64,
                "output_model": "Scalar",
                "reduce_op": "sum",
                "atom_filter": -1,
                "prior_model": None,
                "derivative": False,
                **own,
            }
        )


def _freeze_constant(output: nn.Module) -> None:
    """Fix the bias that only shifts the energy: forces give it no gradient."""
    biases = [p for n, p in output.named_parameters() if n.endswith("bias")]
    if biases and biases[-1].numel() == 1:
        biases[-1].requires_grad_(False)
