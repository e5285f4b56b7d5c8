"""Globus Compute without its cloud: the real SDK's classes, wire format and engine.

What only the service does is not covered: login, routing to an endpoint, its queues.
"""

import json
import os
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

MISSING_SDK = "no extra globus here; test_optional_clients.py installs it and runs this"
sdk = pytest.importorskip("globus_compute_sdk", reason=MISSING_SDK)
pytest.importorskip("globus_compute_endpoint", reason=MISSING_SDK)

from site_configs.errors import SiteError  # noqa: E402
from site_configs.pools.globus import (  # noqa: E402
    EndpointExecutor,
    check_endpoint,
    make_globus_executor,
)
from site_configs.schema import ExecutorConfig  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

ONLINE, OFFLINE, FOREIGN, EXPIRED, MISSING = (str(uuid.UUID(int=i)) for i in range(5))


class LocalExecutor(sdk.Executor):  # type: ignore[misc, name-defined]
    """The SDK's executor with the engine in place of the cloud."""

    def __init__(self, engine: Any, endpoint: uuid.UUID) -> None:
        from globus_compute_sdk.serialize import ComputeSerializer

        self.engine, self._packer = engine, ComputeSerializer()
        self._endpoint_id = endpoint
        self._resource_specification = self._user_endpoint_config = None

    def __repr__(self) -> str:
        return "LocalExecutor"

    def submit(self, fn: Any, *args: Any, **kwargs: Any) -> "Future[Any]":
        from globus_compute_common import messagepack
        from globus_compute_common.messagepack.message_types import Task
        from globus_compute_endpoint.engines.base import GCFuture

        task_id = uuid.uuid4()
        buffers = [self._packer.serialize(part) for part in (fn, args, kwargs)]
        task = Task(
            task_id=task_id,
            container_id=None,
            task_buffer=self._packer.pack_buffers(buffers),
        )
        packed, answer = GCFuture(task_id), Future()
        packed.add_done_callback(lambda f: self._unpack(f, answer))
        self.engine.submit(packed, messagepack.pack(task), resource_specification={})
        return answer

    def _unpack(self, packed: "Future[bytes]", answer: "Future[Any]") -> None:
        from globus_compute_common import messagepack

        try:
            result = messagepack.unpack(packed.result())
            if result.is_error:
                raise RuntimeError(result.data)
            answer.set_result(self._packer.deserialize(result.data))
        except Exception as error:
            answer.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.engine.shutdown()

    def _get_result_watcher(self) -> "LocalExecutor":
        return self


@pytest.fixture
def endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EndpointExecutor]:
    import sys

    from globus_compute_endpoint.engines import GlobusComputeEngine
    from parsl.providers import LocalProvider

    scripts = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([scripts, os.environ["PATH"]]))
    monkeypatch.chdir(tmp_path)
    engine = GlobusComputeEngine(
        address="127.0.0.1", max_workers_per_node=1, provider=LocalProvider(),
        label="local",
    )  # fmt: skip
    identity = uuid.uuid4()
    engine.start(endpoint_id=identity, run_dir=str(tmp_path / "endpoint"))
    made = EndpointExecutor(executor=LocalExecutor(engine, identity), label="md")
    made.environment = {"WEFT_RUN_DIR": str(tmp_path)}
    yield made
    engine.shutdown()


def double(value: int) -> tuple[int, str, int]:
    import os

    return 2 * value, os.environ["WEFT_RUN_DIR"], os.getpid()


def fail() -> None:
    raise ValueError("the box is too small")


def by_value(function: FunctionType) -> FunctionType:
    """Return the function as a notebook would have it: workers miss this file."""
    made = FunctionType(function.__code__, {"__name__": "__main__"}, function.__name__)
    made.__module__ = "__main__"
    return made


def test_tasks_run_on_the_engine_under_parsl(
    endpoint: EndpointExecutor, tmp_path: Path
) -> None:
    import parsl

    with parsl.load(
        parsl.Config(executors=[endpoint], run_dir=str(tmp_path / "parsl"))
    ):
        app = parsl.python_app(by_value(double), executors=["md"])
        results = [f.result(timeout=60) for f in [app(i) for i in range(4)]]
        failing = parsl.python_app(by_value(fail), executors=["md"])
        failed = failing().exception(timeout=60)
    assert [r[0] for r in results] == [0, 2, 4, 6]
    assert {r[1] for r in results} == {str(tmp_path)}
    assert os.getpid() not in {r[2] for r in results}
    assert "the box is too small" in str(failed)


class Service(BaseHTTPRequestHandler):
    """Answers about endpoints as the cloud service does, for the SDK's real client."""

    def do_GET(self) -> None:
        if ONLINE in self.path:
            self.answer(200, {"status": "online"})
        elif OFFLINE in self.path:
            self.answer(200, {"status": "offline"})
        elif FOREIGN in self.path:
            self.answer(403, {"reason": "not yours", "status": "Failed", "code": 1})
        elif EXPIRED in self.path:
            self.answer(401, {"reason": "expired", "status": "Failed", "code": 2})
        else:
            self.answer(404, {"reason": "no such one", "status": "Failed", "code": 3})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        return


class Asker:
    """The SDK's web client, which asks a service on this host."""

    def __init__(self, url: str) -> None:
        import globus_sdk

        self.web = globus_sdk.ComputeClientV2(
            base_url=url, authorizer=globus_sdk.NullAuthorizer()
        )

    def get_endpoint_status(self, endpoint_id: str) -> Any:
        return self.web.get_endpoint_status(endpoint_id).data


@pytest.fixture
def client() -> Iterator[Asker]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Asker(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_an_endpoint_that_runs_is_accepted(client: Asker) -> None:
    check_endpoint(client, ONLINE)


@pytest.mark.parametrize(
    ("endpoint_id", "words"),
    [
        (OFFLINE, "is offline. Start it"),
        (MISSING, "There is no Globus Compute endpoint"),
        (FOREIGN, "You may not use"),
        (EXPIRED, "login has expired. Run `globus-compute-endpoint login`"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_named(
    client: Asker, endpoint_id: str, words: str
) -> None:
    with pytest.raises(SiteError, match=words):
        check_endpoint(client, endpoint_id)


def test_a_missing_login_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOBUS_COMPUTE_USER_DIR", str(tmp_path / "nobody"))
    for name in ("ID", "SECRET"):
        monkeypatch.delenv(f"GLOBUS_COMPUTE_CLIENT_{name}", raising=False)
    settings = {"scheduler": "globus_compute", "endpoint_id": ONLINE}
    with pytest.raises(SiteError, match=r"no Globus Compute login.*endpoint login"):
        make_globus_executor("md", ExecutorConfig.model_validate(settings))
