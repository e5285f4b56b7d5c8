"""Parsl's parts are asked with a time limit, and what became of them is known."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
)
from parsl.executors.high_throughput.zmq_pipes import CommandClient, TasksOutgoing

from site_configs.pools import parsl_parts
from site_configs.pools.parsl_parts import (
    InterchangeGoneError,
    find_lost_part,
    watch_commands,
)


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code])


@pytest.fixture
def executor() -> Any:
    """Return an executor's parts, with an interchange that never answers."""
    client = CommandClient("127.0.0.1", (55000, 60000))
    found = SimpleNamespace(
        label="md", command_client=client, bad_state_is_set=False,
        interchange_proc=start("import time; time.sleep(60)"),
        _result_queue_thread=threading.current_thread(),
    )  # fmt: skip
    yield found
    found.interchange_proc.kill()
    found.interchange_proc.wait()
    client.close()


@pytest.fixture
def dfk(executor) -> Any:
    poller = SimpleNamespace(_thread=threading.current_thread())
    alias = SimpleNamespace(label="train", target=executor)
    return SimpleNamespace(
        executors={"md": executor, "train": alias}, job_status_poller=poller
    )


def test_a_silent_interchange_is_given_up(dfk, executor, monkeypatch) -> None:
    monkeypatch.setattr(parsl_parts, "ANSWER_S", 1.0)
    watch_commands(dfk)
    assert find_lost_part(dfk) is None
    with pytest.raises(CommandClientTimeoutError):
        executor.command_client.run("MANAGERS")
    with pytest.raises(CommandClientBadError):
        executor.command_client.run("MANAGERS")
    assert "has not answered for 1 s" in str(find_lost_part(dfk))


def test_a_question_ends_with_the_interchange(dfk, executor) -> None:
    watch_commands(dfk)
    threading.Timer(0.5, executor.interchange_proc.kill).start()
    began = time.monotonic()
    with pytest.raises(CommandClientBadError):
        executor.command_client.run("MANAGERS")
    assert time.monotonic() - began < 30
    assert "interchange was killed by SIGKILL (executor md)" in str(find_lost_part(dfk))


def test_a_task_is_given_up_with_the_interchange(dfk, executor) -> None:
    # nobody is connected to this queue, as after the interchange's death
    executor.outgoing_q = TasksOutgoing("127.0.0.1", (40000, 55000))
    watch_commands(dfk)
    threading.Timer(0.5, executor.interchange_proc.kill).start()
    with pytest.raises(InterchangeGoneError):
        executor.outgoing_q.put(b"a task")
    executor.outgoing_q.close()


CLOSED = """
import threading, time
from types import SimpleNamespace
from parsl.executors.high_throughput.errors import CommandClientBadError
from parsl.executors.high_throughput.zmq_pipes import CommandClient, TasksOutgoing
from site_configs.pools.parsl_parts import OrderlyTasksOutgoing, PatientCommandClient

def ask(client):
    try:
        client.run("MANAGERS")
    except CommandClientBadError:
        print("gave up")

def send(queue):
    try:
        while True:
            queue.put(b"a task")
    except Exception as error:
        print(type(error).__name__)

for _ in range(8):
    executor = SimpleNamespace(
        command_client=CommandClient("127.0.0.1", (40000, 60000)),
        outgoing_q=TasksOutgoing("127.0.0.1", (40000, 60000)),
    )
    PatientCommandClient.adopt(executor)
    OrderlyTasksOutgoing.adopt(executor)
    users = [
        threading.Thread(target=ask, args=(executor.command_client,)),
        threading.Thread(target=send, args=(executor.outgoing_q,)),
    ]
    for thread in users:
        thread.start()
    time.sleep(0.05)
    executor.outgoing_q.close()
    executor.command_client.close()
    executor.command_client.close()
    for thread in users:
        thread.join()
"""


def test_a_socket_is_not_closed_under_who_asks_through_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSED], capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gave up") == 8


def test_an_executor_that_says_why_it_ends_is_not_lost(dfk, executor) -> None:
    executor.interchange_proc.kill()
    executor.interchange_proc.wait()
    executor.bad_state_is_set = True
    assert find_lost_part(dfk) is None


def test_threads_that_ended_are_lost(dfk, executor) -> None:
    ended = threading.Thread(target=int)
    ended.start()
    ended.join()
    dfk.job_status_poller._thread = ended
    assert "looks after the blocks" in str(find_lost_part(dfk))
    executor._result_queue_thread = ended
    assert "receives results" in str(find_lost_part(dfk))


LEAVE = """
import threading
from campaign import run
run.LEAVE_S = 0.5
class Kernel:
    def cleanup(self):
        threading.Event().wait()
threading.Thread(target=threading.Event().wait).start()  # as Parsl's may
run._leave_parsl(Kernel())
print("left", flush=True)
"""


def test_a_parsl_that_does_not_end_is_left_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE], capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "left\n"), done.stderr
