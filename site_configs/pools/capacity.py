"""How many tasks of a role a site can run at a time, for sizing blocks of work."""

from site_configs.errors import SiteError
from site_configs.pools.worker_init import usable_cores
from site_configs.schema import Site


def count_workers(site: Site, role: str) -> int:
    """Return the workers of ``role`` when all its blocks are up; at least one.

    A node whose cores the site file does not give counts as one of this host's.
    """
    if site.python is not None:
        from site_configs.python_site import count_python_workers

        return count_python_workers(site.python, role)
    name = site.executor_of(role)
    if name is None:
        raise SiteError(f"Site {site.name} has no executor for role {role}.")
    executor = site.executors[name]
    if executor.task_spans_block:
        return executor.max_blocks
    per_node = executor.slots_per_node
    if per_node is None:
        per_node = usable_cores() // executor.cores_per_worker
    return max(1, per_node * executor.nodes_per_block * executor.max_blocks)
