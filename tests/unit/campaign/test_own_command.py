"""What a person is told to type can be pasted into a shell."""

import shlex
from pathlib import Path

import pytest

from campaign.telling.own_command import as_typed


@pytest.mark.parametrize("name", ["runs", "a b", "it's", "$(touch X)", "[d]", "-n"])
def test_a_path_is_typed_as_a_shell_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name / "x", Path(name) / "x"):
        (word,) = shlex.split(as_typed(path))
        assert Path(word).absolute() == tmp_path / name / "x"
        assert not word.startswith("-")
    outside = as_typed(tmp_path.parent / name)
    assert shlex.split(outside) == [str(tmp_path.parent / name)]


def test_a_plain_path_stays_as_it_is() -> None:
    assert as_typed(Path("runs/alanine")) == "runs/alanine"
