import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from featviz.errors import FeatvizError
from featviz.projections import BoxBlur, Clip, GaussianBlur


def pictures(channels: int = 3, size: int = 24) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 0.6, 1.0, 1.3, 3.0])
def test_gaussian_blur_equals_scipy(channels: int, sigma: float) -> None:
    x = pictures(channels)
    expected = gaussian_filter(x.double().numpy(), sigma, axes=(2, 3), mode="mirror", truncate=4)
    np.testing.assert_allclose(GaussianBlur(sigma)(x), expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [1, 3, 5, 9])
def test_box_blur_equals_opencv(channels: int, width: int) -> None:
    x = pictures(channels)
    expected = [
        [cv2.blur(channel, (width, width), borderType=cv2.BORDER_REFLECT_101) for channel in picture]
        for picture in x.double().numpy()
    ]
    np.testing.assert_allclose(BoxBlur(width)(x), expected, atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-2.1, 2.6), (0.25, 0.3)])
def test_clip_equals_numpy(low: float, high: float) -> None:
    x = pictures() * 6 - 3
    np.testing.assert_array_equal(Clip(low, high)(x), np.clip(x.numpy(), np.float32(low), np.float32(high)))


@pytest.mark.parametrize("projection", [Clip(), GaussianBlur(1.0), BoxBlur(3)], ids=str)
def test_pictures_do_not_meet(projection: object) -> None:
    x = pictures()
    before = projection(x)
    x[1] = torch.nan
    assert torch.equal(projection(x)[0], before[0])


@pytest.mark.parametrize("every", [1, 2, 4, 7])
@pytest.mark.parametrize("kind", [Clip, lambda every: GaussianBlur(1.0, every), lambda every: BoxBlur(3, every)])
def test_due_after_every_kth_step(kind: object, every: int) -> None:
    projection = kind(every=every)
    assert [step + 1 for step in range(30) if projection.due(step)] == list(range(every, 31, every))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Clip(1.0, 0.0), "clip: low is 1.0, not below high, 0.0"),
        (lambda: Clip(0.5, 0.5), "clip: low is 0.5"),
        (lambda: Clip(every=0), "clip: every is 0"),
        (lambda: GaussianBlur(0.0), "gaussian_blur: sigma is 0.0"),
        (lambda: GaussianBlur(1.0, every=-1), "gaussian_blur: every is -1"),
        (lambda: BoxBlur(4), "box_blur: width is 4; expected an odd number"),
        (lambda: BoxBlur(-1), "box_blur: width is -1"),
        (lambda: BoxBlur(3, every=0), "box_blur: every is 0"),
        (lambda: GaussianBlur(10.0)(pictures()), "a blur of radius 40 px does not fit pictures of 24 px"),
    ],
)
def test_what_cannot_be_applied_is_refused(call: object, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
