"""A Python file may be a site: it says all that YAML cannot."""

from pathlib import Path

import pytest

from site_configs.errors import SiteError
from site_configs.load import copy_site, load_site
from site_configs.python_site import build_python_config, count_python_workers
from site_configs.schema import Site

GOOD = """
def config(run_dir, environment):
    from parsl import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    return Config(
        executors=[
            HighThroughputExecutor(
                label=role, address="127.0.0.1", max_workers_per_node=3,
                provider=LocalProvider(max_blocks=2, worker_init="module load x"),
            )
            for role in ("md", "train")
        ]
    )
"""


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "odd_cluster.py"
    path.write_text(GOOD)
    return path


def test_its_configuration_is_completed_for_the_run(site_file: Path) -> None:
    folder = site_file.parent / "parsl"
    made = build_python_config(site_file, folder, {"TAG": "a b"}, ["md", "train"])
    assert made.run_dir == str(folder)
    for executor in made.executors:
        assert executor.provider.worker_init == "module load x\nexport TAG='a b'\n"
        assert "TAG=a b" in executor.interchange_launch_cmd
    assert count_python_workers(site_file, "md") == 6


def test_it_is_loaded_by_its_path(site_file: Path) -> None:
    site = load_site(site_file)
    assert (site.name, site.python) == ("odd_cluster", site_file)
    assert site.executor_of("md") == "md"


def test_a_copy_in_a_run_folder_does_not_need_the_original(site_file: Path) -> None:
    run = site_file.parent / "run"
    run.mkdir()
    copy_site(site_file, run / "site.yaml")
    site_file.unlink()
    site = load_site(run / "site.yaml")
    assert site.name == "odd_cluster"
    assert site.python == run / "site.py"
    assert site.python.read_text() == GOOD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", r"has no function config\(run_dir, environment\)"),
        ("def config(): pass", r"must be config\(run_dir, environment\)"),
        ("import nosuchmodule", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("def config(:", "SyntaxError"),
    ],
)
def test_a_bad_file_is_explained_when_loaded(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SiteError, match=f"mine.py.*{words}"):
        load_site(path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return {}", "returned a dict; it must return a parsl.Config"),
        ("return 1 / 0", "failed: ZeroDivisionError"),
    ],
)
def test_a_bad_configuration_is_explained(
    tmp_path: Path, body: str, words: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def config(run_dir, environment):\n    {body}\n")
    with pytest.raises(SiteError, match=words):
        build_python_config(path, tmp_path, {}, ["md"])


def test_a_missing_label_is_named_with_those_there(site_file: Path) -> None:
    with pytest.raises(SiteError, match=r"no executor labelled analysis.*md, train"):
        build_python_config(site_file, site_file.parent, {}, ["md", "analysis"])


def test_a_yaml_file_names_either_executors_or_python() -> None:
    with pytest.raises(ValueError, match="not both"):
        Site.model_validate({"name": "x", "executors": {"a": {}}, "python": "x.py"})
