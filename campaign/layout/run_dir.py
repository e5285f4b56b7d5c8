"""Where everything lies that every run folder has; a type knows its own data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.science.stopping import STOP_FILE

RESOLVED: Final = "resolved.yaml"
LEDGER: Final = "ledger.jsonl"


@dataclass(frozen=True)
class RunDir:
    """The folder ``runs/<name>/``: what was asked, what finished, who is at work."""

    root: Path

    @classmethod
    def around(cls, folder: Path) -> "RunDir":
        """Return the run that a folder is or lies in; the folder if there is none."""
        folder = folder.absolute()
        for place in (folder, *folder.parents):
            if (place / RESOLVED).exists() or (place / LEDGER).exists():
                return cls(place)
        return cls(folder)

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self.root.name

    # what was asked, with every default, where and with what
    @property
    def campaign(self) -> Path:
        """The campaign.yaml as it was given."""
        return self.root / "campaign.yaml"

    @property
    def resolved(self) -> Path:
        """The campaign with every default."""
        return self.root / RESOLVED

    @property
    def site(self) -> Path:
        """The site file that was used."""
        return self.root / "site.yaml"

    @property
    def environment(self) -> Path:
        """Host, hardware and package versions."""
        return self.root / "environment.json"

    @property
    def inputs(self) -> Path:
        """Copies of the files that campaign.yaml names."""
        return self.root / "inputs"

    @property
    def input_list(self) -> Path:
        """What those files were: places, sizes, hashes."""
        return self.inputs / "inputs.json"

    @property
    def estimate(self) -> Path:
        """What the campaign was expected to do and take when it began."""
        return self.root / "estimate.json"

    @property
    def stages(self) -> Path:
        """What the stages are, as the campaign type declares them."""
        return self.root / "stages.json"

    # what finished, what was said, who is at work
    @property
    def ledger(self) -> Path:
        """Append-only record of stages."""
        return self.root / LEDGER

    @property
    def log(self) -> Path:
        """What was said."""
        return self.root / "campaign.log"

    @property
    def lock(self) -> Path:
        """Held by the living driver."""
        return self.root / "driver.lock"

    @property
    def driver(self) -> Path:
        """Process id and host of the driver, for messages."""
        return self.root / "driver.json"

    @property
    def driver_job(self) -> Path:
        """The batch job that will be the driver, for as long as it waits."""
        return self.root / "driver_job.json"

    @property
    def heartbeat(self) -> Path:
        """Touched by the living driver."""
        return self.root / "driver.alive"

    @property
    def stop(self) -> Path:
        """There while the driver is asked to leave."""
        return self.root / STOP_FILE

    @property
    def driver_out(self) -> Path:
        """What a detached driver prints."""
        return self.root / "driver.out"

    @property
    def parsl(self) -> Path:
        """Parsl's run folders, one per start."""
        return self.root / "parsl"

    @property
    def tasks(self) -> Path:
        """Task intervals noted by workers."""
        return self.root / "tasks"

    @property
    def monitoring(self) -> Path:
        """What the driver notes of blocks, workers and failed tries."""
        return self.root / "monitoring"

    def progress(self, stage: str) -> Path:
        """Return where a running stage's progress is."""
        return self.root / "progress" / f"{stage}.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.root / "report" / "index.html"
