"""What a site file may say: its executors, and which of them serves which role."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from site_configs.scheduler_options import write_scheduler_lines
from site_configs.text_checks import (
    NetworkName,
    OneWord,
    SelectOptions,
    ShellWords,
    Variables,
    Walltime,
)

Scheduler = Literal[
    "local", "slurm", "pbspro", "lsf", "gridengine", "kubernetes", "globus_compute"
]
Launcher = Literal["auto", "single", "simple", "srun", "mpiexec", "pals"]
Accelerator = Literal["cuda", "rocm", "xpu"]
USUAL_DRAIN_S = 30
BATCH: tuple[Scheduler, ...] = ("slurm", "pbspro", "lsf", "gridengine")

# Settings that only some schedulers know; elsewhere they would be silently ignored.
_ONLY_FOR: dict[str, tuple[Scheduler, ...]] = {
    "partition": ("slurm",),
    "qos": ("slurm",),
    "constraint": ("slurm",),
    "exclusive": ("slurm",),
    "memory_per_node_gib": ("slurm", "kubernetes"),
    "queue": ("pbspro", "lsf", "gridengine"),
    "select_options": ("pbspro",),
    "account": BATCH,
    "walltime": BATCH,
    "task_spans_block": BATCH,
    "drain_minutes": BATCH,
    "scheduler_options": BATCH,
    "image": ("kubernetes",),
    "namespace": ("kubernetes",),
    "volumes": ("kubernetes",),
    "endpoint_id": ("globus_compute",),
    "endpoint_config": ("globus_compute",),
}

# A Globus Compute endpoint starts its workers from a configuration of its own.
_NOT_OF_AN_ENDPOINT = (
    "accelerator", "address", "container", "cpu_affinity", "environment",
    "gpus_per_node", "heartbeat_seconds", "hung_task_minutes", "interface", "launcher",
    "launcher_options", "mps", "port_range", "scratch", "worker_init",
    "workers_per_gpu",
)  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _truths_are_no_numbers(cls, value: object, info: ValidationInfo) -> object:
        asked = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {int, float} & {asked, *get_args(asked)}:
            raise ValueError(
                "is true or false, as YAML reads on, off, yes and no; write a number"
            )
        return value


class ExecutorConfig(_Strict):
    """One pool of workers: where it is asked for, how large, what it runs first."""

    scheduler: Scheduler = Field("local", description="Who starts the workers.")
    partition: OneWord | None = Field(None, description="Slurm partition.")
    queue: OneWord | None = Field(
        None, description="Queue of PBS Pro, LSF, Grid Engine."
    )
    account: OneWord | None = Field(
        None, description="Project that pays for the hours."
    )
    qos: OneWord | None = Field(None, description="Slurm quality of service.")
    constraint: OneWord | None = Field(
        None, description="Slurm node feature, e.g. gpu."
    )
    exclusive: bool = Field(True, description="Ask Slurm for whole nodes.")
    scheduler_options: str = Field("", description="Further #SBATCH or #PBS lines.")
    select_options: SelectOptions = Field(
        "", description="Added to the PBS select statement."
    )

    nodes_per_block: int = Field(1, ge=1, description="Nodes of one batch job.")
    task_spans_block: bool = Field(
        False,
        description="A task has all nodes of its block, as DDP over nodes needs; "
        "else each worker has a task of its own.",
    )
    cores_per_node: int | None = Field(None, ge=1, description="CPU cores of a node.")
    gpus_per_node: int = Field(0, ge=0, description="GPUs of a node, or GPU tiles.")
    accelerator: Accelerator = Field(
        "cuda", description="Maker of the GPUs: which variables pin a worker to one."
    )
    workers_per_gpu: int = Field(
        1, ge=1, description="Tasks that share a GPU, as small systems may."
    )
    mps: bool = Field(
        False, description="Start NVIDIA's MPS on each node, for workers_per_gpu > 1."
    )
    cpu_affinity: str = Field(
        "none",
        pattern=r"^(none|block|block-reverse|alternating|list(:[\d,-]+)+)$",
        description="Cores of a worker: none, block, alternating, list:0-7:8-15.",
    )
    memory_per_node_gib: int | None = Field(None, ge=1, description="Memory to ask.")
    workers_per_node: int | Literal["auto"] = Field(
        "auto", description="Tasks at a time on a node; auto: one per GPU, else core."
    )
    cores_per_worker: int = Field(1, ge=1, description="Cores, and threads, of a task.")
    memory_per_worker_gib: float | None = Field(
        None, gt=0, description="Start fewer workers where a node's memory is short."
    )

    walltime: Walltime = Field(
        "01:00:00", description="Longest life of a block, HH:MM:SS."
    )
    drain_minutes: float | None = Field(
        None,
        ge=0,
        description="A block takes no new task this close to its end; default 0.5.",
    )
    min_blocks: int | None = Field(
        None, ge=0, description="Blocks kept when idle; default 1 on local, else 0."
    )
    init_blocks: int = Field(1, ge=0, description="Blocks asked for at the start.")
    max_blocks: int = Field(1, ge=1, description="Most blocks at a time.")
    launcher: Launcher = Field(
        "auto", description="Starts a pool on each node; pals is HPE Cray's mpiexec."
    )
    launcher_options: ShellWords = Field("", description="Options for srun or mpiexec.")

    worker_init: str = Field("", description="Shell lines run before the workers.")
    container: ShellWords = Field(
        "", description="Put before the workers' command: apptainer exec --nv weft.sif."
    )
    image: str | None = Field(None, description="Container image of a Kubernetes pod.")
    namespace: str = Field("default", description="Kubernetes namespace.")
    volumes: dict[str, str] = Field(
        {}, description="Kubernetes volume claims to the paths where pods see them."
    )
    environment: Variables = Field(
        {}, description="Variables of the workers; $NAME is expanded on the node."
    )
    scratch: str | None = Field(
        None, description="Fast folder of a node; each worker's part is WEFT_SCRATCH."
    )
    address: NetworkName | None = Field(
        None, description="Address of this host that workers reach; default: try all."
    )
    interface: NetworkName | None = Field(
        None, description="Network interface whose address workers reach, e.g. ib0."
    )
    port_range: tuple[int, int] | None = Field(
        None, description="Ports of this host that workers may reach: [first, last]."
    )
    heartbeat_seconds: int | None = Field(
        None,
        ge=1,
        description="A lost worker shows after one, a pool after 6; 3 local, else 5.",
    )
    hung_task_minutes: float = Field(
        15,
        ge=0,
        description="A worker at work that neither computes nor reads nor writes for "
        "so long is ended and its task tried again; 0: never.",
    )
    endpoint_id: str | None = Field(None, description="Globus Compute endpoint UUID.")
    endpoint_config: dict[str, Any] = Field(
        {}, description="Values for the endpoint's user configuration template."
    )

    @model_validator(mode="before")
    @classmethod
    def _options_have_their_prefix(cls, settings: Any) -> Any:
        if not isinstance(settings, dict) or settings.get("scheduler") not in BATCH:
            return settings
        options = settings.get("scheduler_options")
        if not isinstance(options, str):
            return settings
        try:
            lines = write_scheduler_lines(settings["scheduler"], options, settings)
        except ValueError as error:
            raise ValueError(f"scheduler_options {error}") from None
        return settings | {"scheduler_options": lines}

    @model_validator(mode="after")
    def _settings_fit_the_scheduler(self) -> Self:
        for key in sorted(self.model_fields_set & _ONLY_FOR.keys()):
            if self.scheduler not in _ONLY_FOR[key]:
                names = ", ".join(_ONLY_FOR[key])
                raise ValueError(f"{key} is for {names}, not for {self.scheduler}")
        if self.scheduler == "globus_compute" and self.endpoint_id is None:
            raise ValueError("globus_compute needs endpoint_id, the endpoint's UUID")
        if self.scheduler == "pbspro" and self.cores_per_node is None:
            raise ValueError("pbspro needs cores_per_node; else one core is granted")
        if self.scheduler == "kubernetes" and self.image is None:
            raise ValueError("kubernetes needs image, a container image with weft")
        if self.scheduler == "globus_compute":
            for key in _NOT_OF_AN_ENDPOINT:
                if key in self.model_fields_set:
                    raise ValueError(f"set {key} in the endpoint's own configuration")
        return self

    @model_validator(mode="after")
    def _workers_fit_the_gpus(self) -> Self:
        if self.workers_per_gpu > 1 and not self.gpus_per_node:
            raise ValueError("workers_per_gpu needs gpus_per_node")
        if self.mps and self.accelerator != "cuda":
            raise ValueError(f"mps is NVIDIA's, not for accelerator {self.accelerator}")
        most = self.gpus_per_node * self.workers_per_gpu
        if most and self.workers_per_node != "auto" and self.workers_per_node > most:
            raise ValueError(
                f"workers_per_node {self.workers_per_node} does not fit "
                f"{self.gpus_per_node} GPUs with {self.workers_per_gpu} workers each; "
                "raise workers_per_gpu"
            )
        return self

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if not self.kept_blocks <= self.max_blocks >= self.init_blocks:
            raise ValueError("min_blocks and init_blocks must not exceed max_blocks")
        if self.nodes_per_block > 1 and self.launcher in ("single", "simple"):
            raise ValueError(
                f"launcher {self.launcher} fills one node of the "
                f"{self.nodes_per_block} in a block; use srun, mpiexec or pals"
            )
        if self.task_spans_block:
            for key in ("workers_per_node", "workers_per_gpu"):
                if key in self.model_fields_set:
                    raise ValueError(
                        f"{key} does not go with task_spans_block: its one task has "
                        "the whole block, with a process for each GPU, or for every "
                        "cores_per_worker cores"
                    )
        if self.drain_seconds >= self.walltime_seconds:
            raise ValueError("drain_minutes leaves no time before the walltime ends")
        if self.address and self.interface:
            raise ValueError("give address or interface, not both")
        if self.port_range:
            first, last = self.port_range
            if not 1024 <= first < last <= 65535:
                raise ValueError(
                    f"port_range is [{first}, {last}]; write [first, last] within "
                    "1024 and 65535"
                )
        return self

    @property
    def slots_per_node(self) -> int | None:
        """Tasks that fit a node; None leaves the count to the node."""
        if self.workers_per_node != "auto":
            return self.workers_per_node
        if self.gpus_per_node:
            return self.gpus_per_node * self.workers_per_gpu
        if self.cores_per_node is None:
            return None
        return max(1, self.cores_per_node // self.cores_per_worker)

    @property
    def kept_blocks(self) -> int:
        """Blocks that stay when nothing is left to do."""
        if self.min_blocks is not None:
            return self.min_blocks
        return 1 if self.scheduler == "local" else 0

    @property
    def drain_seconds(self) -> int:
        """Time before the end of a block in which it takes no new task, s."""
        if self.drain_minutes is None:
            return min(USUAL_DRAIN_S, self.walltime_seconds // 4)
        return round(60 * self.drain_minutes)

    @property
    def walltime_seconds(self) -> int:
        """Length of a block, s."""
        hours, minutes, seconds = (int(part) for part in self.walltime.split(":"))
        return 3600 * hours + 60 * minutes + seconds


class Retries(_Strict):
    """How often a task is tried again, by what went wrong."""

    lost_workers: int = Field(
        10, ge=0, description="Lost workers, nodes or blocks that a task survives."
    )
    task_errors: int = Field(
        0, ge=0, description="Times a task that fails by itself is tried again."
    )


class Site(_Strict):
    """A machine or cluster, and the executors that serve a campaign there."""

    name: str = Field(description="Name of the site; default: name of its file.")
    description: str = Field("", description="One line for `weft sites list`.")
    executors: dict[str, ExecutorConfig] = Field(
        {}, description="Pools of workers by a name of your choice."
    )
    python: Path | None = Field(
        None, description="Instead of executors: a file with config(), for all else."
    )
    roles: dict[str, str] = Field(
        {}, description="Role (md, train, analysis) to executor; one serves all roles."
    )
    retries: Retries = Field(Retries(), description="When a task is tried again.")
    idle_minutes: float = Field(
        5, gt=0, description="Idle blocks beyond min_blocks are given back after this."
    )

    @model_validator(mode="after")
    def _either_yaml_or_python(self) -> Self:
        if self.python is None and not self.executors:
            raise ValueError("give executors, at least one")
        if self.python is not None and (self.executors or self.roles):
            raise ValueError("give executors, or python, not both")
        return self

    @model_validator(mode="after")
    def _ports_are_not_shared(self) -> Self:
        ranges = sorted(
            (*executor.port_range, name)
            for name, executor in self.executors.items()
            if executor.port_range
        )
        for (_, last, one), (first, _, other) in pairwise(ranges):
            if first <= last:
                raise ValueError(
                    f"executors {one} and {other} share port {first}; "
                    "give each a port_range of its own"
                )
        return self

    @model_validator(mode="after")
    def _roles_name_executors(self) -> Self:
        present = ", ".join(self.executors)
        for role, executor in self.roles.items():
            if executor not in self.executors:
                raise ValueError(
                    f"role {role} asks for executor {executor}, "
                    f"which is not there; executors: {present}"
                )
        if not self.roles and len(self.executors) > 1:
            raise ValueError(f"say which of {present} serves each role, under roles")
        return self

    def executor_of(self, role: str) -> str | None:
        """Return the name of the executor that serves ``role``, None if none does.

        With a Python file that is known once its configuration is built.
        """
        if self.python is not None:
            return role
        if role in self.roles:
            return self.roles[role]
        return next(iter(self.executors)) if len(self.executors) == 1 else None
