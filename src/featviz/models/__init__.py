"""Networks: their weights and preprocessing, their layers, and the part of one that a run needs."""

from featviz.models.backbone import Backbone
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace

__all__ = ["Backbone", "Layer", "Model", "SpeedOptions", "Trace", "trace"]
