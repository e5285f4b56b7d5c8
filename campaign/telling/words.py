"""Numbers and times as a person writes them."""

import math

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
"""Where there is no value."""


def duration(seconds: float) -> str:
    """Return "38 s", "12 min 05 s" or "3 h 20 min"."""
    whole = round(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def wall_time(seconds: float) -> str:
    """Return a wall time that may be short: "40 ms", "3.2 s", "12 min 05 s"."""
    if seconds < 1.0:
        return f"{number(1000 * seconds)} ms" if seconds else "0 s"
    return f"{number(seconds)} s" if seconds < 60 else duration(seconds)


def worker_time(hours: float | None) -> str:
    """Return core or GPU time: in hours from one hour on, for those that add up."""
    if not hours:
        return NONE
    if hours < 1:
        return wall_time(3600 * hours)
    return f"{hours:,.0f} h" if hours >= 100 else f"{number(hours)} h"


def time_unit(seconds: float) -> tuple[str, float]:
    """Return the unit in which so long an axis reads well, and its seconds."""
    for unit, size, least in (
        ("days", 86400.0, 4 * 86400.0), ("h", 3600.0, 3 * 3600.0), ("min", 60.0, 180.0)
    ):  # fmt: skip
        if seconds > least:
            return unit, size
    return "s", 1.0


def simulated(picoseconds: float) -> str:
    """Return a simulated time in the unit that suits it."""
    for unit, size in (("s", 1e12), ("ms", 1e9), ("µs", 1e6), ("ns", 1e3)):
        if picoseconds >= size:
            return f"{number(picoseconds / size)} {unit}"
    return f"{number(picoseconds)} ps"


def rate_unit(per_ps: float) -> tuple[str, float]:
    """Return the unit in which a rate reads well, and how many of it are 1/ps."""
    for unit, size in (("ps", 1.0), ("ns", 1e3), ("µs", 1e6), ("ms", 1e9)):
        if per_ps * size >= 0.1:
            return f"{unit}⁻¹", size
    return "s⁻¹", 1e12


def interval(low: str, high: str) -> str:
    """Return the end of a value with its 95 % interval."""
    return f"[{low} to {high}]"


def number(value: float | None, digits: int = 3) -> str:
    """Return ``value`` to at most ``digits`` significant places."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10 ** (digits + 2) or size < 1e-4:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa}·10{_raised(int(power))}"
    else:
        places = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:,.{places}f}" if size >= 10_000 else f"{value:.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def divergence(value: float | None) -> str:
    """Return a divergence with three decimals, as the thesis's Table 4.4 has it.

    One so small that they would all be noughts keeps two places of its own.
    """
    if value is None or not math.isfinite(value):
        return NONE
    if 0 < abs(value) < 5e-4:
        return number(value, 2)
    return f"{value:.3f}" if value < 1000 else number(value)


def percent(share: float | None) -> str:
    """Return a share as a percentage; "<0.1 %" and ">99.9 %", not a false 0 or 100."""
    if share is None or not math.isfinite(share):
        return NONE
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if value < 10 or 99 < value < 100 else f"{value:.0f} %"


def count(value: int, noun: str) -> str:
    """Return "1 walker", "2,400 walkers"."""
    return f"{value:,} {noun}" + ("" if value == 1 else "s")


def joined(names: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def about(seconds: float) -> str:
    """Return "12 min", rounded as a forecast deserves."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = seconds / 60
    if minutes < 20:
        return f"{round(minutes)} min"
    if minutes < 90:
        return f"{5 * round(minutes / 5)} min"
    hours = minutes / 60
    if hours < 48:
        return f"{hours:.1f} h" if hours < 10 else f"{round(hours)} h"
    return f"{hours / 24:.1f} days"
