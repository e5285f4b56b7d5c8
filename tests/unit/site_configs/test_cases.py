"""Site files that people wrote: each has its right meaning, or the sentence they need.

They lie outside the repository; where they are not there, this is passed over.
"""

from pathlib import Path

import pytest
from rich.console import Console

from campaign.commands.sites import show_site
from site_configs.errors import SiteError
from site_configs.load import load_site
from site_configs.paths import check_run_path
from site_configs.ready import check_filled_in

CASES = Path(__file__).parents[3].parent / "shared" / "cases" / "40_sites"

TAKEN = {
    "blank_label", "conda", "constraint", "fake", "opt_dollar", "opt_multi",
    "opt_noprefix", "scratch_space",
}  # fmt: skip
REFUSED = {
    "acc_bool": "is true or false, as YAML reads on, off, yes and no; put text in",
    "acc_int": 'is the number 12345; put text in quotes, account: "12345"',
    "acc_octal": 'Put it in quotes if it is text, "0123"',
    "constraint_anchor": "constraint: has no value",
    "container_blank": "put it in single quotes, '/shared/my images/weft.sif'",
    "dup_exec": "the key 'a' in line 2 and again in line 3",
    "env_ints": 'put text in quotes, OMP_NUM_THREADS: "8"',
    "init_quotes": "in line 6, column 47",
    "list_exec": "give each pool of workers a name",
    "mem0": "the key 'cores_per_node' in line 5 and again in line 7",
    "none": "give executors, at least one",
    "pbs": "did you mean pbspro?",
    "pbs_noncpu": "select_options: has ncpus, which cores_per_node says",
    "pbs_select": "weft says select itself; set select_options instead",
    "placeholder": "account: still has <project>; copy the site file and fill it in",
    "ports_str": "write [50000, 50100]",
    "sge": "did you mean gridengine?",
    "slurm_words": "time: unknown setting; here it is walltime",
    "torque": "PBS Pro and OpenPBS are served, Torque is not",
    "upper_scheduler": "did you mean slurm?",
    "wt_1440": "is the number 1440, which could be minutes or seconds",
    "wt_8h": "write hours:minutes:seconds in quotes",
    "wt_days": 'write hours in place of days, "48:00:00"',
    "wt_hm": "could be hours and minutes or minutes and seconds",
    "wt_hm_str": "could be hours and minutes or minutes and seconds",
    "wt_inf": "write hours:minutes:seconds in quotes",
    "wt_minutes": "is the number 240, which could be minutes or seconds",
}
# Said where a run starts or a script is shown, since only that host can tell.
REFUSED_HERE = {"address_unknown", "interface", "roles_case"}


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_case_is_taken_or_refused(path: Path) -> None:
    said = ""
    try:
        site = load_site(path)
        check_filled_in(site)
        check_run_path(site, Path("/home/me/runs/a"))
        if path.stem not in REFUSED_HERE:
            show_site(str(path), Console(quiet=True))
    except SiteError as error:
        said = str(error)
    if path.stem in TAKEN:
        assert not said
    if path.stem in REFUSED:
        assert REFUSED[path.stem] in said
