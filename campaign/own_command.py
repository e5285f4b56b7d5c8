"""The command line by which another driver like this one is started."""

import sys
from pathlib import Path


def resume_command(run_dir: Path) -> list[str]:
    """Return ``weft resume`` as this process was started, for a shell or a job."""
    return [sys.executable, "-P", str(Path(sys.argv[0]).absolute()), "resume",
            str(run_dir)]  # fmt: skip
