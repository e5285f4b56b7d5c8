"""A campaign that was asked for and begun, for tests of what happens to it then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from campaign.layout.protein_dir import ProteinDir
from campaign.ledger import Ledger
from campaign.opening.resume import Opened

PRIOR = "units: {}\n"
Start = Callable[..., ProteinDir]


def change(path: Path, **changes: Any) -> None:
    """Write ``section__key=value`` into a campaign.yaml."""
    body = yaml.safe_load(path.read_text())
    for where, value in changes.items():
        *sections, key = where.split("__")
        target = body
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    path.write_text(yaml.safe_dump(body))


def finish(paths: ProteinDir, *stages: str) -> None:
    """Note stages as done, each with a file."""
    ledger = Ledger(paths.ledger)
    for stage in stages:
        out = paths.root / "system" / f"{stage}.txt"
        out.parent.mkdir(exist_ok=True)
        out.write_text(stage)
        ledger.append("started", stage)
        ledger.record_done(stage, 1.0, [out])


def settle(opened: Opened) -> list[str]:
    opened.settle()
    return opened.said
