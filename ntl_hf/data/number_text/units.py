"""Units of measurement: letters and powers beside a number that are not of its value."""

# Also where they touch the number. Without those that read as something else there: `5m` and `5k` are counts as well,
# `5s` a plural, `5A` and `3D` names.
_TOUCHING = (
    *("mm", "cm", "dm", "km", "µm", "μm", "nm", "ft", "yd", "mi", "inch", "inches", "feet", "miles", "meters"),
    *("mg", "g", "kg", "lb", "lbs", "oz", "tons", "grams", "ml", "mL", "cl", "dl", "l", "L", "gal", "cc"),
    *("ns", "ms", "sec", "secs", "min", "mins", "h", "hr", "hrs", "hours", "minutes", "seconds", "days", "years"),
    *(
        "Ω",
        "kΩ",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "V",
        "mV",
        "kV",
        "W",
        "mW",
        "kW",
        "MW",
        "GW",
        "Wh",
        "kWh",
        "MWh",
        "J",
        "kJ",
        "MJ",
    ),
    *("cal", "kcal", "eV", "keV", "MeV", "GeV", "mA", "Pa", "hPa", "kPa", "MPa", "bar", "psi", "mol", "mmol", "dB"),
    *("kB", "KB", "MB", "GB", "TB", "px", "dpi", "mph", "kph", "rpm", "ppm", "ha", "USD", "EUR", "GBP", "pcs"),
)
# Also letters, where a space or a further unit shows that they are units.
_APART = (*_TOUCHING, *("m", "s", "d", "t", "A", "C", "F", "N", "K", "in"))
_DEGREES = "(?:[ ]?°[ ]?[CFK]?)"
_RAISED = r"(?:(?:\^|\*\*)\(?[+-]?[1-9]\)?)"


def _any_of(names: tuple[str, ...]) -> str:
    return rf"(?:{'|'.join(sorted(names, key=len, reverse=True))})(?![^\W_])"


_PARTS = rf"(?:[ ]?[/·*⋅][ ]?{_any_of(_APART)}{_RAISED}?|[ ]{_any_of(_APART)}{_RAISED})"
# A power or a further unit makes metres of `m`.
_SHOWN = rf"(?:m|s|{_any_of(_TOUCHING)})(?:{_RAISED}{_PARTS}*|{_PARTS}+)"
_PLAIN = rf"(?:{_any_of(_TOUCHING)}|(?<=[ ])(?:{_any_of(('m', 's', 't', 'A', 'C', 'F', 'N', 'd'))}))"

# After a number.
UNIT = rf"(?:[ ]?{_SHOWN}|[ ]?{_PLAIN}|{_DEGREES}(?!\w))"
# Elsewhere: a unit whose power is no number of the text.
RAISED_UNIT = rf"(?<!\w){_any_of(_APART)}{_RAISED}(?!\w)"
