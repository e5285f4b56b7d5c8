"""A structure file as text: unpacked, and refused where it is of another format."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from apps.science.errors import StructureError

_PACKED: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
)
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"),
                 (b"\xfe\xff", "utf-16"))  # fmt: skip
_OTHER_FORMATS: Final = {
    ".pdbqt": "an AutoDock PDBQT file, which leaves out atoms", ".gro": "a GROMACS "
    "file", ".mol2": "a MOL2 file", ".sdf": "an SDF file", ".mol": "a MOL file",
    ".xyz": "an XYZ file", ".pqr": "a PQR file", ".mmtf": "an MMTF file",
    ".bcif": "a BinaryCIF file", ".dcd": "a DCD trajectory",
    ".xtc": "an XTC trajectory", ".psf": "a CHARMM PSF file",
    ".prmtop": "an Amber topology",
}  # fmt: skip
_WANTED = "Give a PDB (.pdb, .ent) or PDBx/mmCIF (.cif) file; both may be gzipped."


def read_text(path: Path) -> str:
    """Return the text of a PDB or mmCIF file, unpacked (gzip, bzip2, xz).

    Raises
    ------
    StructureError
        If the file is empty, cannot be unpacked or read, or is of another format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StructureError(
            f"{path} cannot be read: {error.strerror}. {_WANTED}"
        ) from None
    data = _unpack(path, data)
    if not data.strip():
        raise StructureError(f"{path} is empty ({len(data)} bytes). {_WANTED}")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) * (encoding == "utf-8") :].decode(encoding, "replace")
    _refuse_other_format(path, data)
    return data.decode("utf-8", errors="replace")


def is_mmcif(text: str) -> bool:
    """Say whether a text is mmCIF: its first word is ``data_...``."""
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return line.strip().lower().startswith("data_")
    return False


def _unpack(path: Path, data: bytes) -> bytes:
    for magic, unpack in _PACKED:
        if data.startswith(magic):
            try:
                return unpack(data)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise StructureError(
                    f"{path} is packed and cannot be unpacked: {error}. It was cut "
                    "off or damaged; fetch it again."
                ) from None
    return data


def _refuse_other_format(path: Path, data: bytes) -> None:
    named = path.name.lower().removesuffix(".gz")
    found = next((w for end, w in _OTHER_FORMATS.items() if named.endswith(end)), None)
    head = data[:4096].lstrip().lower()
    if b"\0" in data[:4096]:
        found = found or "a binary file"
    elif head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        found = "a web page (HTML), perhaps an error page saved in place of the file"
    elif head.startswith(b"<"):
        found = "an XML file"
    elif head.startswith((b"{", b"[")):
        found = "a JSON file"
    elif b"@<tripos>" in head:
        found = "a MOL2 file"
    elif b"v2000" in head or b"v3000" in head:
        found = "an SDF file"
    elif any(x in data for x in (b"\nROOT", b"\nTORSDOF", b"\nBRANCH")):
        found = "an AutoDock PDBQT file, which leaves out atoms"
    elif found is None and _is_gromacs(data):
        found = "a GROMACS file"
    if found is not None:
        raise StructureError(
            f"{path} is {found}, not a structure weft reads. {_WANTED}"
        )


def _is_gromacs(data: bytes) -> bool:
    lines = data.splitlines()[:3]
    return len(lines) == 3 and lines[1].strip().isdigit() and len(lines[2]) >= 44
