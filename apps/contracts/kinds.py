"""What every contract suite shares: which kind is tested, and where it is found.

A suite is a class of pytest tests. Whoever has a kind of his own inherits from it, says
in fixtures which kind it is and how it is made, and runs pytest; docs/plug-ins.md has
the whole of it. pytest shows the values of a failed line where a conftest says
``pytest.register_assert_rewrite("apps.contracts")``.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from apps.science.plugins import load_kind, staying_with_folder, use_folder


class KindContract:
    """A kind that is found by its name. Overrides: ``kind``, maybe ``plugins_folder``.

    Attributes
    ----------
    package : of weft's, where kinds of this sort and family are
    """

    package: ClassVar[str]

    @pytest.fixture
    def kind(self) -> str:
        """Return the kind to test, as a person types it."""
        raise NotImplementedError("Override the fixture `kind`: return its name.")

    @pytest.fixture
    def plugins_folder(self) -> Path | None:
        """Return the folder of plug-ins it lies in; None where it is installed."""
        return None

    @pytest.fixture
    def module(self, kind: str, plugins_folder: Path | None) -> Iterator[ModuleType]:
        """Yield the plug-in; its folder is in use until the test is done."""
        with staying_with_folder():
            if plugins_folder is not None:
                use_folder(plugins_folder)
            yield load_kind(self.package, kind)


def check_settings(config: Any, kind: str, settings: dict[str, Any]) -> None:
    """Check that settings make a Config of the kind, and that misspelt ones do not."""
    assert config(**settings).kind == kind
    with pytest.raises(ValidationError, match="Extra inputs"):
        config(**settings, no_such_setting=1)
