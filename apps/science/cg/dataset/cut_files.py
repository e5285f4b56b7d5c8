"""Tell a trajectory that was cut short from one that is whole, by its own records.

Readers stop at the end of what there is: a copy that was cut, or a disk that was full,
would count as a shorter simulation.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from apps.science.errors import DataError

_XTC_MAGIC: Final = (1995, 2023)
_XTC_WIDE: Final = 2023
"""Of files of more than 300 million atoms: sizes take 8 bytes."""
_TRR_MAGIC: Final = 1993
_FEW_ATOMS: Final = 9
"""XTC does not compress so few."""


def check_not_cut(path: Path) -> None:
    """Refuse a DCD, XTC, TRR or PDB file that ends in the midst of a frame.

    Raises
    ------
    DataError
        If it does, or a DCD file holds fewer frames than its header says.
    """
    look = _LOOKS.get(path.suffix.lower())
    if look is None:
        return
    try:
        with path.open("rb") as file:
            why = look(file, os.fstat(file.fileno()).st_size)
    except (struct.error, OverflowError, ZeroDivisionError, ValueError):
        why = "its last record is not whole"
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if why:
        raise DataError(
            f"{path} was cut short or damaged: {why}. Copy or write it again; to use "
            "what there is, write its whole frames to a new file."
        )


def _look_at_dcd(file: BinaryIO, size: int) -> str:
    head = file.read(92)
    if len(head) < 92:
        return f"{size} bytes are less than a header"
    order = "<" if struct.unpack("<i", head[:4])[0] == 84 else ">"
    if struct.unpack(f"{order}i", head[:4])[0] != 84 or head[4:8] != b"CORD":
        return ""  # 64-bit markers, or no DCD at all: the reader says
    control = struct.unpack(f"{order}20i", head[8:88])
    n_said, n_fixed, has_cell, has_fourth = (
        control[0], control[8], bool(control[10]), bool(control[11])
    )  # fmt: skip
    if n_fixed:
        return ""
    (n_title,) = struct.unpack(f"{order}i", file.read(4))
    file.seek(n_title + 4, 1)
    _, n_atoms, _ = struct.unpack(f"{order}3i", file.read(12))
    first = file.tell()
    frame = 3 * (4 * n_atoms + 8) + has_cell * 56 + has_fourth * (4 * n_atoms + 8)
    n_frames, rest = divmod(size - first, frame)
    if rest:
        return f"its last frame has {rest} of {frame} bytes; {n_frames} are whole"
    if n_said > n_frames:
        return f"its header says {n_said} frames, and it holds {n_frames}"
    return ""


def _look_at_xtc(file: BinaryIO, size: int) -> str:
    at = n_frames = 0
    while at < size:
        file.seek(at)
        head = file.read(56)
        if len(head) < 56:
            return _say_after(n_frames)
        magic, n_atoms = struct.unpack(">2i", head[:8])
        if magic not in _XTC_MAGIC:
            return "" if not n_frames else _say_after(n_frames)
        if n_atoms <= _FEW_ATOMS:
            at += 56 + 12 * n_atoms
        else:
            # precision, least and largest integers, and the size of what follows
            wide = magic == _XTC_WIDE
            file.seek(at + 56 + 4 + 12 + 12 + 4)
            form = ">q" if wide else ">i"
            (n_bytes,) = struct.unpack(form, file.read(struct.calcsize(form)))
            at = file.tell() + -(-n_bytes // 4) * 4
        if at > size:
            return _say_after(n_frames)
        n_frames += 1
    return ""


def _look_at_trr(file: BinaryIO, size: int) -> str:
    at = n_frames = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            return _say_after(n_frames)
        magic, _, n_name = struct.unpack(">3i", head)
        if magic != _TRR_MAGIC:
            return "" if not n_frames else _say_after(n_frames)
        file.seek(-(-n_name // 4) * 4, 1)
        sizes = struct.unpack(">10i", file.read(40))
        (n_atoms, _, _) = struct.unpack(">3i", file.read(12))
        box, x, v, f = sizes[2], *sizes[7:10]
        real = box // 9 if box else max(x, v, f) // (3 * n_atoms)
        at = file.tell() + 2 * real + sum(sizes)
        if at > size:
            return _say_after(n_frames)
        n_frames += 1
    return ""


def _look_at_pdb(file: BinaryIO, _size: int) -> str:
    begun = ended = 0
    for line in file:
        begun += line.startswith(b"MODEL ")
        ended += line.startswith(b"ENDMDL")
    return "" if begun <= ended else f"{begun} models begin and {ended} end"


def _say_after(n_frames: int) -> str:
    return f"it ends in the midst of a frame, after {n_frames} whole ones"


_LOOKS: Final[dict[str, Callable[[BinaryIO, int], str]]] = {
    ".dcd": _look_at_dcd, ".xtc": _look_at_xtc, ".trr": _look_at_trr,
    ".pdb": _look_at_pdb,
}  # fmt: skip
