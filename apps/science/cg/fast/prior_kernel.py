"""Energy and forces of a prior for one replica, compiled, in double precision.

The mathematics is that of ``prior_terms``; a dihedral's angle is never formed, since
its cosine and sine and the Chebyshev recurrence give all that is needed.
"""

import math

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast.compiled import kernel
from apps.science.cg.fast.prior_arrays import PriorArrays

_TINY = 1e-12


@kernel
def add_prior(x: Array, f: Array, prior: PriorArrays) -> float:
    """Return the energy, kcal/mol, and add the forces to ``f``.

    Parameters
    ----------
    x, f : (n_beads, 3), Angstrom and kcal/mol/Angstrom
    """
    energy = _add_bonds(x, f, prior.bonds, prior.bond_k, prior.bond_r0)
    energy += _add_angles(x, f, prior.angles, prior.angle_k, prior.angle_theta0)
    energy += _add_dihedrals(x, f, prior)
    energy += _add_repulsion(x, f, prior.pairs, prior.strength)
    return energy


@kernel
def _add_bonds(x: Array, f: Array, bonds: IntArray, k: Array, r0: Array) -> float:
    energy = 0.0
    for b in range(len(bonds)):
        i, j = bonds[b, 0], bonds[b, 1]
        dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        r = math.sqrt(dx * dx + dy * dy + dz * dz)
        stretch = r - r0[b]
        energy += k[b] * stretch * stretch
        _push(f, i, j, dx, dy, dz, -2.0 * k[b] * stretch / max(r, _TINY))
    return energy


@kernel
def _push(
    f: Array, i: int, j: int, dx: float, dy: float, dz: float, pull: float
) -> None:
    """Add ``pull`` times the vector from i to j to j's force, and take it from i's."""
    f[j, 0] += pull * dx
    f[j, 1] += pull * dy
    f[j, 2] += pull * dz
    f[i, 0] -= pull * dx
    f[i, 1] -= pull * dy
    f[i, 2] -= pull * dz


@kernel
def _add_angles(x: Array, f: Array, angles: IntArray, k: Array, theta0: Array) -> float:
    energy = 0.0
    for a in range(len(angles)):
        i, j, m = angles[a, 0], angles[a, 1], angles[a, 2]
        one, two = _unit(x, j, i), _unit(x, j, m)
        cos = one[0] * two[0] + one[1] * two[1] + one[2] * two[2]
        cross = _cross(one[0], one[1], one[2], two[0], two[1], two[2])
        sin = math.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
        bend = math.atan2(sin, cos) - theta0[a]
        energy += k[a] * bend * bend
        slope = 2.0 * k[a] * bend / max(sin, 1e-7)
        for d in range(3):
            first = slope * (two[d] - cos * one[d]) / one[3]
            last = slope * (one[d] - cos * two[d]) / two[3]
            f[i, d] += first
            f[m, d] += last
            f[j, d] -= first + last
    return energy


@kernel
def _unit(x: Array, i: int, j: int) -> tuple[float, float, float, float]:
    """Return the unit vector from i to j, and the distance."""
    dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
    r = max(math.sqrt(dx * dx + dy * dy + dz * dz), _TINY)
    return dx / r, dy / r, dz / r, r


@kernel
def _cross(
    ax: float, ay: float, az: float, bx: float, by: float, bz: float
) -> tuple[float, float, float]:
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@kernel
def _add_dihedrals(x: Array, f: Array, prior: PriorArrays) -> float:
    """Take the forces as Blondel and Karplus (1996) write them."""
    energy = 0.0
    for t in range(len(prior.dihedrals)):
        i, j = prior.dihedrals[t, 0], prior.dihedrals[t, 1]
        k, m = prior.dihedrals[t, 2], prior.dihedrals[t, 3]
        ax, ay, az = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        bx, by, bz = x[k, 0] - x[j, 0], x[k, 1] - x[j, 1], x[k, 2] - x[j, 2]
        cx, cy, cz = x[m, 0] - x[k, 0], x[m, 1] - x[k, 1], x[m, 2] - x[k, 2]
        n1 = _cross(ax, ay, az, bx, by, bz)
        n2 = _cross(bx, by, bz, cx, cy, cz)
        bb = max(bx * bx + by * by + bz * bz, _TINY)
        b = math.sqrt(bb)
        nn1 = max(n1[0] ** 2 + n1[1] ** 2 + n1[2] ** 2, _TINY)
        nn2 = max(n2[0] ** 2 + n2[1] ** 2 + n2[2] ** 2, _TINY)
        sin = b * (ax * n2[0] + ay * n2[1] + az * n2[2])
        cos = n1[0] * n2[0] + n1[1] * n2[1] + n1[2] * n2[2]
        length = max(math.sqrt(sin * sin + cos * cos), _TINY)
        term, slope = _fourier(
            cos / length, sin / length, prior.cosine[t], prior.sine[t],
            prior.periodicity[t],
        )  # fmt: skip
        energy += prior.constant[t] + term
        lean_one = (ax * bx + ay * by + az * bz) / bb
        lean_two = (cx * bx + cy * by + cz * bz) / bb
        for d in range(3):
            first = slope * b * n1[d] / nn1
            last = -slope * b * n2[d] / nn2
            middle = lean_one * first - lean_two * last
            f[i, d] += first
            f[j, d] -= first + middle
            f[k, d] += middle - last
            f[m, d] += last
    return energy


@kernel
def _fourier(
    cos: float, sin: float, cosine: Array, sine: Array, periodicity: IntArray
) -> tuple[float, float]:
    """Return sum k cos(n phi - gamma) and by how much it rises with phi."""
    energy = slope = 0.0
    for q in range(len(cosine)):
        c, s = 1.0, 0.0
        for _ in range(periodicity[q]):
            c, s = c * cos - s * sin, s * cos + c * sin
        energy += cosine[q] * c + sine[q] * s
        slope += periodicity[q] * (sine[q] * c - cosine[q] * s)
    return energy, slope


@kernel
def _add_repulsion(x: Array, f: Array, pairs: IntArray, strength: Array) -> float:
    energy = 0.0
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        inverse = 1.0 / max(dx * dx + dy * dy + dz * dz, _TINY)
        pair = strength[p] * inverse * inverse * inverse
        energy += pair
        _push(f, i, j, dx, dy, dz, 6.0 * pair * inverse)
    return energy
