"""The input files of a run: copied into inputs/ with their hashes, and checked."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from apps.science.errors import ConfigError
from apps.science.files import atomic_path, hash_file, write_json
from apps.science.input_files import PLUGINS
from apps.science.plugin_places import list_files
from campaign.layout.run_dir import RunDir

SCHEMA: Final = "weft-inputs-1"


@dataclass(frozen=True)
class Input:
    """One file that campaign.yaml names.

    Attributes
    ----------
    written : its path as campaign.yaml has it
    original : where that was, absolute
    copy : its copy, relative to the run folder; None for one too large to be copied
    mtime_ns : of the original when it was read; spares hashing it again
    """

    written: str
    original: str
    copy: str | None
    size: int
    sha256: str
    mtime_ns: int

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return Path(self.original).name

    def is_original_there(self) -> bool:
        """Tell whether the file that was given can still be read as it was."""
        return self.is_there(Path(self.original))

    def is_there(self, path: Path) -> bool:
        """Tell whether ``path`` is this very file."""
        try:
            stat = path.stat()
            if not path.is_file() or stat.st_size != self.size:
                return False
            return stat.st_mtime_ns == self.mtime_ns or hash_file(path) == self.sha256
        except OSError:
            return False


def copy_inputs(
    paths: RunDir,
    named: Mapping[str, Path],
    most_bytes: float,
    known: list[Input],
    in_folders: Mapping[str, Path] = MappingProxyType({}),
) -> list[Input]:
    """Copy files into the run folder, and note each with its hash.

    Parameters
    ----------
    named : by its path as it is written, where each file is
    most_bytes : a larger one stays where it is, and is known by its hash
    known : those noted before, which are kept
    in_folders : of those of them that are plug-ins, the folder, which keeps its order

    Raises
    ------
    ConfigError
        If a file cannot be read, or its copy not be written.
    """
    inputs = list(known)
    trees: dict[Path, Path] = {}
    for written, path in named.items():
        if any(one.written == written for one in inputs):
            continue
        if path.is_relative_to(paths.inputs):
            continue  # resolved.yaml names the copies themselves
        tree = in_folders.get(written)
        try:
            if tree is not None:
                top = trees.setdefault(tree, _name_copy(paths, PLUGINS, inputs))
                to = top / path.relative_to(tree)
                inputs.append(_take(paths, written, path, to))
            elif path.stat().st_size > most_bytes:
                inputs.append(_take(paths, written, path, None))
            else:
                to = _name_copy(paths, path.name, inputs)
                inputs.append(_take(paths, written, path, to))
        except OSError as error:
            raise ConfigError(
                f"The input file {path} cannot be copied into the run folder: "
                f"{error.strerror or error}."
            ) from None
    if inputs:
        _write_list(paths, inputs)
    return inputs


def renew_plugins(paths: RunDir, top: Path) -> list[str]:
    """Copy a folder of plug-ins again, as it is where it came from.

    Parameters
    ----------
    top : its copy in the run folder

    Returns
    -------
    paths in it of the files that are others now, new, or gone

    Raises
    ------
    ConfigError
        If it is not known where it came from, or that is not there.
    """
    inside = str(top.relative_to(paths.root))
    known = read_inputs(paths)
    before = {
        one.copy.removeprefix(f"{inside}/"): one
        for one in known
        if one.copy and one.copy.startswith(f"{inside}/")
    }
    if not before:
        raise ConfigError(
            f"{paths.input_list} does not say where {inside} came from. Run the "
            "campaign under another name to take its plug-ins anew."
        )
    name, one = next(iter(before.items()))
    folder = Path(one.original.removesuffix(f"/{name}"))
    written = one.written.removesuffix(f"/{name}")
    now = {path.as_posix(): folder / path for path in list_files(folder)}
    taken = {
        name: _take(paths, f"{written}/{name}", path, top / name)
        for name, path in now.items()
    }
    for name in set(before) - set(now):
        (top / name).unlink(missing_ok=True)
    others = [one for one in known if one not in before.values()]
    _write_list(paths, [*others, *taken.values()])
    return sorted(
        name
        for name in set(before) | set(taken)
        if name not in taken
        or name not in before
        or taken[name].sha256 != before[name].sha256
    )


def _write_list(paths: RunDir, inputs: list[Input]) -> None:
    files = [asdict(one) for one in inputs]
    write_json(paths.input_list, {"schema": SCHEMA, "files": files})


def _take(paths: RunDir, written: str, path: Path, to: Path | None) -> Input:
    stat = path.stat()
    copy = None
    if to is not None:
        with atomic_path(to) as temporary:
            shutil.copyfile(path, temporary)
        os.utime(to, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        copy = str(to.relative_to(paths.root))
        digest = hash_file(to)
    else:
        digest = hash_file(path)
    return Input(written, str(path), copy, stat.st_size, digest, stat.st_mtime_ns)


def _name_copy(paths: RunDir, name: str, others: list[Input]) -> Path:
    """Return where in inputs/ something is copied to that is called ``name``."""
    copies = [paths.root / one.copy for one in others if one.copy]
    taken = {paths.inputs / one.relative_to(paths.inputs).parts[0] for one in copies}
    return _free_name(paths.inputs / name, taken | {paths.input_list})


def _free_name(path: Path, taken: set[Path]) -> Path:
    """Return a name that no other file has, also where case does not count."""
    lower = {other.name.lower() for other in taken}
    number, found = 2, path
    stem, dot, suffixes = path.name.partition(".")  # 1abc.cif.gz stays one
    while found.name.lower() in lower:
        found = path.with_name(f"{stem}_{number}{dot}{suffixes}")
        number += 1
    return found


def read_inputs(paths: RunDir) -> list[Input]:
    """Return the inputs of a run; none of one that an earlier version began.

    Raises
    ------
    ConfigError
        If the list of them is damaged.
    """
    if not paths.input_list.exists():
        return []
    try:
        found = json.loads(paths.input_list.read_text(encoding="utf-8"))
        fields = Input.__dataclass_fields__
        return [Input(**{key: one[key] for key in fields}) for one in found["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{paths.input_list} cannot be read ({error}). Move it away: the files "
            "are then looked for where campaign.yaml says."
        ) from None


def list_copies(paths: RunDir, inputs: list[Input]) -> dict[str, Path]:
    """Return what to read in place of each file, by its path as it is written."""
    return {
        one.written: paths.root / one.copy if one.copy else Path(one.original)
        for one in inputs
    }


def list_digests(paths: RunDir) -> dict[str, str]:
    """Return the sha256 of each input, by the path that resolved.yaml has of it."""
    return {one.copy or one.original: one.sha256 for one in read_inputs(paths)}


def check_inputs(
    paths: RunDir, inputs: list[Input], *, needed: bool
) -> tuple[list[str], list[Input]]:
    """Compare copies and originals with what the run began with.

    Parameters
    ----------
    needed : whether what reads them is still to be done

    Returns
    -------
    sentences for whoever resumes, and the inputs whose copies are to be restored

    Raises
    ------
    ConfigError
        If one that is needed is neither here nor where it came from.
    """
    said, lost = [], []
    for one in inputs:
        original = Path(one.original)
        whole = one.is_original_there()
        if one.copy is None:
            if not whole and needed:
                raise ConfigError(_say_missing(one, original))
        elif not one.is_there(paths.root / one.copy):
            if not whole:
                raise ConfigError(_say_missing(one, paths.root / one.copy))
            lost.append(one)
            said.append(
                f"{one.copy} was gone or altered; it was copied again from {original}."
            )
        if not whole and original.exists():
            goes_on = f"its copy, {one.copy}" if one.copy else "what was read of it"
            said.append(
                f"{original} was changed since the run began, which goes on with "
                f"{goes_on}. To use the changed file, {_say_how(one)}."
            )
    return said, lost


def _say_how(one: Input) -> str:
    if one.copy and len(Path(one.copy).parts) > 2:  # of a folder of plug-ins
        return "resume with --new-plugins, which leaves what is done, or run it anew"
    return "run it under another name"


def restore_copies(paths: RunDir, lost: list[Input]) -> None:
    """Copy files into the run folder again."""
    for one in lost:
        to = paths.root / str(one.copy)
        with atomic_path(to) as temporary:
            shutil.copyfile(one.original, temporary)
        os.utime(to, ns=(one.mtime_ns, one.mtime_ns))


def _say_missing(one: Input, path: Path) -> str:
    state = "was changed" if path.exists() else "is not there"
    where = "" if path == Path(one.original) else f", nor is {one.original} as it was"
    return (
        f"{path} {state}{where}. The run began with a file {one.name} of {one.size} "
        f"bytes with the sha256 {one.sha256[:12]}; put that file there again."
    )
