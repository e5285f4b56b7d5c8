"""Let a run lie in a folder with brackets in its name.

ZeroMQ and Parsl look into their folders with a shell pattern that the folder's own name
is part of. In a folder "[d]" they find nothing, or what is in "d": the driver and its
interchange wait for each other, strangers' keys are taken, and no run is resumed.
"""

import os
from pathlib import Path


def load_certificates(directory: str | os.PathLike[str] = ".") -> dict[bytes, bool]:
    """Return the public keys of a folder's certificates, as pyzmq's own does."""
    from zmq.auth import load_certificate

    found = {}
    for path in sorted(Path(directory).iterdir()):
        if path.suffix == ".key":
            found[load_certificate(path)[0]] = True
    return found


def make_numbered_folder(path: str) -> str:
    """Make the next of 000, 001, ... in ``path``, as Parsl's own does; return it."""
    folder = Path(path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
    made = folder / f"{max(numbers, default=-1) + 1:03}"
    made.mkdir()
    return str(made)


def find_certificates_in_any_folder() -> None:
    """Make pyzmq load certificates in this process by the function above."""
    from zmq.auth import base

    setattr(base, "load_certificates", load_certificates)  # noqa: B010 - not exported


def start_in_any_folder() -> None:
    """Make Parsl number its folders in this process by the function above."""
    from parsl.dataflow import dflow

    setattr(dflow, "make_rundir", make_numbered_folder)  # noqa: B010 - not exported
