"""Where the project's log lines go while a campaign runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_SPEAKERS = ("campaign", "apps")


@contextmanager
def heard_by(handler: logging.Handler) -> Iterator[None]:
    """Send what weft says to ``handler`` until the end of the block."""
    loggers = [logging.getLogger(name) for name in _SPEAKERS]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
