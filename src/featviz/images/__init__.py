"""The learnable parametrizations of pictures, one file each."""

from featviz.images.alpha import AlphaImage
from featviz.images.base import Image
from featviz.images.cppn import CppnImage
from featviz.images.fourier import FourierImage
from featviz.images.laplacian import LaplacianImage
from featviz.images.maco import MacoImage
from featviz.images.photo import PhotoFourier, PhotoImage, PhotoPhase, PhotoPixels
from featviz.images.pixel import PixelImage

__all__ = [
    "AlphaImage",
    "CppnImage",
    "FourierImage",
    "Image",
    "LaplacianImage",
    "MacoImage",
    "PhotoFourier",
    "PhotoImage",
    "PhotoPhase",
    "PhotoPixels",
    "PixelImage",
]
