"""How pictures of a network are shown."""

from __future__ import annotations

from featviz.models.display import channel_groups
from featviz.models.model import Model
from featviz.results.display import Display


def display_of(model: Model) -> Display:
    """What makes images of a network's pictures: groups of channels, and mid-gray, the mean of what are no colors."""
    return Display(channel_groups(model.display, model.in_channels), None if model.has_colors else model.mean)
