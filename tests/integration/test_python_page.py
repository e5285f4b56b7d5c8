"""What docs/python.md says works, on a finished campaign."""

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_page_reads_a_run_as_it_says(uninterrupted: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    said = "\n".join(blocks)
    assert '"runs/my_protein"' in said
    names: dict[str, Any] = {}
    exec(said.replace('"runs/my_protein"', repr(str(uninterrupted))), names)
    assert names["state"] == "done"
    assert names["some"].shape == (3, 22, 3)
    n_iter = 20
    np.testing.assert_allclose(names["weights"].sum(), n_iter * 10, rtol=1e-6)
    model, radii = names["model"], names["radii"]
    assert model.positions.shape == (len(model.weight), 5, 3)
    assert names["energies"].shape == (8,)
    assert names["forces"].shape == (8, 5, 3)
    # the figure of the page is the campaign's own
    figures = names["found"]["metrics"]["gyration"]["figures"]
    assert figures
    assert 1 < names["mean"] < 4
    assert radii.min() < names["mean"] < radii.max()
