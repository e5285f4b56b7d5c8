"""Where torch computes: what a person wrote, and what this host has."""

from apps.science.errors import ConfigError


def choose_device(name: str) -> str:
    """Return a torch device name; ``auto`` is cuda where there is one.

    Raises
    ------
    ConfigError
        If CUDA is asked for and absent.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"device is {name!r} but torch sees no CUDA device on this host. Use "
            "device: auto, or a site whose md role has a GPU."
        )
    return name
