"""What the stages of a run are, also of one that an earlier version began."""

from apps.science import plugins
from apps.science.errors import WeftError
from apps.science.input_files import InputFiles
from campaign.campaign_type import load_type
from campaign.config import load_campaign
from campaign.declared import Stages, read_written
from campaign.layout.run_dir import RunDir
from campaign.opening.inputs import list_copies, read_inputs


def read_stages(paths: RunDir) -> Stages:
    """Return what the stages of a run are.

    Where that is not written, as versions before 0.2 did not, its type is asked.
    """
    written = read_written(paths)
    if written is not None:
        return written
    with plugins.staying_with_folder():
        try:
            copies = list_copies(paths, read_inputs(paths))
            config = load_campaign(paths.resolved, InputFiles(paths.root, copies))
            return Stages(load_type(config.type).stages(config))
        except (WeftError, OSError):
            return Stages()
