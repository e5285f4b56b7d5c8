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


def test_a_walltime_is_as_long_as_it_says() -> None:
    executor = ExecutorConfig.model_validate(
        {"scheduler": "slurm", "walltime": "10:30:30"}
    )
    assert executor.walltime_seconds == 37830


@pytest.mark.parametrize(
    ("scheduler", "text", "lines"),
    [
        ("slurm", "--gres=gpu:a100:4", "#SBATCH --gres=gpu:a100:4"),
        ("slurm", "  #SBATCH -C nvme  ", "#SBATCH -C nvme"),
        ("slurm", "#SBATCH --mail-type=ALL\n\n# a remark\n--mem=0\n",
         "#SBATCH --mail-type=ALL\n# a remark\n#SBATCH --mem=0"),
        ("slurm", "#SBATCH --comment='cost $5 -t & more' # ours",
         "#SBATCH --comment='cost $5 -t & more' # ours"),
        ("slurm", "#SBATCH --gres=gpu:2", "#SBATCH --gres=gpu:2"),
        ("pbspro", "-l place=scatter", "#PBS -l place=scatter"),
        ("pbspro", "#PBS -l filesystems=home:eagle -k doe",
         "#PBS -l filesystems=home:eagle -k doe"),
        ("lsf", '-R "rusage[mem=4GB]"', '#BSUB -R "rusage[mem=4GB]"'),
        ("lsf", "#BSUB -env all", "#BSUB -env all"),
        ("gridengine", "-pe smp 8\n#$ -l gpu=1,mem_free=4G",
         "#$ -pe smp 8\n#$ -l gpu=1,mem_free=4G"),
    ],
)  # fmt: skip
def test_scheduler_options_are_lines_of_the_scheduler(
    scheduler: str, text: str, lines: str
) -> None:
    pool = {"scheduler": scheduler, "scheduler_options": text, "cores_per_node": 4}
    executor = ExecutorConfig.model_validate(pool)
    assert executor.scheduler_options == lines
    again = executor.model_dump(exclude_unset=True)
    assert ExecutorConfig.model_validate(again) == executor


@pytest.mark.parametrize(
    ("scheduler", "text", "words"),
    [
        ("slurm", "module load x", "it is no option, which begins with -"),
        ("slurm", "# SBATCH --mem=0", "takes it for a remark; begin it with #SBATCH"),
        ("slurm", "#sbatch --mem=0", "takes it for a remark; begin it with #SBATCH"),
        ("slurm", "#PBS -l x=1", "it is for pbspro, and this executor is asked of"),
        ("pbspro", "#SBATCH -C x", "it is for slurm"),
        ("slurm", "#SBATCH", "it is no option"),
        ("slurm", "--time=4:00", "weft says --time itself; set walltime instead"),
        ("slurm", "-t4", "set walltime instead"),
        ("slurm", "#SBATCH -C x -N 2", "set nodes_per_block instead"),
        ("slurm", "--output=x", "weft says --output itself; remove it"),
        ("slurm", "-p cpu", "partition says the same; keep one"),
        ("slurm", "--comment='x", "it cannot be read: No closing quotation"),
        ("pbspro", "#PBS -l select=2:ncpus=32:ngpus=4:mem=200gb", "set select_options"),
        ("pbspro", "#PBS -l place=free,select=1:ncpus=1", "set select_options"),
        ("pbspro", "-lwalltime=1:00", "set walltime instead"),
        ("pbspro", "-l nodes=2:ppn=4", "set nodes_per_block instead"),
        ("lsf", "-W 60", "set walltime instead"),
        ("gridengine", "#$ -l gpu=1,h_rt=60", "set walltime instead"),
        ("gridengine", "-t 1-10", "weft says -t itself; remove it"),
    ],
)
def test_scheduler_options_that_change_others_in_silence_are_refused(
    scheduler: str, text: str, words: str
) -> None:
    pool = {"scheduler": scheduler, "scheduler_options": text, "cores_per_node": 4}
    pool |= {"partition": "gpu"} if scheduler == "slurm" else {}
    with pytest.raises(ValidationError) as error:
        ExecutorConfig.model_validate(pool)
    assert words in str(error.value)


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
        ({"max_blocks": True}, "is true or false"),
        ({"workers_per_node": True}, "is true or false"),
        ({"memory_per_worker_gib": True}, "is true or false"),
        ({"memory_per_worker_gib": float("inf")}, "finite number"),
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
