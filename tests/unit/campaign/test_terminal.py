"""Users' words reach the terminal as they are; what nobody foresaw is one sentence."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from campaign import cli
from campaign.commands.faults import say_fault
from campaign.telling.terminal import make_console
from campaign.watching.display import status_table

WEFT = Path(sys.executable).with_name("weft")
EXAMPLES = Path(__file__).parents[3] / "examples"


def weft(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [WEFT, *words], cwd=folder, capture_output=True, check=False, timeout=120,
        env=os.environ | more,
    )  # fmt: skip


@pytest.mark.parametrize("words", ["runs/[bold]x[/b]", "[/b]", "a:smile:b", "[link=x]"])
def test_brackets_and_colons_are_printed_as_they_are(words: str) -> None:
    out = io.StringIO()
    console = make_console(file=out, width=200, soft_wrap=True)
    console.print(f"Wrote {words}", style="dim")
    table = Table(title=words)
    table.add_column(words)
    table.add_row(words)
    console.print(table)
    assert out.getvalue().count(words) == 4


def test_a_stage_with_brackets_in_its_name_is_shown() -> None:
    stage = {
        "name": "train_[/b]", "state": "running", "seconds": 1.0, "left_s": None,
        "progress": None, "tasks": None, "started": 0.0,
    }  # fmt: skip
    out = io.StringIO()
    status = {"name": "[b]", "state": "done", "stages": [stage]}
    make_console(file=out, width=100).print(status_table(status))
    assert "train_[/b]" in out.getvalue()
    assert "[b]: done" in out.getvalue()


def test_a_narrow_terminal_shows_progress_without_cutting_it() -> None:
    stage = {
        "name": "benchmark_unweighted", "state": "running", "seconds": 1.0,
        "left_s": 400.0, "tasks": None, "started": 0.0,
        "progress": {"done": 21.24, "total": 30, "share": 0.708, "unit": "epoch"},
    }  # fmt: skip
    status = {"name": "x", "state": "running", "stages": [stage]}
    for width, shown in ((66, "71%"), (100, "21.24/30 epoch")):
        out = io.StringIO()
        make_console(file=out, width=width).print(status_table(status, width))
        assert shown in out.getvalue()
        assert "\N{HORIZONTAL ELLIPSIS}" not in out.getvalue()


def test_a_path_with_brackets_goes_through_the_command(tmp_path: Path) -> None:
    (tmp_path / "[b]").mkdir()
    done = weft("init", "x", "--out", "[b]/[red].yaml", folder=tmp_path)
    assert b"Wrote [b]/[red].yaml" in done.stdout
    done = weft("validate", "[b]/[/b].yaml", folder=tmp_path)
    assert (done.returncode, done.stderr[:21]) == (2, b"weft: [b]/[/b].yaml d")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_name_that_the_terminal_cannot_write_is_spelled(
    tmp_path: Path, encoding: str
) -> None:
    name = os.fsdecode("protéine→\N{GREEK SMALL LETTER ALPHA}".encode() + b"\xff.yaml")
    done = weft("init", "x", "--out", name, folder=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"\\xff.yaml" in done.stdout
    done = weft("validate", "ü\N{SNOWMAN}", folder=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    spelled = "ü\N{SNOWMAN}".encode(encoding, "backslashreplace")
    assert spelled in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_fault_is_one_sentence_and_its_traceback_lies_in_the_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "resolved.yaml").touch()
    try:
        raise ZeroDivisionError("nobody\nforesaw this")
    except ZeroDivisionError as error:
        said = say_fault(error, ["status", str(tmp_path), "\0"])
    (written,) = tmp_path.glob("fault-*.txt")
    assert said == (
        "Something unforeseen: ZeroDivisionError: nobody foresaw this. "
        f"Where it happened stands in {written}."
    )
    assert "test_terminal.py" in written.read_text()


def test_a_fault_without_a_run_goes_to_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = say_fault(KeyError("x"), [])
    assert "KeyError" in said
    assert len(list(tmp_path.glob("fault-*.txt"))) == 1
    said = say_fault(PermissionError(13, "Permission denied", "/some/file"), [])
    assert said.startswith("/some/file: permission denied; look at")
    assert len(list(tmp_path.glob("fault-*.txt"))) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "campaign.yaml", "--runs", "campaign.yaml"], b"a folder is needed"),
        (["validate", "."], b". is a folder; give the YAML file in it"),
        (["validate", "campaign.yaml/x"], b"campaign.yaml/x"),
        (["data", "a" * 300], b"longer than the file system takes"),
        (["init", "x", "--out", "campaign.yaml/y"], b"a folder is needed"),
    ],
)
def test_a_path_that_cannot_be_is_one_sentence(
    tmp_path: Path, words: list[str], said: bytes
) -> None:
    text = (EXAMPLES / "02_alanine_dipeptide" / "campaign.yaml").read_bytes()
    (tmp_path / "campaign.yaml").write_bytes(text)
    done = weft(*words, folder=tmp_path)
    assert said in done.stderr
    assert done.returncode in (1, 2)
    assert done.stderr.count(b"\n") == 1


def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{WEFT}' tune --help | head -c 1; '{WEFT}' sites list | :"],
        cwd=tmp_path, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_the_command_ends_with_one_and_a_sentence_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("not [/b] foreseen")

    monkeypatch.setattr("campaign.cli.app", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["weft", "status"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("weft: Something unforeseen: RuntimeError: not [/b]")
    assert "Traceback" not in said
    assert len(list(tmp_path.glob("fault-*.txt"))) == 1
