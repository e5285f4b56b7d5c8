"""The one error of a site: a file that cannot be read or a site that cannot run."""


class SiteError(Exception):
    """A site does not exist, its file is wrong, or it lacks what a campaign needs."""
