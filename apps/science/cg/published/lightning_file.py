"""Checkpoints that Lightning wrote, read without running any code of theirs.

Beside tensors and plain values such files may name classes: those before Lightning 1.5
have the classes of callbacks as keys, and settings may be a namespace. Names of this
kind are read as inert stand-ins that hold what was stored; a file that names anything
else is refused, with a command that converts it where its makers are trusted.
"""

import pickle
import pickletools
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from apps.science.errors import DataError
from apps.science.learning.checkpoint_file import ForeignCheckpointError, check_records

_SETTINGS, _WEIGHTS = "hyper_parameters", "state_dict"

_INERT_MODULES: Final = ("pytorch_lightning.", "lightning.", "lightning_fabric.")
_INERT: Final = frozenset({
    "argparse.Namespace", "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath",
    "pathlib._local.PosixPath", "pathlib._local.WindowsPath",
})  # fmt: skip
"""What is read as a stand-in: settings, folders, and callbacks that are keys."""

CONVERTER: Final = (
    "import json, sys, torch; "
    'c = torch.load(sys.argv[1], map_location="cpu", weights_only=False); '
    'h = c["hyper_parameters"]; h = dict(h if hasattr(h, "keys") else vars(h)); '
    'h = json.dumps(h, default=lambda o: o.item() if hasattr(o, "item") else str(o)); '
    'torch.save({"hyper_parameters": json.loads(h), '
    '"state_dict": dict(c["state_dict"])}, sys.argv[2])'
)
"""Python that unpickles a file and writes it again as tensors and plain values."""


class _StandIn(dict[Any, Any]):
    """What a file stored in an object, and nothing that the object could do."""

    def __new__(cls, *arguments: Any) -> "_StandIn":
        return super().__new__(cls)

    def __init__(self, *arguments: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.update(state)


def is_lightning(path: Path) -> bool:
    """Say whether a file has the parts of a Lightning checkpoint; nothing is loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            strings = {
                value
                for name, value in _list_opcodes(archive)
                if name.endswith("UNICODE") and isinstance(value, str)
            }
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError):
        return False
    return {_SETTINGS, _WEIGHTS} <= strings


def read_lightning(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a Lightning checkpoint and its tensors by name.

    Raises
    ------
    DamagedCheckpointError
        If the file was cut or altered.
    ForeignCheckpointError
        If it holds objects that only code can make.
    DataError
        If its parts are not what Lightning writes.
    """
    import torch

    check_records(path)
    with zipfile.ZipFile(path) as archive:
        named = {
            str(value).replace(" ", ".")
            for name, value in _list_opcodes(archive)
            if name == "GLOBAL"
        }
    inert = {n for n in named if n in _INERT or n.startswith(_INERT_MODULES)}
    stand_ins: list[Any] = [(type("StandIn", (_StandIn,), {}), n) for n in inert]
    try:
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _refuse(path, named - inert) from None
    except (
        RuntimeError, ValueError, LookupError, EOFError, AttributeError, TypeError,
    ) as error:  # fmt: skip
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} cannot be read ({said}). Take another copy of it."
        ) from None
    found = content if isinstance(content, dict) else {}
    settings, weights = found.get(_SETTINGS), found.get(_WEIGHTS)
    if not isinstance(settings, dict) or not isinstance(weights, dict):
        raise DataError(
            f"{path} is no checkpoint of Lightning: it lacks {_SETTINGS} or "
            f"{_WEIGHTS}. Give a .ckpt that torchmd-net wrote."
        )
    strange = [k for k, v in weights.items() if not isinstance(v, torch.Tensor)]
    if strange:
        raise DataError(
            f"{path}: {strange[0]} in its {_WEIGHTS} is no tensor. Give a .ckpt that "
            "torchmd-net wrote."
        )
    return dict(settings), dict(weights)


def _list_opcodes(archive: zipfile.ZipFile) -> Iterator[tuple[str, Any]]:
    """Yield what the pickle in the archive would do, without doing it."""
    records = archive.namelist()
    found = next((n for n in records if n.rpartition("/")[2] == "data.pkl"), None)
    if found is None:
        return
    for opcode, value, _ in pickletools.genops(archive.read(found)):
        yield opcode.name, value


def _refuse(path: Path, named: set[str]) -> ForeignCheckpointError:
    import torch

    allowed = set(torch._weights_only_unpickler._get_allowed_globals())
    listed = sorted(named - allowed)
    what = f" ({', '.join(listed[:3])})" if listed else ""
    plain = path.with_name(f"{path.stem}-plain{path.suffix}")
    command = shlex.join(["python", "-c", CONVERTER, str(path), str(plain)])
    return ForeignCheckpointError(
        f"{path} holds more than tensors and plain values{what}, and reading that "
        "could run code of its own; so it was left alone. If you trust its makers, "
        "convert it where torchmd-net is installed, which runs that code, and give "
        f"the file that this writes: {command}"
    )
