"""What goes wrong in the first of two tasks of a stage is told, not that it failed."""

from pathlib import Path

import yaml


def test_the_reason_is_that_of_the_task_that_others_wait_for(
    uninterrupted: Path, alanine_yaml: Path, weft
) -> None:
    # residues upon each other, their atoms in a row: no force field can mend that
    heap: list[str] = []
    for line in (uninterrupted / "system" / "protein.pdb").read_text().splitlines():
        if line.startswith(("ATOM", "HETATM")):
            k = sum(line[22:27] == before[22:27] for before in heap)
            heap.append(f"{line[:30]}{0.6 * k:8.3f}{2 * '   0.000'}{line[54:]}")
    (weft.folder / "heap.pdb").write_text("\n".join(heap) + "\n")
    campaign = yaml.safe_load(alanine_yaml.read_text())
    campaign["system"] = {"pdb": "heap.pdb", "solvent": "obc2", "beads": "backbone"}
    path = weft.folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(campaign))
    done = weft.call("run", path)
    assert done.returncode == 1, done.stdout
    assert "Stage prepare failed" in done.stderr
    assert "Dependency" not in done.stderr
    run_dir = weft.folder / "runs" / campaign["name"]
    stages = {s["name"]: s["state"] for s in weft.status(run_dir)["stages"]}
    assert stages["prepare"] == "failed"
