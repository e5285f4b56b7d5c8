"""Let a run's certificates be found in a folder with brackets in its name.

ZeroMQ looks for the keys that may connect with a shell pattern. In a folder "[d]" it
finds none, so the driver and its interchange wait for each other; or those of "d".
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


def find_certificates_in_any_folder() -> None:
    """Make pyzmq load certificates in this process by the function above."""
    from zmq.auth import base

    setattr(base, "load_certificates", load_certificates)  # noqa: B010 - not exported
