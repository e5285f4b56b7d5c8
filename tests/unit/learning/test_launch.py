"""The command of a training spreads its processes as its site says."""

from pathlib import Path

import psutil
import pytest

from apps.science.errors import ConfigError
from apps.science.learning.launch import training_command
from apps.science.learning.meeting import network_variables
from site_configs.pools.spanning import describe_block
from site_configs.schema import ExecutorConfig

JOB = Path("/run/config.yaml")


def words_after(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def spanning(**settings: object) -> dict[str, str]:
    executor = {"scheduler": "slurm", "task_spans_block": True} | settings
    return describe_block(ExecutorConfig.model_validate(executor))


def test_a_laptop_trains_in_one_plain_process() -> None:
    command = training_command(JOB, None, {})
    assert command[1:] == ["-P", "-m", "apps.science.learning", str(JOB)]
    assert training_command(JOB, None, spanning()) == command


def test_a_worker_with_several_gpus_has_a_process_for_each() -> None:
    command = training_command(JOB, None, {"CUDA_VISIBLE_DEVICES": "4,6,7"})
    assert words_after(command, "--per-node") == "3"
    assert "--meeting" not in command


def test_over_nodes_each_starts_its_own_and_all_meet_where_nobody_guesses() -> None:
    environ = spanning(nodes_per_block=3, gpus_per_node=4)
    command = training_command(JOB, None, environ)
    assert command[:2] == ["srun", "--nodes=3"]
    assert words_after(command, "--nodes") == "3"
    assert words_after(command, "--per-node") == "4"
    meeting = Path(words_after(command, "--meeting"))
    assert meeting.parent == JOB.parent
    assert len(meeting.name) > 32
    again = training_command(JOB, None, environ)
    assert Path(words_after(again, "--meeting")) != meeting


def test_the_interface_of_a_site_is_told_to_all_its_nodes() -> None:
    assert spanning(nodes_per_block=2, interface="hsn0")["WEFT_INTERFACE"] == "hsn0"
    assert "WEFT_INTERFACE" not in spanning(nodes_per_block=2)


@pytest.mark.parametrize(
    ("launcher", "start"),
    [("mpiexec", "mpiexec --bind-to none -n 2 -ppn 1 --env X=1"),
     ("pals", "mpiexec --cpu-bind none -n 2 --ppn 1 --env X=1"),
     ("srun", "srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --cpu-bind=none")],
)  # fmt: skip
def test_the_scheduler_s_own_launcher_starts_them(launcher: str, start: str) -> None:
    environ = spanning(
        nodes_per_block=2, launcher=launcher, launcher_options="--env X=1",
        cores_per_node=8, cores_per_worker=2, container="apptainer exec weft.sif",
    )  # fmt: skip
    command = environ["WEFT_ON_EACH_NODE"]
    assert command.startswith(start)
    assert command.endswith("--env X=1 apptainer exec weft.sif")
    assert environ["WEFT_PROCESSES_PER_NODE"] == "4"


def test_processes_that_do_not_spread_evenly_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"n_train_processes is 3, .* the 2 nodes"):
        training_command(JOB, 3, spanning(nodes_per_block=2))


def test_a_block_of_one_node_needs_no_launcher() -> None:
    command = training_command(JOB, None, spanning(gpus_per_node=2))
    assert "srun" not in command
    assert words_after(command, "--per-node") == "2"


@pytest.mark.parametrize("key", ["workers_per_node", "workers_per_gpu"])
def test_the_one_task_of_a_block_has_no_workers_beside_it(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} does not go with task_spans_block"):
        spanning(nodes_per_block=2, gpus_per_node=4, **{key: 1})


def test_one_node_talks_over_loopback_whatever_else_is_asked() -> None:
    asked = {"GLOO_SOCKET_IFNAME": "hsn0", "WEFT_INTERFACE": "hsn0"}
    found = network_variables(1, asked)
    name = found["GLOO_SOCKET_IFNAME"]
    assert "127.0.0.1" in {item.address for item in psutil.net_if_addrs()[name]}
    assert found["NCCL_SOCKET_IFNAME"] == f"={name}"


def test_several_nodes_talk_over_one_interface_the_site_s_if_there_is_one() -> None:
    loopback = network_variables(1)["GLOO_SOCKET_IFNAME"]
    found = network_variables(2, {"WEFT_INTERFACE": loopback})
    assert found["GLOO_SOCKET_IFNAME"] == loopback
    assert found["NCCL_SOCKET_IFNAME"] == f"={loopback}"
    found = network_variables(2, {"WEFT_INTERFACE": "none0"})
    assert found["GLOO_SOCKET_IFNAME"] in psutil.net_if_addrs()
    assert "NCCL_SOCKET_IFNAME" not in found
    assert not network_variables(2, {"GLOO_SOCKET_IFNAME": "x"})
