"""What is wrong with a site and can be seen before a run folder is made."""

import re
import socket
import subprocess
from collections.abc import Iterator

from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig, Site

_FILL_IN = (
    "partition",
    "queue",
    "account",
    "qos",
    "constraint",
    "endpoint_id",
    "image",
)


def check_filled_in(site: Site) -> None:
    """Check that nothing is left to fill in, and that a shell can read worker_init.

    Raises
    ------
    SiteError
        If something is; the message names all of it.
    """
    faults = [
        f"  executors.{name}.{fault}"
        for name, executor in site.executors.items()
        for fault in _find_faults(executor)
    ]
    if faults:
        raise SiteError(
            f"The site {site.name} cannot be used yet:\n" + "\n".join(faults)
        )


def check_addresses(site: Site) -> None:
    """Check that workers could reach this host where the site file says.

    Raises
    ------
    SiteError
        If an address or a network interface is not of this host.
    """
    import psutil

    present = psutil.net_if_addrs()
    own = {item.address for items in present.values() for item in items}
    for name, executor in site.executors.items():
        where = f"The site {site.name} has executors.{name}"
        if executor.interface is not None and executor.interface not in present:
            raise SiteError(
                f"{where}.interface {executor.interface}, which this host does not "
                f"have. Its interfaces: {', '.join(present)}."
            )
        if executor.address is None:
            continue
        try:
            asked = {i[4][0] for i in socket.getaddrinfo(executor.address, None)}
        except OSError as error:
            raise SiteError(
                f"{where}.address {executor.address}, which is not known here: "
                f"{error.strerror}. Give an address of this host, or leave it out."
            ) from None
        if not asked & own:
            raise SiteError(
                f"{where}.address {executor.address}, which is no address of this "
                f"host. Name an interface ({', '.join(present)}), or leave it out."
            )


def _find_faults(executor: ExecutorConfig) -> Iterator[str]:
    for key in _FILL_IN:
        found = re.search(r"<[^<>]+>", str(getattr(executor, key) or ""))
        if found is not None:
            yield f"{key}: still has {found[0]}; copy the site file and fill it in"
    if executor.worker_init.strip():
        done = subprocess.run(
            ["bash", "-n"], input=executor.worker_init, capture_output=True,
            check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            yield f"worker_init: a shell cannot read it: {said[0] if said else 'bash'}"
