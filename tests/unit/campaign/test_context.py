"""No campaign ends before what it asked for is there, and fits what it is made of."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from apps.science.errors import OutdatedError, WeftError
from campaign.config import CampaignConfig
from campaign.context import Context, Outdated
from campaign.layout import RunDir
from campaign.ledger import Ledger
from site_configs.load import load_site

NOTHING = Outdated()


class Chain:
    """Three stages in a row, each of which copies the file of the one before."""

    NAMES = ("prepare", "sample", "train")

    def __init__(self, paths: RunDir, pool: ThreadPoolExecutor) -> None:
        self.paths, self.pool = paths, pool
        self.text = "first"
        self.ran: list[str] = []

    def out(self, name: str) -> Path:
        return self.paths.root / f"{name}.txt"

    def run(self, outdated: Outdated = NOTHING) -> list[str]:
        """Run what is left; return which stages that was."""
        self.ran = []
        config = CampaignConfig(name="mine", type="force_field")
        ctx = Context(config, self.paths, load_site("local"), outdated=outdated)
        before: list[Future[list[Path]]] = []
        for name in self.NAMES:
            before = [ctx.stage(name, [self.out(name)], self._submit(name), before)]
        ctx.finish()
        return self.ran

    def _submit(self, name: str) -> Callable[[list[Any]], list[Any]]:
        def work(after: list[Any]) -> None:
            [source] = [path for f in after for path in f.result()] or [None]
            text = self.text if source is None else source.read_text() + " copied"
            self.out(name).write_text(text)
            self.ran.append(name)

        return lambda after: [self.pool.submit(work, after)]


@pytest.fixture
def chain(begun: RunDir) -> Iterator[Chain]:
    begun.ledger.unlink()
    with ThreadPoolExecutor(3) as pool:
        yield Chain(begun, pool)


def test_a_lost_output_is_made_again_and_nothing_else(chain: Chain) -> None:
    assert chain.run() == ["prepare", "sample", "train"]
    assert chain.run() == []
    for name in chain.NAMES:
        chain.out(name).unlink()
        assert chain.run() == [name]
        assert chain.out(name).exists()
    for name in chain.NAMES:
        chain.out(name).unlink()
    assert chain.run() == ["prepare", "sample", "train"]


def test_what_was_made_from_another_file_is_not_passed_off(chain: Chain) -> None:
    chain.run()
    first = chain.out("prepare").read_text()
    chain.out("prepare").unlink()
    chain.text = "other"
    for _ in range(2):  # a second resume says the same: the ledger remembers
        with pytest.raises(OutdatedError, match=r"prepare\.txt came out differently"):
            chain.run()
    chain.out("prepare").write_text(first)  # the first file, back from a copy
    assert chain.run() == []


def test_it_is_made_again_where_that_is_asked(chain: Chain) -> None:
    chain.run()
    chain.out("prepare").unlink()
    chain.text = "other"
    assert chain.run(Outdated(again=True)) == ["prepare", "sample", "train"]
    assert chain.out("train").read_text() == "other copied copied"
    aside = sorted((chain.paths.root / "aside").glob("*/*.txt"))
    assert [path.name for path in aside] == ["sample.txt", "train.txt"]
    assert aside[1].read_text() == "first copied copied"
    assert chain.run() == []


def test_it_is_kept_where_that_is_asked_and_the_ledger_says_so(chain: Chain) -> None:
    chain.run()
    chain.out("prepare").unlink()
    chain.text = "other"
    assert chain.run(Outdated(keep=True)) == ["prepare"]
    assert chain.run() == []
    kept = [e for e in Ledger(chain.paths.ledger).entries() if e.event == "kept"]
    assert [entry.stage for entry in kept] == ["sample"]
    assert "sample was kept" in (kept[0].message or "")


def test_a_campaign_waits_for_what_its_type_did_not(begun: RunDir) -> None:
    begun.ledger.unlink()
    ctx = Context(
        CampaignConfig(name="mine", type="force_field"), begun, load_site("local")
    )
    slow: Future[None] = Future()
    out = begun.root / "slow.txt"
    ctx.stage("slow", [out], lambda after: [slow])
    slow.set_result(None)  # its app returned without the file
    with pytest.raises(WeftError, match=r"Stage slow ended without .*slow\.txt"):
        ctx.finish()
    assert ctx.failure is not None


def test_a_ledger_that_cannot_be_written_is_a_failure_not_a_wait(
    begun: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = Context(
        CampaignConfig(name="mine", type="force_field"), begun, load_site("local")
    )
    part: Future[None] = Future()
    ctx.stage("slow", [], lambda after: [part])
    begun.ledger.unlink()
    begun.ledger.mkdir()
    part.set_result(None)
    with pytest.raises(IsADirectoryError):
        ctx.finish()
