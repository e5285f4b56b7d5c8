"""A fitted TICA model as plain arrays: no pickle, no engine to read or apply it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.errors import DataError, ShapeMismatchError
from apps.science.files import atomic_path
from apps.science.pcoords._features import FeatureKind, compute_features

SCHEMA = "weft-tica-1"
_N_FRAMES_PER_BATCH = 4096


@dataclass(frozen=True)
class TicaModel:
    """Linear map from bead features to independent components.

    Attributes
    ----------
    features : kind of feature
    indices : (n, 2) or (n, 4), beads of each feature
    n_beads : beads of the system it was fitted to
    mean : (n_features,)
    components : (n_features, n_dim)
    eigenvalues : (n_dim,), autocorrelations at the lag
    timescales_ps : (n_dim,), implied timescales
    lag_ps : lag time
    """

    features: FeatureKind
    indices: IntArray
    n_beads: int
    mean: Array
    components: Array
    eigenvalues: Array
    timescales_ps: Array
    lag_ps: float

    @property
    def n_dim(self) -> int:
        """Number of components."""
        return int(self.components.shape[1])

    def project(self, positions: Array) -> Array:
        """Return (n_frames, n_dim) from beads (n_frames, n_beads, 3), Angstrom.

        Raises
        ------
        ShapeMismatchError
            If the frames hold another number of beads.
        """
        if positions.ndim != 3 or positions.shape[1:] != (self.n_beads, 3):
            raise ShapeMismatchError(
                f"Got frames of shape {positions.shape} but the TICA model is of "
                f"{self.n_beads} beads. Map the atoms to beads first, or fit the "
                "model to this system."
            )
        projected = np.empty((len(positions), self.n_dim))
        for start in range(0, len(positions), _N_FRAMES_PER_BATCH):
            rows = slice(start, start + _N_FRAMES_PER_BATCH)
            values = compute_features(self.features, positions[rows], self.indices)
            projected[rows] = (values - self.mean) @ self.components
        return projected

    def scaled(self, factor: Array) -> "TicaModel":
        """Return a model whose components are multiplied by ``factor`` (n_dim,)."""
        return replace(self, components=self.components * factor)

    def write(self, path: Path) -> Path:
        """Write the model as an .npz of plain arrays, atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle,
                schema=SCHEMA,
                features=self.features,
                indices=self.indices,
                n_beads=self.n_beads,
                mean=self.mean,
                components=self.components,
                eigenvalues=self.eigenvalues,
                timescales_ps=self.timescales_ps,
                lag_ps=self.lag_ps,
            )
        return path


def read_tica(path: Path) -> TicaModel:
    """Read a model written by ``TicaModel.write``.

    Raises
    ------
    DataError
        If the file is missing or of another schema.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist. Run the reference stage first.")
    with np.load(path, allow_pickle=False) as arrays:
        schema = str(arrays["schema"]) if "schema" in arrays else None
        if schema != SCHEMA:
            raise DataError(
                f"{path} has schema {schema!r}; expected {SCHEMA!r}. Fit the TICA "
                "model again with this version."
            )
        features: FeatureKind = (
            "distances" if str(arrays["features"]) == "distances" else "dihedrals"
        )
        return TicaModel(
            features=features,
            indices=arrays["indices"],
            n_beads=int(arrays["n_beads"]),
            mean=arrays["mean"],
            components=arrays["components"],
            eigenvalues=arrays["eigenvalues"],
            timescales_ps=arrays["timescales_ps"],
            lag_ps=float(arrays["lag_ps"]),
        )
