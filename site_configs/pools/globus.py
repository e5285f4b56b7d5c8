"""Executor settings -> Parsl's executor for a Globus Compute endpoint."""

from collections.abc import Mapping
from concurrent.futures import Future
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from parsl.executors import GlobusComputeExecutor
from parsl.executors.base import ParslExecutor

from site_configs.errors import SiteError
from site_configs.pools.worker_setup import run_in_environment
from site_configs.schema import ExecutorConfig

_LOG_IN = "Run `globus-compute-endpoint login`, then try again."


class EndpointExecutor(GlobusComputeExecutor):  # type: ignore[misc]
    """Gives each task the run's environment, which an endpoint does not know."""

    environment: Mapping[str, str] = {}

    def submit(
        self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Send one task to the endpoint."""
        future: Future[Any] = super().submit(
            run_in_environment,
            resource_specification,
            dict(self.environment),
            func,
            *args,
            **kwargs,
        )
        return future


def make_globus_executor(
    label: str, executor: ExecutorConfig, environment: Mapping[str, str] | None = None
) -> ParslExecutor:
    """Return the executor of one endpoint; it uses the login stored on this host.

    Raises
    ------
    SiteError
        If the SDK is missing, nobody is logged in here, or the endpoint is not there
        or not running.
    """
    if find_spec("globus_compute_sdk") is None:
        raise SiteError(
            "This site needs the Globus Compute SDK. Install it with "
            "`pip install 'weft[globus]'`."
        )
    sdk = import_module("globus_compute_sdk")
    client = _log_in(sdk)
    check_endpoint(client, str(executor.endpoint_id))
    made = EndpointExecutor(
        executor=sdk.Executor(
            endpoint_id=executor.endpoint_id,
            client=client,
            user_endpoint_config=dict(executor.endpoint_config) or None,
        ),
        label=label,
    )
    made.environment = dict(environment or {})
    return made


def _log_in(sdk: Any) -> Any:
    """Return a client with the stored login; never ask for one."""
    auth = import_module("globus_compute_sdk.sdk.auth.globus_app")
    try:
        if auth.get_globus_app().login_required():  # else the SDK would ask and wait
            raise SiteError(f"There is no Globus Compute login on this host. {_LOG_IN}")
        return sdk.Client(do_version_check=False)
    except ValueError as error:  # half of a client's credentials
        raise SiteError(f"Globus Compute cannot log in: {error}") from None


def check_endpoint(client: Any, endpoint_id: str) -> None:
    """Check that an endpoint exists and runs.

    Raises
    ------
    SiteError
        If not, if the login has expired, or the service does not answer.
    """
    globus = import_module("globus_sdk")
    try:
        status = str(client.get_endpoint_status(endpoint_id).get("status"))
    except globus.AuthAPIError as error:
        raise SiteError(
            f"The Globus Compute login has expired ({error.text}). {_LOG_IN}"
        ) from None
    except globus.GlobusAPIError as error:
        raise SiteError(_explain(endpoint_id, error)) from None
    except globus.NetworkError as error:
        raise SiteError(
            f"The Globus Compute service does not answer from this host: {error}"
        ) from None
    if status != "online":
        raise SiteError(
            f"Globus Compute endpoint {endpoint_id} is {status}. Start it where it is "
            "installed: globus-compute-endpoint start NAME."
        )


def _explain(endpoint_id: str, error: Any) -> str:
    said = f"The service said: {error.http_status} {error.text}"
    if error.http_status == 404:
        return (
            f"There is no Globus Compute endpoint {endpoint_id}. Its id is what "
            f"`globus-compute-endpoint list` prints where it is installed. {said}"
        )
    if error.http_status == 401:
        return f"The Globus Compute login has expired. {_LOG_IN} {said}"
    if error.http_status == 403:
        return (
            f"You may not use Globus Compute endpoint {endpoint_id}: log in with the "
            f"identity that owns it, or ask its owner. {said}"
        )
    return f"Globus Compute endpoint {endpoint_id} cannot be asked. {said}"
