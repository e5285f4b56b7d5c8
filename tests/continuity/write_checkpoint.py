"""Write the checkpoints that later versions must open; run once per schema.

``python tests/continuity/write_checkpoint.py`` writes data/checkpoint_v2.pt and prints
the forces to keep in test_checkpoints.py. Never write a file again that was released.
"""

from pathlib import Path

import torch

from apps.science.cg.checkpoint import write_checkpoint
from apps.science.cg.force_field import load_checkpoint
from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import format_tables
from apps.science.models.potentials.base import build_network, read_config

PATH = Path(__file__).parent / "data" / "checkpoint_v2.pt"
MODEL = {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1, "num_rbf": 8}
POSITIONS = torch.tensor(
    [[[0.0, 0.0, 0.0], [3.8, 0.0, 0.0], [5.0, 3.6, 0.0], [7.0, 4.0, 3.2]]]
)


def main() -> None:
    """Write a CGSchNet of 8 channels with random weights, and say its forces."""
    torch.manual_seed(12)
    config = read_config(MODEL)
    own = [AtomGroup(atoms=[i], coefficients=[1.0]) for i in range(4)]
    mapping = Mapping(
        kind="calpha", force_map="slice", n_atoms=4, names=["CA"] * 4,
        types=["CAT", "CAA", "CAP", "CAG"], resnames=["TYR", "ALA", "PRO", "GLY"],
        resids=[1, 2, 3, 4], chains=[0] * 4, embeddings=[4, 1, 8, 2],
        masses_amu=[12.0] * 4, coordinate_groups=own, force_groups=own,
        bonds=[(0, 1), (1, 2), (2, 3)], angles=[], dihedrals=[],
    )  # fmt: skip
    pairs = [("CAT", "CAA"), ("CAA", "CAP"), ("CAP", "CAG")]
    tables = PriorTables(
        ("bonds",), ("bonds",), bonds=dict.fromkeys(pairs, (75.0, 3.85)),
        temperature_kelvin=300.0,
    )  # fmt: skip
    protein = {
        "residues": "YAPG",
        "prior_sha256": "",
        "prior_yaml": format_tables(tables),
        "mapping_json": mapping.model_dump_json(),
    }
    write_checkpoint(
        PATH, config.model_dump(mode="json"), build_network(config).state_dict(),
        proteins={"tetramer": protein}, provenance={"seed": 12},
    )  # fmt: skip
    energy, forces = load_checkpoint(PATH).compute(POSITIONS)
    print(energy.tolist(), forces.tolist())  # noqa: T201


if __name__ == "__main__":
    main()
