"""weft's own commands, for a shell to start and for a person to type."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def as_typed(path: Path | str) -> str:
    """Return a path as a person would type it from here, quoted for a shell."""
    here, path = Path.cwd(), Path(path)
    shown = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return shlex.quote(f"./{shown}" if shown.startswith("-") else shown)


def resume_command(run_dir: Path, options: Sequence[str] = ()) -> list[str]:
    """Return ``weft resume`` as this process was started, for a shell or a job."""
    return [sys.executable, "-P", str(Path(sys.argv[0]).absolute()), "resume",
            *options, str(run_dir)]  # fmt: skip
