"""The lines a site file adds to a submit script, each as its scheduler reads them.

A scheduler stops reading options at the first line that is none, so one line without
its prefix would silently end the reading before all lines that come after it.
"""

import re
import shlex
from typing import NoReturn

PREFIX = {"slurm": "#SBATCH", "pbspro": "#PBS", "lsf": "#BSUB", "gridengine": "#$"}

# Options that weft writes itself, and by which setting. The scheduler would take one of
# the two in silence. Those with a setting of None have no other way to be changed.
_OURS: dict[str, dict[str, str | None]] = {
    "slurm": {
        "-t --time": "walltime", "-N --nodes": "nodes_per_block",
        "--ntasks-per-node": "workers_per_node", "-J --job-name": None,
        "-o --output": None, "-e --error": None, "-a --array": None, "--wrap": None,
        "-D --chdir": None, "-H --hold": None, "-W --wait": None,
    },
    "pbspro": {
        "-l select": "select_options", "-l walltime": "walltime",
        "-l nodes": "nodes_per_block", "-l ncpus": "cores_per_node", "-N": None,
        "-o": None, "-e": None, "-j": None, "-J": None, "-S": None,
    },
    "lsf": {
        "-W": "walltime", "-n": "cores_per_node", "-nnodes": "nodes_per_block",
        "-J": None, "-o": None, "-e": None, "-oo": None, "-eo": None,
    },
    "gridengine": {
        "-l h_rt": "walltime", "-N": None, "-o": None, "-e": None, "-j": None,
        "-t": None, "-S": None, "-r": None,
    },
}  # fmt: skip
# The same where the setting is given.
_OURS_IF_SET: dict[str, dict[str, str]] = {
    "slurm": {
        "-p --partition": "partition", "-A --account": "account", "-q --qos": "qos",
        "-C --constraint": "constraint", "--mem": "memory_per_node_gib",
        "-c --cpus-per-task": "cores_per_node", "--gpus-per-node": "gpus_per_node",
        "-G --gpus": "gpus_per_node",
    },
    "pbspro": {"-q": "queue", "-A": "account"},
    "lsf": {"-q": "queue", "-P": "account"},
    "gridengine": {"-q": "queue", "-P": "account"},
}  # fmt: skip


def write_scheduler_lines(
    scheduler: str, text: str, settings: dict[str, object]
) -> str:
    """Return ``text`` with the scheduler's prefix before every option.

    Parameters
    ----------
    scheduler
        One of ``PREFIX``.
    text
        Options, one or several a line, with or without the prefix; remarks and blank
        lines.
    settings
        What else the executor sets.

    Raises
    ------
    ValueError
        If a line is no option, is another scheduler's, or says what weft's own lines
        say.
    """
    prefix = PREFIX[scheduler]
    lines = []
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        found = re.match(r"#\s*(SBATCH|PBS|BSUB|\$)(?=\s|-|$)", line, re.IGNORECASE)
        if found is not None and f"#{found[1]}" != prefix:
            _refuse(line, _describe_prefix(found[1], scheduler))
        if found is not None and not line.startswith(prefix):
            _refuse(line, f"{scheduler} takes it for a remark; begin it with {prefix}")
        options = line.removeprefix(prefix).strip() if found else line
        if not found and line.startswith("#"):
            lines.append(line)
            continue
        if not options.startswith("-"):
            _refuse(
                line,
                "it is no option, which begins with -; shell lines that prepare "
                "a node go into worker_init",
            )
        _refuse_ours(scheduler, line, options, settings)
        lines.append(f"{prefix} {options}")
    return "\n".join(lines)


def _describe_prefix(word: str, scheduler: str) -> str:
    theirs = {value: key for key, value in PREFIX.items()}
    other = theirs.get(f"#{word}", theirs.get(f"#{word.upper()}", scheduler))
    if other != scheduler:
        return f"it is for {other}, and this executor is asked of {scheduler}"
    return f"{scheduler} takes it for a remark; begin it with {PREFIX[scheduler]}"


def _refuse_ours(
    scheduler: str, line: str, options: str, settings: dict[str, object]
) -> None:
    given = _split(scheduler, options)
    for names, key in _OURS[scheduler].items():
        if given & set(_spelled(names)):
            instead = f"set {key} instead" if key else "remove it"
            _refuse(line, f"weft says {names.split()[-1]} itself; {instead}")
    for names, key in _OURS_IF_SET[scheduler].items():
        if settings.get(key) and given & set(_spelled(names)):
            _refuse(line, f"{key} says the same; keep one of them")


def _spelled(names: str) -> list[str]:
    """Return "-l select" as it is, and the two spellings of "-t --time"."""
    return [names] if names.startswith("-l ") else names.split()


def _split(scheduler: str, options: str) -> set[str]:
    """Return the options of a line; those of -l with the resource's name."""
    try:
        words = shlex.split(options, comments=True)
    except ValueError as error:
        _refuse(options, f"it cannot be read: {error}")
    found = set()
    for index, word in enumerate(words):
        if not re.match(r"-\D", word):
            continue
        found.add(word.partition("=")[0])
        if scheduler in ("slurm", "pbspro") and not word.startswith("--"):
            found.add(word[:2])  # -t10, -lselect=1
        if word[:2] == "-l":
            value = word[2:] or " ".join(words[index + 1 : index + 2])
            # a select statement has commas of its own only in later resources
            found |= {f"-l {r.partition('=')[0].strip()}" for r in value.split(",")}
    return found


def _refuse(line: str, why: str) -> NoReturn:
    raise ValueError(f"has the line {line!r}: {why}")
