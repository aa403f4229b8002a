"""Random changes between the image and the model that make a picture robust (Olah et al. 2017).

Each picture has its own draw of each transform: uniform numbers in [0, 1) that come from outside, so that they can be a
function of (seed, layer, filter, step) and not of the batch.
"""

from featviz.transforms.affine import Flip, Jitter, Pad, Rotate, RotateBetween, Scale, ScaleBetween, Shift
from featviz.transforms.base import GRAY, Transform
from featviz.transforms.blur import Blur
from featviz.transforms.compose import DrawnTransforms, Transforms
from featviz.transforms.copies import Copies
from featviz.transforms.crops import Crops, NormalCrops, UniformCrops
from featviz.transforms.geometric import Geometric, resample
from featviz.transforms.noise import ColorShift, Noise
from featviz.transforms.resize import Resize
from featviz.transforms.roll import Roll
from featviz.transforms.time_shift import TimeShift

__all__ = [
    "GRAY",
    "Blur",
    "ColorShift",
    "Copies",
    "Crops",
    "DrawnTransforms",
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
    "TimeShift",
    "Transform",
    "Transforms",
    "UniformCrops",
    "resample",
]
