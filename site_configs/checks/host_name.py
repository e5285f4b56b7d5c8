"""Whether a host's name stands for an address, as trainings over nodes like to ask."""

import socket
from collections.abc import Mapping
from typing import Literal

from site_configs.schema import Site


def ask_host_name() -> dict[str, str]:
    """Return this host's name, and its addresses or why it has none."""
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        return {"name": name, "error": error.strerror or str(error)}
    addresses = dict.fromkeys(str(item[4][0]) for item in found)
    return {"name": name, "addresses": ", ".join(addresses)}


def judge_host_name(
    answer: Mapping[str, str], site: Site
) -> tuple[Literal["ok", "look"], str]:
    """Return the level of a row of ``weft sites check``, and its words."""
    several = any(
        executor.task_spans_block and executor.nodes_per_block > 1
        for executor in site.executors.values()
    )
    name, found = answer["name"], answer.get("addresses", "")
    reached = any(not a.startswith("127.") for a in found.split(", ") if a)
    if found:
        said = f"{name} is {found}"
    else:
        said = f"{name} is known to nobody ({answer.get('error', 'no address')})"
    if not several:
        return "ok", said if found else f"{said}; on one node nothing asks for it"
    if reached:
        return "ok", said
    return "look", (
        f"{said}: if its nodes' names are like this too, a training over several nodes "
        "takes the interface of the default route. Name the right one with interface:, "
        "or ask the site's support to give hosts their names."
    )
