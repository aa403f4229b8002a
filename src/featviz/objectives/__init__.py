"""What is maximized: one number for each picture, from the feature maps of the layers asked for.

Objectives are values: ``a + b``, ``0.5 * a`` and ``-a`` are objectives too. Pictures meet in none of them but
``Diversity``, ``Variants`` and ``Alignment``: elsewhere no score depends on the other pictures of a batch.
"""

from featviz.objectives.base import Factory, Objective, Scaled, Sum, units_of
from featviz.objectives.cap import Cap
from featviz.objectives.capped import Capped
from featviz.objectives.contrast import Contrast, GroupContrast
from featviz.objectives.directions import Direction, DirectionNeuron
from featviz.objectives.diversity import Diversity
from featviz.objectives.facets import Facets
from featviz.objectives.filters import Channel, Logit, Negative, Neuron, filter_activations, subject
from featviz.objectives.groups import LocalGroup
from featviz.objectives.level import Level
from featviz.objectives.margin import Margin
from featviz.objectives.mixtures import Alignment, Interpolation, Joint
from featviz.objectives.photos import Accentuation, Caricature, Inversion
from featviz.objectives.statistics import Statistics
from featviz.objectives.terms import WeightedSum
from featviz.objectives.variants import Variants
from featviz.objectives.whole_layer import WholeLayer

__all__ = [
    "Accentuation",
    "Alignment",
    "Cap",
    "Capped",
    "Caricature",
    "Channel",
    "Contrast",
    "Direction",
    "DirectionNeuron",
    "Diversity",
    "Facets",
    "Factory",
    "GroupContrast",
    "Interpolation",
    "Inversion",
    "Joint",
    "Level",
    "LocalGroup",
    "Logit",
    "Margin",
    "Negative",
    "Neuron",
    "Objective",
    "Scaled",
    "Statistics",
    "Sum",
    "Variants",
    "WeightedSum",
    "WholeLayer",
    "filter_activations",
    "subject",
    "units_of",
]
