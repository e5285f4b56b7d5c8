"""A site file refuses what cannot run, and says which setting it is."""

import pytest
from pydantic import ValidationError

from site_configs.schema import ExecutorConfig, Site


def _site(**settings: object) -> Site:
    return Site.model_validate({"name": "here", **settings})


def test_one_executor_serves_every_role() -> None:
    site = _site(executors={"pool": {}})
    assert [site.executor_of(r) for r in ("md", "inference")] == ["pool", "pool"]


def test_several_executors_need_roles() -> None:
    with pytest.raises(ValidationError, match="say which of gpu, cpu serves each role"):
        _site(executors={"gpu": {}, "cpu": {}})


def test_a_role_must_name_an_executor_that_exists() -> None:
    with pytest.raises(ValidationError, match="role md asks for executor gpus"):
        _site(executors={"gpu": {}}, roles={"md": "gpus"})


def test_a_walltime_read_by_yaml_as_base_sixty_is_the_same_time() -> None:
    executor = ExecutorConfig.model_validate({"scheduler": "slurm", "walltime": 37830})
    assert executor.walltime == "10:30:30"
    assert executor.walltime_seconds == 37830


@pytest.mark.parametrize("walltime", ["2h", "00:00:00", "1:2:3", "01:60:00"])
def test_a_walltime_is_hours_minutes_seconds(walltime: str) -> None:
    with pytest.raises(ValidationError, match="write hours:minutes:seconds"):
        ExecutorConfig.model_validate({"scheduler": "slurm", "walltime": walltime})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scheduler": "pbspro", "partition": "gpu"}, "partition is for slurm"),
        ({"scheduler": "local", "walltime": "01:00:00"}, "not for local"),
        ({"scheduler": "globus_compute"}, "needs endpoint_id"),
        ({"scheduler": "pbspro"}, "needs cores_per_node"),
        ({"min_blocks": 3, "max_blocks": 2}, "must not exceed max_blocks"),
        ({"nodes_per_block": 2, "launcher": "single"}, "fills one node"),
        ({"address": "10.0.0.1", "interface": "ib0"}, "not both"),
        ({"workers_per_gpu": 2}, "needs gpus_per_node"),
        ({"gpus_per_node": 4, "workers_per_node": 8}, "raise workers_per_gpu"),
        ({"gpus_per_node": 4, "accelerator": "rocm", "mps": True}, "NVIDIA's"),
        ({"cpu_affinity": "spread"}, "should match pattern"),
        ({"port_range": [54000, 54000]}, "write .first, last."),
        ({"scheduler": "kubernetes"}, "needs image"),
        ({"scheduler": "slurm", "image": "weft"}, "image is for kubernetes"),
        (
            {"scheduler": "globus_compute", "endpoint_id": "x", "gpus_per_node": 1},
            "set gpus_per_node in the endpoint's own configuration",
        ),
        (
            {"scheduler": "slurm", "walltime": "00:10:00", "drain_minutes": 10},
            "leaves no time",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        ExecutorConfig.model_validate(settings)


def test_two_executors_do_not_share_ports() -> None:
    executors = {"a": {"port_range": [6000, 6100]}, "b": {"port_range": [6100, 6200]}}
    with pytest.raises(ValidationError, match="a and b share port 6100"):
        _site(executors=executors, roles={"md": "a"})
    executors["b"]["port_range"] = [6101, 6200]
    assert _site(executors=executors, roles={"md": "a"})


def test_every_setting_is_described() -> None:
    for model in (Site, ExecutorConfig):
        for name, field in model.model_fields.items():
            assert field.description, name
