"""Read a Parsl configuration and tell what its executors can do."""

import importlib
import os
from typing import Any

from parsl import Config

from apps.roles import MD
from apps.science.errors import ConfigError


def choose_executor(config: Config, label: str | None) -> str:
    """Return the label of the executor to use.

    Raises
    ------
    ConfigError
        If the configuration has none of that name.
    """
    labels = [e.label for e in config.executors]
    if label is None:
        label = labels[0] if len(labels) == 1 else MD
    if label not in labels:
        raise ConfigError(
            f"The Parsl configuration has no executor {label!r}. Its executors are "
            f"{', '.join(labels)}; name one of them."
        )
    return label


def count_workers(executor: Any) -> int:
    """Return how many tasks an executor can come to run at once, at least 1."""
    executor = getattr(executor, "target", executor)
    threads = getattr(executor, "max_threads", None)
    if threads is not None:
        return int(threads)
    provider = getattr(executor, "provider", None)
    n_cores = os.cpu_count() or 1
    per_node = getattr(executor, "max_workers_per_node", None) or n_cores
    if provider is None or not isinstance(per_node, int):
        return n_cores
    n_nodes = int(provider.nodes_per_block) * int(provider.max_blocks)
    return max(1, per_node * n_nodes)


def load_config(where: str) -> Config:
    """Import the configuration that ``module:name`` names.

    Raises
    ------
    ConfigError
        If there is none.
    """
    module, _, name = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), name or "config")
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"The Parsl configuration {where!r} cannot be read: {error}. It must be "
            "module:name, the module on PYTHONPATH."
        ) from error
    config = found() if callable(found) else found
    if not isinstance(config, Config):
        raise ConfigError(f"{where!r} is {type(config).__name__}, not a parsl.Config.")
    return config
