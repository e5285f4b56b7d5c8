"""Sizes as a person says them."""


def say_bytes(n_bytes: float) -> str:
    """Return a number of bytes as a person says it."""
    size, unit = float(n_bytes), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{say_number(size)} {unit}"


def say_number(value: float) -> str:
    """Return a number with two digits, or whole from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
