"""Text that a scheduler or a shell would misread is refused, and named."""

import pytest
from pydantic import ValidationError

from site_configs.schema import ExecutorConfig


@pytest.mark.parametrize(
    ("walltime", "words"),
    [
        (240, "is the number 240, which could be minutes or seconds"),
        ("4:00", "could be hours and minutes or minutes and seconds"),
        ("8h", "is '8h'; write hours:minutes:seconds in quotes"),
        ("2-00:00:00", 'write hours in place of days, "48:00:00"'),
        ("00:00:00", "write hours:minutes:seconds"),
        ("1:2:3", "write hours:minutes:seconds"),
        ("01:60:00", "write hours:minutes:seconds"),
        ("infinite", "write hours:minutes:seconds"),
        (True, "write hours:minutes:seconds"),
        (None, "write hours:minutes:seconds"),
    ],
)
def test_a_walltime_is_hours_minutes_seconds(walltime: object, words: str) -> None:
    with pytest.raises(ValidationError) as error:
        ExecutorConfig.model_validate({"scheduler": "slurm", "walltime": walltime})
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scheduler": "slurm", "account": "a b"}, "write one word"),
        ({"scheduler": "slurm", "account": "a\n#SBATCH -x"}, "write one word"),
        ({"select_options": "mem=4gb ncpus=3"}, "resources of a node alone"),
        ({"select_options": "mem=4gb+1:mem=2gb"}, "resources of a node alone"),
        ({"select_options": "ngpus=4:ncpus=32"}, "ncpus, which cores_per_node says"),
        ({"container": "apptainer exec 'x.sif"}, "cannot be read by a shell"),
        ({"container": "apptainer exec --nv /my images/x.sif"}, "'/my images/x.sif'"),
        ({"launcher_options": "-n\n2"}, "several lines"),
        ({"environment": {"MY VAR": "1"}}, "no name of a variable"),
        ({"address": "$(touch X)"}, "write one name or address"),
    ],
)
def test_text_that_would_be_misread_is_refused(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        ExecutorConfig.model_validate(settings)


@pytest.mark.parametrize(
    "container",
    [
        "apptainer exec --nv weft.sif",
        "apptainer exec --nv --bind /scratch images/weft.sif",
        "apptainer exec --nv '/my images/weft.sif'",
        "singularity exec $IMAGES/weft.sif",
        "podman run --rm weft:2",
    ],
)
def test_a_container_is_a_shells_words(container: str) -> None:
    assert ExecutorConfig(container=container).container == container
