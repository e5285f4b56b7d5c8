"""``python -m apps.science.learning CONFIG.yaml``: one process.

Exit 0: the model is finished. 1: failed. 2: the file is wrong. 3: stopped on request
with a checkpoint; start it again to go on. 5: another process of the same training,
which ``start_ranks`` started beside this one, is gone.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from apps.science.errors import ConfigError, WeftError
from apps.science.learning.config import Job
from apps.science.learning.meeting import ALONE, read_place
from apps.science.learning.parent import end_with_parent
from apps.science.plugins import list_kinds
from apps.science.stopping import UNFINISHED

_log = logging.getLogger("apps.science.learning")


def main(arguments: list[str], task: str | None = None) -> int:
    """Read the job, train, and return the exit status.

    Parameters
    ----------
    task : of a job file that names none
    """
    end_with_parent()
    first = read_place().rank == 0
    logging.basicConfig(
        level=logging.INFO if first else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        force=True,
    )
    if len(arguments) != 1:
        _log.error("usage: python -m apps.science.learning CONFIG.yaml")
        return 2
    try:
        fields = yaml.safe_load(Path(arguments[0]).read_text(encoding="utf-8"))
        job = _read_job(fields, task)
    except (OSError, yaml.YAMLError, ValueError, ConfigError) as error:
        _log.error("%s cannot be used: %s", arguments[0], error)
        return 2
    return _train(job)


def _read_job(fields: Any, task: str | None) -> Job:
    from apps.science.learning.task import PACKAGE, load_task

    if not isinstance(fields, dict):
        raise ConfigError("it holds no settings. Give the file of a training.")
    fields = {"task": task, **fields}
    if not isinstance(fields["task"], str):
        raise ConfigError(
            f"it names no task, but {fields['task']!r}. Add a line, task: and one of "
            f"{', '.join(list_kinds(PACKAGE))}."
        )
    job: Job = load_task(fields["task"]).Job.model_validate(fields)
    return job


def _train(job: Job) -> int:
    import torch

    from apps.science.learning.loop import train
    from apps.science.learning.ranks import LeftAloneError

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        return 0 if train(job) else UNFINISHED
    except LeftAloneError as error:
        _log.warning("%s", error)
        return ALONE
    except ConfigError as error:
        _log.error("%s", error)
        return 2
    except (WeftError, OSError) as error:  # such as a full disk
        _log.error("%s", error)
        return 1


def _leave(status: int) -> None:
    """Exit; beside other ranks at once, for in a usual exit gloo's threads may abort.

    A rank was seen to die so, of SIGABRT, with all its work done.
    """
    if read_place().size > 1:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def run(task: str | None = None) -> None:
    """Run this process as the command line says; see ``main``."""
    try:
        status = main(sys.argv[1:], task)
    except Exception:
        _log.exception("training failed")
        status = 1
    _leave(status)


if __name__ == "__main__":
    run()
