"""What a scheduler or a job said -> what to do about it."""

import re

_ADVICE: tuple[tuple[str, str], ...] = (
    # Slurm
    (r"invalid partition", "Set partition to one of those that sinfo lists."),
    (r"invalid account|account/partition combination",
     "Set account to one that may use the partition: sacctmgr show assoc user=$USER."),
    (r"invalid qos", "Set qos to one that the account may use, or leave it out."),
    (r"PartitionTimeLimit|time limit (is invalid|specification)|time limit.*exceed",
     "Shorten walltime: the partition allows less (sinfo -o '%R %l')."),
    (r"invalid feature", "Set constraint to a feature that sinfo -o '%R %f' lists."),
    (r"invalid generic resource|gres",
     "No node there has so many GPUs; see sinfo -o '%R %G'."),
    (r"PartitionConfig|node configuration is not available|memory specification",
     "No node of the partition has so many cores, GPUs or so much memory: compare "
     "cores_per_node, gpus_per_node and memory_per_node_gib with "
     "sinfo -o '%R %c %G %m'."),
    (r"unrecognized option", "Mend scheduler_options."),
    (r"QOSMax|AssocMax|AssocGrp|QOSGrp",
     "A limit of the account or qos is reached; wait, or ask for less."),
    (r"JobHeld", "The job is held; the site's support can say why."),
    # PBS, LSF, Grid Engine
    (r"unknown queue|no such queue|queue .* does not exist",
     "Set queue to one that the scheduler lists (qstat -Q, bqueues, qconf -sql)."),
    (r"unknown resource", "Mend -l in scheduler_options: qconf -sc lists resources."),
    (r"\(-l [^)]*h_rt=\d+[^)]*\) cannot run in queue",
     "Shorten walltime: the queue allows less (qconf -sq QUEUE, h_rt)."),
    (r"requested parallel environment|cannot run in PE",
     "Set -pe in scheduler_options to one that the queue has, with no more slots than "
     "a node: qconf -spl, qconf -sp NAME."),
    (r"has no permission for", "Set queue to one that you may use."),
    (r"unknown project|invalid project|project .* not", "Set account to your project."),
    # the job itself
    (r"no module named '?site_configs|no module named '?apps",
     "weft is not installed in the Python that runs on the node; install it on a file "
     "system that nodes see, or activate its environment in worker_init."),
    (r"no module named", "Install it in the environment that worker_init activates."),
    (r"scratch folder", "Set scratch to a folder that nodes have and may write to."),
    (r"module: command not found",
     "Load the module system first in worker_init, such as: source /etc/profile."),
    (r"module\(s\) are unknown|unable to locate a modulefile|module.*not found",
     "Mend the module's name in worker_init: module avail lists them."),
    (r"\.bashrc|activate: No such file|EnvironmentNameNotFound|could not find conda",
     "Mend the environment that worker_init activates."),
    (r"command not found", "Mend worker_init, or install the command on the node."),
    (r"Failed to connect to interchange|No viable|ConnectionError|viable address",
     "Workers reach no address of this host: set interface (such as ib0 or hsn0), "
     "address, or a port_range that the firewall lets through."),
    (r"disk quota exceeded", "Free some space: a quota is used up."),
    (r"no space left", "Free some space: a disk is full."),
    (r"file too large",
     "Files may not grow so large there: lift the limit (ulimit -f) or the quota."),
    (r"read-only file system", "The node cannot write there; use another folder."),
    (r"permission denied|operation not permitted",
     "Use a folder that the node may write to."),
    (r"no such file or directory",
     "The node does not see this file; use a file system that nodes share."),
)  # fmt: skip

_ALARMING = re.compile(
    r"error|not found|not available|no such|cannot|unable|unknown|denied|fail|quota"
    r"|invalid",
    re.IGNORECASE,
)

# Slurm's reasons that no waiting will mend.
HOPELESS = frozenset(
    {
        "PartitionTimeLimit", "PartitionNodeLimit", "PartitionConfig", "PartitionDown",
        "PartitionInactive", "BadConstraints", "InvalidAccount", "InvalidQOS",
        "JobHeldUser", "JobHeldAdmin", "AccountNotAllowed", "QOSNotAllowed",
        "ReservationDeleted", "AssocMaxNodePerJobLimit",
        "AssocMaxWallDurationPerJobLimit", "QOSMaxNodePerJobLimit",
        "QOSMaxWallDurationPerJobLimit", "QOSMaxCpuPerJobLimit",
    }
)  # fmt: skip


def advise(said: str) -> str:
    """Return what to do about what a scheduler or a job said; empty if unknown."""
    for pattern, advice in _ADVICE:
        if re.search(pattern, said, re.IGNORECASE):
            return advice
    return ""


def explain(said: str, n_lines: int = 4) -> str:
    """Return the last alarming lines of what was said, and what to do about it."""
    stripped = (line.strip() for line in said.splitlines())
    lines = list(dict.fromkeys(line for line in stripped if line))
    alarming = [
        line
        for line in lines
        if _ALARMING.search(line) and not line.startswith("raise ")
    ] or lines
    words = "\n".join(alarming[-n_lines:]) or "It said nothing."
    return f"{words}\n{advise(words)}".strip()


def alarming_lines(said: str) -> list[str]:
    """Return the lines that sound like a fault."""
    return [line.strip() for line in said.splitlines() if _ALARMING.search(line)]
