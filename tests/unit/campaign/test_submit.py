"""The driver's own job is asked for like a node of the analysis workers."""

import pytest

from apps.science.errors import ConfigError
from campaign.driver.submit import OF_WORKERS, ask_for_driver
from site_configs.schema import ExecutorConfig


def pool(**settings: object) -> ExecutorConfig:
    return ExecutorConfig.model_validate({"scheduler": "slurm"} | settings)


@pytest.mark.parametrize(
    "workers",
    [
        {"gpus_per_node": 4, "workers_per_gpu": 2, "mps": True},
        {"gpus_per_node": 4, "workers_per_gpu": 2, "workers_per_node": 8},
        {"gpus_per_node": 4, "accelerator": "rocm", "nodes_per_block": 2,
         "launcher": "srun", "launcher_options": "--mpi=none"},
        {"gpus_per_node": 4, "nodes_per_block": 2, "task_spans_block": True},
        {"walltime": "10:00:00", "drain_minutes": 60},
    ],
)  # fmt: skip
def test_what_is_said_of_workers_alone_is_not_asked_of_a_driver(
    workers: dict[str, object],
) -> None:
    shared = {"partition": "gpu", "account": "chem", "worker_init": "module load x"}
    driver = ask_for_driver(pool(**workers, **shared), "00:30:00")
    assert driver == pool(
        **shared, walltime="00:30:00", nodes_per_block=1, exclusive=False
    )


def test_the_names_of_those_settings_are_right() -> None:
    assert set(OF_WORKERS) <= set(ExecutorConfig.model_fields)


def test_a_walltime_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="The driver's job cannot be asked for"):
        ask_for_driver(pool(), "tomorrow")
