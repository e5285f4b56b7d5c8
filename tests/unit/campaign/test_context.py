"""No campaign ends before what it asked for is there, and fits what it is made of."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from apps.science.errors import WeftError
from campaign.config import CampaignConfig
from campaign.context import Context
from campaign.declared import Stage, write_stages
from campaign.ending import Ending
from campaign.layout.protein_dir import ProteinDir
from campaign.ledger import Entry, Ledger
from campaign.opening.outdated import Outdated
from site_configs.load import load_site
from site_configs.pools.parsl_parts import InterchangeGoneError

NOTHING = Outdated()


class Chain:
    """Three stages in a row, each of which copies the file of the one before.

    The first has a second file, which nobody reads.
    """

    NAMES = ("prepare", "sample", "train")

    def __init__(self, paths: ProteinDir, pool: ThreadPoolExecutor) -> None:
        self.paths, self.pool = paths, pool
        self.text, self.beside = "first", "first"
        self.seed = 1
        self.ran: list[str] = []

    def out(self, name: str) -> Path:
        return self.paths.root / f"{name}.txt"

    def run(self, outdated: Outdated = NOTHING) -> list[str]:
        """Run what is left; return which stages that was."""
        self.ran = []
        config = CampaignConfig(name="mine", type="force_field", seed=self.seed)
        write_stages(self.paths, [Stage("sample", keeps=["we"])])
        ctx = Context(config, self.paths, load_site("local"), outdated=outdated)
        before: list[Future[list[Path]]] = []
        for name in self.NAMES:
            outputs = [self.out(name)]
            reads = [self.out("prepare")] if name == "sample" else None
            if name == "prepare":
                outputs.append(self.out("beside"))
            mine = str(self.paths.root / "inputs" / "mine.yaml")
            given = {"prior": {"parameters": mine}} if name == "train" else None
            before = [
                ctx.stage(
                    name, outputs, self._submit(name), before, reads=reads, given=given
                )
            ]
        ctx.finish()
        return self.ran

    def _submit(self, name: str) -> Callable[[list[Any]], list[Any]]:
        def work(after: list[Any]) -> None:
            [source, *_] = [path for f in after for path in f.result()] or [None]
            text = self.text if source is None else source.read_text() + " copied"
            self.out(name).write_text(text)
            if name == "prepare":
                self.out("beside").write_text(self.beside)
            self.ran.append(name)

        return lambda after: [self.pool.submit(work, after)]

    def noted(self, event: str) -> list[Entry]:
        return [e for e in Ledger(self.paths.ledger).entries() if e.event == event]

    def make_it_look_old(self) -> None:
        """Write the ledger as versions did that noted no sources."""
        lines = [json.loads(x) for x in self.paths.ledger.read_text().splitlines()]
        for line in lines:
            line.pop("inputs", None)
            line.pop("settings", None)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.paths.ledger.write_text(text)


@pytest.fixture
def chain(begun: ProteinDir) -> Iterator[Chain]:
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


def test_a_line_holds_digests_of_what_a_stage_read_and_was_given(chain: Chain) -> None:
    chain.run()
    prepare, sample, train = chain.noted("done")
    assert prepare.outputs is not None
    assert (prepare.inputs, list(prepare.settings or {})) == ({}, ["seed"])
    assert sample.inputs == {"prepare.txt": prepare.outputs["prepare.txt"]}
    assert train.inputs == sample.outputs
    assert (sample.settings, list(train.settings or {})) == ({}, ["prior.parameters"])


@pytest.mark.parametrize("old", [False, True])
def test_what_was_made_from_another_file_runs_again_and_says_so(
    chain: Chain, old: bool, caplog: pytest.LogCaptureFixture
) -> None:
    chain.run()
    if old:
        chain.make_it_look_old()
    chain.out("prepare").unlink()
    chain.text = "other"
    assert chain.run() == ["prepare", "sample", "train"]
    assert chain.out("train").read_text() == "other copied copied"
    said = "prepare.txt came out differently; sample runs again"
    assert said in caplog.text
    assert [entry.stage for entry in chain.noted("again")] == ["sample", "train"]
    aside = sorted((chain.paths.root / "aside").glob("*/*.txt"))
    assert [path.name for path in aside] == ["sample.txt", "train.txt"]
    assert aside[1].read_text() == "first copied copied"
    assert chain.run() == []


def test_a_file_that_a_stage_does_not_read_is_nothing_to_it(chain: Chain) -> None:
    chain.run()
    chain.out("beside").unlink()
    chain.beside = "other"
    assert chain.run() == ["prepare"]
    assert chain.run() == []


def test_a_run_that_was_moved_is_the_same(chain: Chain) -> None:
    chain.run()
    elsewhere = chain.paths.root.with_name("elsewhere")
    chain.paths = ProteinDir(chain.paths.root.rename(elsewhere))
    assert chain.run() == []


def test_the_first_file_back_from_a_copy_is_the_first_again(chain: Chain) -> None:
    chain.run()
    first = chain.out("prepare").read_text()
    chain.out("prepare").unlink()
    chain.text = "other"
    chain.run(Outdated(keep=True))
    chain.out("prepare").write_text(first)
    assert chain.run(Outdated(keep=True)) == []
    assert chain.out("sample").read_text() == "first copied"


def test_a_stage_that_was_given_another_setting_runs_again(chain: Chain) -> None:
    chain.run()
    chain.seed = 2  # with a resolved.yaml that is gone, nothing else would tell
    assert chain.run() == ["prepare"]  # which comes out as it was
    [noted] = chain.noted("again")
    assert "seed changed in campaign.yaml; prepare runs again" in (noted.message or "")
    assert chain.run() == []


def test_a_stage_that_was_begun_from_another_file_begins_anew(chain: Chain) -> None:
    chain.run()
    lines = chain.paths.ledger.read_text().splitlines(keepends=True)
    begun = [x for x in lines if '"done"' not in x or '"prepare"' in x.split(",")[2]]
    chain.paths.ledger.write_text("".join(begun))
    journal = chain.paths.we / "journal" / "iter_000001.json"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}")
    assert chain.run() == ["sample", "train"]
    assert journal.exists()  # it goes on from there
    chain.paths.ledger.write_text("".join(begun))
    chain.out("prepare").unlink()
    chain.text = "other"
    assert chain.run() == ["prepare", "sample", "train"]
    assert not journal.exists()
    assert list((chain.paths.root / "aside").glob("*_sample/we/journal/*.json"))


def test_it_is_kept_where_that_is_asked_and_the_ledger_says_so(chain: Chain) -> None:
    chain.run()
    chain.out("prepare").unlink()
    chain.text = "other"
    assert chain.run(Outdated(keep=True)) == ["prepare"]
    assert chain.run() == []
    kept = chain.noted("kept")
    assert [entry.stage for entry in kept] == ["sample"]
    assert "sample was kept" in (kept[0].message or "")


def test_a_campaign_waits_for_what_its_type_did_not(begun: ProteinDir) -> None:
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


def test_what_fails_as_parsl_loses_a_part_is_cut_off_not_failed(
    begun: ProteinDir,
) -> None:
    ending = Ending()
    ending.closing = True  # no signal to the process of the tests
    config = CampaignConfig(name="mine", type="force_field")
    ctx = Context(config, begun, load_site("local"), ending)
    part: Future[None] = Future()
    ctx.stage("slow", [], lambda after: [part])
    guard = threading.Timer(0.3, ending.because, ["The interchange was killed."])
    guard.start()
    part.set_exception(InterchangeGoneError("No task can be sent."))
    with pytest.raises(InterchangeGoneError):
        ctx.finish()
    assert ending.reason == "The interchange was killed."
    assert ctx.failure is None
    assert not [e for e in Ledger(begun.ledger).entries() if e.event == "failed"]


def test_a_ledger_that_cannot_be_written_is_a_failure_not_a_wait(
    begun: ProteinDir, monkeypatch: pytest.MonkeyPatch
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
