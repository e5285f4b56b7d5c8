"""Pack what a paper's supplement needs of a run: ``weft report RUN --bundle``."""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from apps.science.errors import ConfigError
from apps.science.files import atomic_path
from campaign.commands.bundle_text import (
    Places,
    describe,
    list_roots,
    rewrite_json,
    rewrite_text,
    rewrite_yaml,
)
from campaign.layout.protein_dir import ProteinDir
from campaign.opening.inputs import read_inputs
from campaign.opening.run_folder import check_is_run

MANIFEST: Final = "MANIFEST.sha256"
README: Final = "README.txt"
_STAMP: Final = (1980, 1, 1, 0, 0, 0)
"""No time of writing, so that the same run is packed into the same bytes."""
_RIGHTS: Final = 0o644 << 16

_OF_A_RUN: Final = (
    "resolved.yaml", "site.yaml", "site.py", "environment.json", "estimate.json",
    "inputs/**/*", "experiments/*.csv",
)  # fmt: skip
_OF_WHAT_IS_LEARNT: Final = (
    "cg/**/*.yaml", "cg/**/*.json", "models/*/config.yaml", "models/*/metrics.csv",
    "models/*/ending.json", "models/*/checkpoints/best.pt",
)  # fmt: skip
_OF_A_PROTEIN: Final = (
    "system/system.json", "system/protein.pdb", "system/topology.pdb",
    "cg/**/*.json", "reference/tica.npz", "benchmark/*/metrics.json",
    "benchmark/*/densities.npz", "report/index.html", "report/methods.txt",
    "report/figures/*",
)  # fmt: skip
_REWRITTEN: Final = {
    ".json": rewrite_json, ".yaml": rewrite_yaml, ".html": rewrite_text,
    ".txt": rewrite_text, ".csv": rewrite_text, ".py": rewrite_text,
}  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """What was packed: the file, how many are in it, and inputs that are not."""

    path: Path
    n_files: int
    left_out: list[str]


def write_bundle(run_dir: Path, out: Path | None = None) -> Bundle:
    """Write one zip file of settings, versions, figures, metrics and checkpoints.

    The same run gives the same bytes, wherever its folder lies: members are in order
    and without times, and paths into the run folder are relative. Each is listed in
    MANIFEST.sha256, as ``sha256sum -c`` reads it. ``weft run`` of the campaign.yaml
    inside makes the same run.

    Parameters
    ----------
    out : file to write; None is report/<name>_supplement.zip in the run folder

    Raises
    ------
    ConfigError
        If it is no run folder, or the file's name does not end with .zip.
    """
    paths = replace(ProteinDir.at(run_dir), protein=None)
    check_is_run(paths.root, paths.resolved, paths.campaign)
    target = out or paths.report.parent / f"{paths.name}_supplement.zip"
    if target.suffix.lower() != ".zip":
        raise ConfigError(
            f"A bundle is a zip file; found the name {target.name}. End it with .zip."
        )
    if target.is_dir():
        raise ConfigError(f"{target} is a folder. Name a file to write.")
    inputs = read_inputs(paths)
    copies = {i.written: i.copy or f"inputs/{i.name}" for i in inputs}
    moved = {i.original: copies[i.written] for i in inputs} | copies
    places = Places(list_roots(paths), moved | _find_folders(moved))
    left_out = [
        f"inputs/{i.name} ({i.size} bytes, sha256 {i.sha256})"
        for i in inputs
        if i.copy is None
    ]
    top = paths.name
    with atomic_path(target.absolute()) as temporary:
        lines = []
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in _list_members(paths, places, left_out):
                lines.append(f"{_write(packed, f'{top}/{name}', content)}  {name}\n")
            listed = "".join(sorted(lines, key=lambda line: line.split("  ", 1)[1]))
            _write(packed, f"{top}/{MANIFEST}", listed.encode())
    return Bundle(target, len(lines) + 1, left_out)


def _find_folders(copies: Mapping[str, str]) -> dict[str, str]:
    """Return where the folders of plug-ins went, by where the files in them did."""
    found = {}
    for path, copy in copies.items():
        top, name, *rest = Path(copy).parts
        if rest:
            found[path.removesuffix("/".join(["", *rest]))] = f"{top}/{name}"
    return found


def _list_members(
    paths: ProteinDir, places: Places, left_out: list[str]
) -> Iterator[tuple[str, bytes | Path]]:
    """Yield every member by its name in the bundle, with its content or its file."""
    yield README, describe(paths, left_out).encode()
    yield "campaign.yaml", rewrite_yaml(paths.campaign.read_bytes(), places)
    for path in _find_files(paths):
        rewrite = _REWRITTEN.get(path.suffix)
        name = path.relative_to(paths.root).as_posix()
        is_input = path.is_relative_to(paths.inputs) and path != paths.input_list
        if rewrite is None or is_input:
            yield name, path
        else:
            yield name, rewrite(path.read_bytes(), places)


def _find_files(paths: ProteinDir) -> list[Path]:
    """Return the files to pack, in the order of their names."""
    homes = dict.fromkeys([paths.home, *(home.home for home in paths.each_protein())])
    found = {
        path
        for folder, patterns in (
            (paths.root, _OF_A_RUN), *((home, _OF_A_PROTEIN) for home in homes),
            *((run.home, _OF_WHAT_IS_LEARNT) for run in paths.each_learner()),
        )
        for pattern in patterns
        for path in folder.glob(pattern)
        if path.is_file() and not path.name.startswith(".")
        and "__pycache__" not in path.parts
    }  # fmt: skip
    return sorted(found, key=lambda path: path.relative_to(paths.root).as_posix())


def _write(packed: zipfile.ZipFile, name: str, content: bytes | Path) -> str:
    """Write one member, a large file piece by piece; return its SHA-256."""
    about = zipfile.ZipInfo(name, _STAMP)
    about.compress_type = zipfile.ZIP_DEFLATED
    about.external_attr = _RIGHTS
    about.create_system = 3  # the same bytes on any system
    digest = hashlib.sha256()
    if isinstance(content, bytes):
        digest.update(content)
        packed.writestr(about, content)
        return digest.hexdigest()
    about.file_size = content.stat().st_size
    with content.open("rb") as source, packed.open(about, "w") as target:
        while piece := source.read(1 << 20):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()
