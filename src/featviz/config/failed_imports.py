"""Errors of packages that cannot be imported: of a damaged installation, or a variable of the environment."""

from __future__ import annotations

import os
import re
import traceback

from featviz.errors import FeatvizError, one_line

#: How the variables of the environment begin that a package reads, where that is not its own name.
PREFIXES = {
    "matplotlib": ("MPL",),
    "torch": ("TORCH", "PYTORCH_", "CUDA_"),
    "lightning": ("PL_", "LIGHTNING_", "RANK", "LOCAL_RANK", "SLURM_", "JSM_"),
}


#: Variables whose nonsense ends the process within C++, and the form that their values have.
FORMS = dict.fromkeys(("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"), r"\w+:.+")


def check_environment() -> None:
    """Raise FeatvizError for a variable of the environment with which an import would end the process at once."""
    for name, form in FORMS.items():
        value = os.environ.get(name, "")
        if value and not re.fullmatch(form, value):
            expected = f"SETTING:VALUE, as torch wants it, or {name} left out"
            raise FeatvizError(f"{name}={value} in the environment", setting=name, got=value, expected=expected)


def failed_import(error: BaseException) -> str:
    """One line for an error that another package raises while it is imported; empty for all other errors.

    It tells the package's variables of the environment: those whose values it quotes, if any, else all.
    """
    for raised in (error.__cause__, error):
        package = _imported_last(raised) if raised else ""
        if raised and package:
            prefixes, text = PREFIXES.get(package, (f"{package.upper()}_",)), one_line(raised)
            own = {name: value for name, value in sorted(os.environ.items()) if name.startswith(prefixes)}
            told = {
                name: value for name, value in own.items() if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)
            } or own
            hint = ", ".join(f"{name}={value}" for name, value in told.items())
            return f"{package} cannot be imported: {text}" + (f" (of the environment: {hint})" if hint else "")
    return ""


def _imported_last(error: BaseException) -> str:
    """The installed package whose lines outside of functions ran last; empty where that is somebody else's file."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>"]
    file = frames[-1].f_code.co_filename if frames else ""
    if not any(folder in file for folder in ("site-packages", "dist-packages")):
        return ""
    package = str(frames[-1].f_globals.get("__name__", "")).partition(".")[0]
    return "" if package in ("featviz", "__main__") else package
