"""Texts of numbers: whether Java reads in one what stands there, no more and no less. All functions return SQL."""

from __future__ import annotations

from spark_jobs.layers.shaping import literal

_FLOAT_TEXT = r"(?i)^\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)\s*$"
_INFINITE_TEXT = r"(?i)^\s*[+-]?inf(?:inity)?\s*$"
_EDGE = r"[\x00-\x20]*"  # what Java leaves out on both sides of a decimal
_DECIMAL_TEXT = rf"^{_EDGE}[+-]?(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?{_EDGE}$"
_EXPONENT = rf"[eE][+-]?0*\d{{1,4}}{_EDGE}$"


def has_small_exponent(source: str) -> str:
    """Tell of a decimal's text: it has no exponent, or one of four digits at most."""
    return f"{_has_no_exponent(source)} OR {source} RLIKE {literal(_EXPONENT)}"


def is_exact(source: str, scale: int) -> str:
    """Tell of a decimal's text: it has no more than `scale` digits behind the point.

    What Java reads and is not looked through, such as digits of other scripts, has none to spare.
    """
    point = f"instr({source}, '.')"
    whole, fraction, power = (f"regexp_extract({source}, {literal(_DECIMAL_TEXT)}, {n})" for n in (1, 2, 3))
    digits = f"concat({whole}, {fraction})"
    significant = f"regexp_replace({digits}, '0+$', '')"
    needed = f"length({fraction}) - (length({digits}) - length({significant})) - coalesce(try_cast({power} AS int), 0)"
    return (
        f"(({point} = 0 OR length({source}) - {point} <= {scale}) "
        f"AND {_has_no_exponent(source)}) "
        f"OR {source} RLIKE {literal(_DECIMAL_TEXT)} AND ({significant} = '' OR {needed} <= {scale})"
    )


def float_conditions(source: str, value: str) -> tuple[str, str]:
    """Return what must hold of a float's text: Java reads 1f, 1d and 0x1p3 too, and too much as infinity."""
    plain = f"substr({source}, -1) BETWEEN '0' AND '9' AND instr({source}, 'x') = 0 AND instr({source}, 'X') = 0"
    finite = f"abs({value}) <> double('Infinity') OR {source} RLIKE {literal(_INFINITE_TEXT)}"
    return f"({plain}) OR {source} RLIKE {literal(_FLOAT_TEXT)}", finite


def _has_no_exponent(source: str) -> str:
    return f"instr({source}, 'e') = 0 AND instr({source}, 'E') = 0"
