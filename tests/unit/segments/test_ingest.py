"""Frames meet their weights on (n_iter, seg_id), and no shard is read twice."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import DataError, WeightError
from apps.science.segments.ingest import ROOT_STRIDE, ingest
from apps.science.segments.store import iterate_frames, open_store
from apps.science.segments.verify import notes_folder, read_notes, verify
from apps.science.we.storage import journal, shards

N_FRAMES, N_ATOMS = 3, 4


def read_all(path: Path) -> dict[str, np.ndarray]:
    batches = list(iterate_frames(path, 5))
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def test_each_frame_carries_the_weight_of_its_own_segment(we, tmp_path) -> None:
    rows = read_all(ingest(we, tmp_path / "segments.h5", 2))
    weight_of = {(1, 0): 0.5, (1, 1): 0.3, (1, 2): 0.2}
    weight_of |= {(2, 0): 0.25, (2, 1): 0.25, (2, 2): 0.3, (2, 3): 0.2}
    assert len(rows["weight"]) == 7 * N_FRAMES
    for n_iter, seg_id, weight, x in zip(
        rows["n_iter"], rows["seg_id"], rows["weight"],
        rows["positions"][:, 0, 0], strict=True,
    ):  # fmt: skip
        assert weight == weight_of[n_iter, seg_id]
        assert x == 1000 * n_iter + seg_id


def test_lineages_lead_to_the_first_iteration_or_a_recycling(we, tmp_path) -> None:
    rows = read_all(ingest(we, tmp_path / "segments.h5", 2))
    second = rows["n_iter"] == 2
    roots = dict(zip(rows["seg_id"][second], rows["root"][second], strict=True))
    assert roots == {0: 0, 1: 0, 2: 1, 3: ROOT_STRIDE + 3}


def test_ingesting_step_by_step_equals_ingesting_at_once(we, tmp_path) -> None:
    ingest(we, tmp_path / "steps.h5", 1)
    stepwise = read_all(ingest(we, tmp_path / "steps.h5", 2))
    at_once = read_all(ingest(we, tmp_path / "once.h5", 2))
    assert stepwise.keys() == at_once.keys()
    for name, values in at_once.items():
        np.testing.assert_array_equal(stepwise[name], values)


def test_the_discarded_mass_is_recorded(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2, weight_cutoff=0.24)
    with open_store(out) as h5:
        np.testing.assert_allclose(h5["discarded_mass"][:], [0.2, 0.2])
        assert set(h5["weight"][:]) == {0.5, 0.3, 0.25}


def test_weights_that_do_not_sum_to_one_are_refused(
    we, tmp_path, write_iteration
) -> None:
    write_iteration(we, 3, [0.5, 0.4], [0, 1])
    with pytest.raises(WeightError, match=r"iteration 3 sum to 0\.9"):
        ingest(we, tmp_path / "segments.h5", 3)


def test_a_missing_shard_is_named(we, tmp_path) -> None:
    shards.shard_path(we / "shards", 2, 2).unlink()
    with pytest.raises(DataError, match=r"seg_000002\.h5 does not exist"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_an_altered_shard_is_named(we, tmp_path) -> None:
    with h5py.File(shards.shard_path(we / "shards", 2, 2), "r+") as h5:
        h5["positions"][0, 0, 0, 0] += 1.0
    with pytest.raises(DataError, match=r"seg_000002\.h5 was altered"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_a_truncated_shard_is_named(we, tmp_path) -> None:
    shard = shards.shard_path(we / "shards", 2, 0)
    os.truncate(shard, shard.stat().st_size // 2)
    with pytest.raises(DataError, match=r"seg_000000\.h5 is damaged .*truncated"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_a_shard_whose_bytes_were_lost_is_named(we, tmp_path) -> None:
    shard = shards.shard_path(we / "shards", 1, 2)
    whole = bytearray(shard.read_bytes())
    whole[len(whole) // 3 : 2 * len(whole) // 3] = bytes(len(whole) // 3)
    shard.write_bytes(whole)
    with pytest.raises(DataError, match=r"000001/seg_000002\.h5"):
        ingest(we, tmp_path / "segments.h5", 2)


@pytest.mark.parametrize("column", ["weight", "parent_id", "seg_id"])
def test_as_many_weights_as_segments_are_asked_for(we, tmp_path, column) -> None:
    path = journal.record_path(we / "journal", 2)
    body = json.loads(path.read_text())
    body[column] = body[column][:-1]
    path.write_text(json.dumps(body))
    with pytest.raises(WeightError, match=r"iteration 2 holds .* expected as many"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_a_record_that_points_at_another_segment_is_refused(we, tmp_path) -> None:
    path = journal.record_path(we / "journal", 2)
    body = json.loads(path.read_text())
    body["place"][0], body["place"][1] = body["place"][1], body["place"][0]
    path.write_text(json.dumps(body))
    with pytest.raises(DataError, match="but the journal says"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_a_shard_of_another_system_is_named(we, tmp_path, write_iteration) -> None:
    ingest(we, tmp_path / "segments.h5", 2)
    shard = shards.shard_path(we / "shards", 2, 2)
    notes = read_notes(tmp_path / "segments.h5")
    line = vars(notes[2]) | {"shapes": [(N_FRAMES, N_ATOMS), (N_FRAMES, N_ATOMS + 1)]}
    (notes_folder(tmp_path / "segments.h5") / "z.jsonl").write_text(json.dumps(line))
    (tmp_path / "segments.h5").unlink()
    with pytest.raises(DataError, match=f"{shard.name} holds 5 atoms where"):
        ingest(we, tmp_path / "segments.h5", 2)


def test_what_was_verified_is_not_read_again(we, tmp_path) -> None:
    out = tmp_path / "segments.h5"
    assert verify(we, out, 1, 2) == 2
    assert verify(we, out, 1, 2) == 0
    written = ingest(we, out, 2).stat().st_mtime_ns
    assert ingest(we, out, 2).stat().st_mtime_ns == written


def test_a_shard_that_changed_since_is_verified_again(we, tmp_path) -> None:
    out = tmp_path / "segments.h5"
    verify(we, out, 1, 2)
    shard = shards.shard_path(we / "shards", 2, 2)
    with h5py.File(shard, "r+") as h5:
        h5["forces"][0, 0, 0, 0] += 1.0
    with pytest.raises(DataError, match="was altered"):
        ingest(we, out, 2)


def test_a_note_that_was_cut_off_counts_for_nothing(we, tmp_path) -> None:
    out = tmp_path / "segments.h5"
    verify(we, out, 1, 2)
    (path,) = notes_folder(out).iterdir()
    path.write_text(path.read_text()[:-20])
    assert list(read_notes(out)) == [1]
    assert verify(we, out, 1, 2) == 1


def test_another_cutoff_makes_another_store(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    assert len(read_all(ingest(we, out, 2, weight_cutoff=0.24))["weight"]) == 5 * 3


def test_a_damaged_store_is_made_anew(we, tmp_path) -> None:
    out = ingest(we, tmp_path / "segments.h5", 2)
    whole = out.read_bytes()
    os.truncate(out, len(whole) // 2)
    assert ingest(we, out, 2).read_bytes() == whole


def test_an_iteration_that_is_not_closed_is_refused(we, tmp_path) -> None:
    with pytest.raises(DataError, match="iteration 3 was never closed"):
        ingest(we, tmp_path / "segments.h5", 3)


def test_parts_verified_by_several_processes_make_the_same_store(
    long_we, tmp_path
) -> None:
    alone = ingest(long_we, tmp_path / "a" / "segments.h5", 20)
    out = tmp_path / "b" / "segments.h5"
    with ProcessPoolExecutor(2) as pool:
        parts = [pool.submit(verify, long_we, out, k, k + 4) for k in (16, 11, 1, 6)]
        assert [part.result() for part in parts] == [5, 5, 5, 5]
    assert ingest(long_we, out, 20).read_bytes() == alone.read_bytes()


INGEST = """
import sys, time
from pathlib import Path
from apps.science.segments import ingest, verify
from apps.science.segments.ingest import ingest as run
whole, slow = verify.check_iteration, float(sys.argv[3])
def check(record, digest):
    time.sleep(slow)
    return whole(record, digest)
ingest.check_iteration = check
run(Path(sys.argv[1]), Path(sys.argv[2]), 20)
"""


def test_ingestion_that_was_killed_ends_as_if_it_had_not_been(
    long_we, tmp_path
) -> None:
    uninterrupted = ingest(long_we, tmp_path / "a" / "segments.h5", 20)
    out = tmp_path / "b" / "segments.h5"
    command = [sys.executable, "-c", INGEST, str(long_we), str(out), "0.02"]
    process = subprocess.Popen(command)
    try:
        while len(read_notes(out)) < 3 and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = len(read_notes(out))
    assert 3 <= kept < 20
    assert not out.exists()
    assert verify(long_we, out, 1, 20) == 20 - kept
    assert ingest(long_we, out, 20).read_bytes() == uninterrupted.read_bytes()
