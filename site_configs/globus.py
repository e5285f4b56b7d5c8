"""Executor settings -> Parsl's executor for a Globus Compute endpoint."""

from importlib import import_module
from importlib.util import find_spec

from parsl.executors.base import ParslExecutor

from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig


def make_globus_executor(label: str, executor: ExecutorConfig) -> ParslExecutor:
    """Return the executor of one endpoint; it uses the login stored on this host.

    Raises
    ------
    SiteError
        If the SDK is missing or nobody is logged in here.
    """
    if find_spec("globus_compute_sdk") is None:
        raise SiteError(
            "This site needs the Globus Compute SDK. Install it with "
            "`pip install 'weft[globus]'`."
        )
    from parsl.executors import GlobusComputeExecutor

    sdk = import_module("globus_compute_sdk")
    auth = import_module("globus_compute_sdk.sdk.auth.globus_app")
    if auth.get_globus_app().login_required():  # else the SDK would ask and wait
        raise SiteError(
            "There is no valid Globus Compute login on this host. "
            "Run `globus-compute-endpoint login`, then try again."
        )
    return GlobusComputeExecutor(
        executor=sdk.Executor(
            endpoint_id=executor.endpoint_id,
            user_endpoint_config=dict(executor.endpoint_config) or None,
        ),
        label=label,
    )
