"""Which limit of a site a failure met, in words with the key that raises it."""

from apps.science.errors import KilledError, list_causes
from apps.science.we.failures import FailureKind, classify_failure


def describe_limit(cause: BaseException) -> str:
    """Return a line about what was too little, with what to set; empty where nothing.

    To be asked while Parsl is loaded: what a scheduler said of its jobs is part of it.
    """
    from site_configs.pools.lost_worker import MEMORY_ADVICE

    for error in list_causes(cause):
        kind = classify_failure(error)
        if kind is FailureKind.OUT_OF_MEMORY:
            return f"Memory ran out there. {MEMORY_ADVICE}"
        if isinstance(error, KilledError):
            advice = MEMORY_ADVICE[0].lower() + MEMORY_ADVICE[1:]
            return f"If it was for want of memory: {advice}"
        if kind is FailureKind.LOST:
            return _say_of_blocks()
    return ""


def _say_of_blocks() -> str:
    """Return what schedulers said of the latest blocks that failed."""
    import parsl
    from parsl.errors import NoDataFlowKernelError

    try:
        executors = parsl.dfk().executors.values()
    except NoDataFlowKernelError:
        return ""
    said = {}
    for executor in executors:
        resources = getattr(getattr(executor, "provider", None), "resources", {})
        for entry in list(resources.values()):
            status = entry["status"]
            if status.state.name == "FAILED" and status.message:
                said[executor.label] = status.message
    return "\n".join(said.values())
