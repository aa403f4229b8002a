"""The words of a command line that are settings, as they were typed and as Hydra keeps them: ``+optimizer.lr=0.1``."""

from __future__ import annotations


def typed_pair(word: str) -> tuple[str, str]:
    """The name, without what Hydra wants before it, and the value of a word; no value where it has none."""
    name, _, value = word.lstrip("+~").partition("=")
    return name, value


def typed_setting(word: str) -> str:
    """The setting that a word is of, also where it says into which package: ``optimizer@optimizer=adam``."""
    return typed_pair(word)[0].partition("@")[0]
