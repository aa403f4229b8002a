"""What every parametrization of pictures must do, whichever it is."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from refusals import assert_refused
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError
from featviz.images.base import Image, check_pixels
from featviz.images.cppn import CppnImage
from featviz.images.fourier import FourierImage
from featviz.images.init import DataMean, Uniform
from featviz.images.laplacian import LaplacianImage
from featviz.images.maco import MacoImage
from featviz.images.photo import PhotoFourier, PhotoPhase, PhotoPixels
from featviz.images.pixel import PixelImage

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS: dict[str, Callable[..., Image]] = {
    "fourier": FourierImage,
    "fourier, rescaled": partial(FourierImage, rescale=True, decay=0.85, sd=0.5),
    "pixels": partial(PixelImage, init=Uniform()),
    "pixels, data mean": partial(PixelImage, init=DataMean(0.1), space="model", bound="none"),
    "maco": MacoImage,
    "maco, value range": partial(MacoImage, value_range=[-2.5, 2.5]),
    "laplacian": partial(LaplacianImage, sd=0.5),
    "cppn": partial(CppnImage, width=6, depth=3),
    "photo, pixels": partial(PhotoPixels, noise=0.05),
    "photo, fourier": partial(PhotoFourier, noise=0.05),
    "photo, phase": partial(PhotoPhase, noise=0.3),
}


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A photo of 48 x 40 px: smooth, with an edge."""
    y, x = np.mgrid[0:40, 0:48] / 48
    colors = np.stack([0.2 + 0.6 * x, 0.8 - 0.6 * y, 0.3 + 0.4 * (x > y)], -1)
    path = tmp_path_factory.mktemp("photo") / "a photo.png"
    Pillow.fromarray((255 * colors).round().astype(np.uint8)).save(path)
    return str(path)


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest, picture: str) -> Callable[..., Image]:
    def built(size: int, *seeds: int, channels: int = 3) -> Image:
        of = partial(KINDS[request.param], path=picture) if "photo" in request.param else KINDS[request.param]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return of(size=size, generators=generators, mean=(MEAN * 2)[:channels], std=(STD * 2)[:channels])

    return built


def moved(image: Image) -> Image:
    """With other values than those of the start, as after some steps."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for values in image.values:
            values += 0.2 * values.std() * torch.randn(values.shape, generator=generator)
    return image


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [16, 25])
def test_pictures_have_their_shape_and_lie_in_range(build: Callable[..., Image], channels: int, size: int) -> None:
    pictures = moved(build(size, 0, 1, channels=channels))()
    assert pictures.shape == (2, channels, size, size)
    assert pictures.dtype == torch.float32
    assert pictures.isfinite().all()
    if pictures.min() < 0 or pictures.max() > 1:  # only those in the network's own range
        assert pictures.min() > -0.4
        assert pictures.max() < 1.4


def test_a_start_depends_on_its_own_generator_alone(build: Callable[..., Image]) -> None:
    state = torch.get_rng_state()
    together, alone, other = build(16, 1, 2, 3), build(16, 2), build(16, 9)
    assert torch.equal(together.values[1], alone.values[0])
    assert not torch.equal(alone.values, other.values)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_picture_does_not_depend_on_the_others(build: Callable[..., Image]) -> None:
    together, alone = moved(build(16, 1, 2, 3)), build(16, 2)
    alone.values.data = together.values.data[1:2].clone()
    torch.testing.assert_close(together()[1:2], alone(), atol=1e-6, rtol=0)
    (gradient,) = torch.autograd.grad(together()[1].square().sum(), together.values)
    assert gradient[1].any()
    assert not gradient[[0, 2]].any()
    together.resize(24)
    alone.resize(24)
    if not isinstance(together, MacoImage):  # whose new frequencies are drawn from the picture's own seed
        torch.testing.assert_close(together()[1:2], alone(), atol=1e-6, rtol=0)


def test_gradients_reach_the_values(build: Callable[..., Image]) -> None:
    image = moved(build(16, 0, 1))
    image()[..., 3, 5].square().sum().backward()
    assert list(image.state_dict()) == ["values"]
    assert [name for name, _ in image.named_parameters()] == ["values"]
    assert image.values.grad is not None
    assert image.values.grad.isfinite().all()
    assert image.values.grad.flatten(1).any(1).all()


def test_resampling_is_linear_and_keeps_the_parameter(build: Callable[..., Image]) -> None:
    image = build(12, 0, 1)
    parameter, a = image.values, image.values.detach().clone()
    b = torch.randn(a.shape, generator=torch.Generator().manual_seed(3))
    both = image.resampled(2 * a - 3 * b, 20)
    torch.testing.assert_close(both, 2 * image.resampled(a, 20) - 3 * image.resampled(b, 20), rtol=1e-4, atol=1e-5)
    image().sum().backward()
    image.resize(20)
    assert image.values is parameter
    assert image.values.grad is None
    assert image.values.shape == both.shape
    assert image.size == 20
    assert image().shape == (2, 3, 20, 20)


@pytest.mark.parametrize(("old", "new"), [(32, 64), (33, 50), (24, 30)])
def test_a_resized_picture_is_the_same_picture(build: Callable[..., Image], old: int, new: int) -> None:
    image = smooth(build(old, 0, 1, 2))
    before = image().detach()
    image.resize(new)
    after = image().detach()
    side = 16
    one, other = (F.interpolate(p, (side, side), mode="bilinear", antialias=True) for p in (before, after))
    assert (one - other).square().mean() < 0.1 * one.var()
    assert alike(one, other) > 0.95


def smooth(image: Image) -> Image:
    """Pixels of noise have no counterpart at another size."""
    if isinstance(image, PixelImage):
        image.project(lambda pictures: F.interpolate(F.avg_pool2d(pictures, 4), pictures.shape[2:], mode="bicubic"))
    return moved(image) if isinstance(image, CppnImage) else image


def alike(one: Tensor, other: Tensor) -> float:
    return float(np.corrcoef(one.flatten().numpy(), other.flatten().numpy())[0, 1])


def test_changes_of_pixels_are_for_images_of_pixels() -> None:
    image = FourierImage(size=8, generators=[torch.Generator()], mean=MEAN, std=STD)
    assert_refused(lambda: image.project(lambda pictures: pictures), "image", "FourierImage", "")
    assert_refused(lambda: check_pixels(image, "gradients.blur"), "image", "FourierImage", "")


def test_the_sentence_says_what_to_choose() -> None:
    image = MacoImage(size=8, generators=[torch.Generator()], mean=MEAN, std=STD)
    with pytest.raises(FeatvizError) as error:
        image.project(lambda pictures: pictures)
    assert str(error.value) == (
        "projections and blur between sizes change pixels, but the image is MacoImage: choose image=pixel, or "
        "projections=none and schedule.blur=null"
    )
