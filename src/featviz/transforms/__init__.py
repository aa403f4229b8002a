"""Random changes between the image and the model that make a picture robust (Olah et al. 2017).

Each picture has its own draw of each transform: uniform numbers in [0, 1) that come from outside, so that they can be a
function of (seed, layer, filter, step) and not of the batch.
"""

from featviz.transforms.base import GRAY, Transform
from featviz.transforms.compose import Drawn, Transforms
from featviz.transforms.crops import Crops, NormalCrops, Resize, UniformCrops
from featviz.transforms.geometric import (
    Flip,
    Geometric,
    Jitter,
    Pad,
    Rotate,
    RotateBetween,
    Scale,
    ScaleBetween,
    Shift,
    resample,
)
from featviz.transforms.pixels import Blur, ColorShift, Copies, Noise, Roll

__all__ = [
    "GRAY",
    "Blur",
    "ColorShift",
    "Copies",
    "Crops",
    "Drawn",
    "Flip",
    "Geometric",
    "Jitter",
    "Noise",
    "NormalCrops",
    "Pad",
    "Resize",
    "Roll",
    "Rotate",
    "RotateBetween",
    "Scale",
    "ScaleBetween",
    "Shift",
    "Transform",
    "Transforms",
    "UniformCrops",
    "resample",
]
