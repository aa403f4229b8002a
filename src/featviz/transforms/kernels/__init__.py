"""Loops over pixels as machine code."""

import logging
import warnings

with warnings.catch_warnings(record=True) as _raised:
    warnings.simplefilter("always")
    import numba  # noqa: F401

for _warning in _raised:  # of a variable of the environment, with a traceback behind the first line
    logging.getLogger(__name__).warning("numba: %s", str(_warning.message).partition("\n")[0])
