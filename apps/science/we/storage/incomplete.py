"""Find what a WE run has lost, so that it is made again.

A run is its journal and its shards: from these, replaying it costs no dynamics. So
where a record or a shard is missing or cannot be used, west.h5 is begun anew; what is
there is taken as it is, and only what is not there is propagated again.
"""

import logging
from pathlib import Path

from apps.science.errors import DataError
from apps.science.we.storage import journal
from apps.science.we.storage.set_aside import set_aside

log = logging.getLogger(__name__)

REPLAYED = ("west.h5", "west.h5.snapshot")


def prepare_to_mend(we_folder: Path) -> list[str]:
    """Look for records and shards that are gone; return a sentence for each.

    Records that cannot be used are moved to ``set_aside/``. Where anything is gone,
    so are west.h5 and its snapshot, and the next ``run_we`` makes all of it again.
    Only names are looked at, and the journal; shards are checked as they are read.
    """
    found = _check_records(we_folder / "journal", we_folder)
    if not found:
        return []
    for sentence in found:
        log.warning("%s", sentence)
    log.warning("%s: the run is made whole from its journal and shards", we_folder)
    for name in REPLAYED:
        if (we_folder / name).exists():
            set_aside(we_folder / name, we_folder, "it is made again")
    return found


def _check_records(records: Path, we_folder: Path) -> list[str]:
    found = []
    for n_iter in range(1, journal.last_closed(records) + 1):
        path = journal.record_path(records, n_iter)
        if not path.exists():
            found.append(f"The journal record {path} is missing.")
            continue
        try:
            record = journal.read_record(records, n_iter)
        except DataError as error:
            what = str(error).replace(journal.AT_RESUME, "").rstrip()
            found.append(f"{what} {set_aside(path, we_folder, 'it cannot be read')}")
            continue
        fault = record.find_fault()
        if fault:
            found.append(f"{fault} {set_aside(path, we_folder, fault)}")
            continue
        found += [
            f"The shard {shard} is missing."
            for shard in record.shards
            if not Path(shard).is_file()
        ]
    return found
