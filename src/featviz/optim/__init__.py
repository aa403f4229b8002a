"""One optimization: the pieces of a method and the loop that follows the gradient."""

from featviz.optim.feature_regularizers import BatchNormDistance, FeatureRegularizer
from featviz.optim.gradients import (
    BlurGradient,
    BlurInputEachStep,
    ClipGradient,
    NormalizeGradient,
    ResidualGradient,
)
from featviz.optim.norm import Norm
from featviz.optim.photo_distance import PhotoDistance
from featviz.optim.projections import (
    BoxBlur,
    Clip,
    Decay,
    GaussianBlur,
    NormBall,
    Projection,
    SmallContribution,
    SmallNorm,
)
from featviz.optim.regularizers import LpNorm, MeanAlpha, TotalVariation, TotalVariationBeta, VariationNorm
from featviz.optim.schedules import Schedule, Stage
from featviz.optim.time_blur import TimeBlur

__all__ = [
    "BatchNormDistance",
    "BlurGradient",
    "BlurInputEachStep",
    "BoxBlur",
    "Clip",
    "ClipGradient",
    "Decay",
    "FeatureRegularizer",
    "GaussianBlur",
    "LpNorm",
    "MeanAlpha",
    "Norm",
    "NormBall",
    "NormalizeGradient",
    "PhotoDistance",
    "Projection",
    "ResidualGradient",
    "Schedule",
    "SmallContribution",
    "SmallNorm",
    "Stage",
    "TimeBlur",
    "TotalVariation",
    "TotalVariationBeta",
    "VariationNorm",
]
