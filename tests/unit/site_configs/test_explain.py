"""The words of schedulers and jobs lead to the setting to mend."""

import pytest

from site_configs.checks.explain import advise, explain

SAID = [  # as Slurm 22.05, PBS Pro, bash, Lmod and Parsl say it
    ("sbatch: error: invalid partition specified: cpuu", "Set partition"),
    (
        "sbatch: error: Batch job submission failed: Invalid account or "
        "account/partition combination specified",
        "Set account",
    ),
    ("sbatch: error: Batch job submission failed: Invalid qos specification", "qos"),
    ("allocation failure: Requested node configuration is not available", "cores_per"),
    ("qsub: Unknown queue", "Set queue"),
    ("slurm_script: line 24: module: command not found", "Load the module system"),
    (
        "Lmod has detected the following error:  The following module(s) are "
        'unknown: "nosuch"',
        "Mend the module's name",
    ),
    ("ModuleNotFoundError: No module named 'site_configs'", "weft is not installed"),
    ("ConnectionError: No viable ZMQ url from: tcp://10.0.0.1:54072", "interface"),
    ("OSError: [Errno 122] Disk quota exceeded: '/home/me/x'", "quota is used up"),
]


@pytest.mark.parametrize(("said", "advice"), SAID)
def test_what_was_said_comes_with_what_to_do(said: str, advice: str) -> None:
    assert advice in advise(said)
    assert explain(f"Found cores : 4\n{said}").startswith(said)


def test_words_without_a_fault_are_shown_as_they_are() -> None:
    assert explain("all is well") == "all is well"
    assert explain("") == "It said nothing."


def test_a_message_said_twice_is_shown_once() -> None:
    assert explain("fatal error 7\nfatal error 7") == "fatal error 7"
