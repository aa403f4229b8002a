"""One run or several: Hydra composes a configuration twice, the first time to read no more than ``hydra.mode``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra._internal import hydra

from featviz.config.arguments import MULTIRUN

SETS_MODE = ("hydra", "experiment")  # in the name of a setting or group of options; no other file of ours sets a mode
SETS_NO_MODE = ("hydra.job.", "hydra.run.", "hydra.sweep.")  # where folders are, and how they are named


@contextmanager
def composed_once(arguments: Sequence[str]) -> Iterator[None]:
    """Within it Hydra composes once what cannot set ``hydra.mode``: bad input is refused in four fifths of the time.

    The method is not public: in a version of Hydra that has none of this name, all is composed twice as before.
    """
    program = getattr(hydra, "Hydra", None)
    ask = getattr(program, "get_mode", None)
    if not ask or may_set_mode(arguments):
        yield
        return
    setattr(program, "get_mode", lambda *_, **__: None)  # noqa: B010 as it is where none is set
    try:
        yield
    finally:
        setattr(program, "get_mode", ask)  # noqa: B010


def may_set_mode(arguments: Sequence[str]) -> bool:
    """Whether the arguments for Hydra choose its settings, an experiment, or files that are not ours.

    Example:
        >>> may_set_mode(["-m", "layer=layer3,layer4"]), may_set_mode(["--config-dir", "own", "layer=layer4"])
        (False, True)
    """
    options = {each for each in arguments if each.startswith("-")}
    names = [each.partition("=")[0] for each in arguments if not each.lstrip("+").startswith(SETS_NO_MODE)]
    return bool(options - set(MULTIRUN)) or any(word in name for name in names for word in SETS_MODE)
