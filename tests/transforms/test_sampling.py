import ctypes
import math
from collections import Counter
from threading import get_ident

import numba
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.transforms import threads
from featviz.transforms.kernels.compiled import compiled
from featviz.transforms.sampling import sample
from featviz.transforms.threads import in_threads

CASES = {
    "as it is": (0.0, 1.0, (0.0, 0.0)),
    "whole pixels": (0.0, 1.0, (3.0, -2.0)),
    "turned": (10.0, 1.0, (0.0, 0.0)),
    "turned upside down": (180.0, 1.0, (0.5, 0.25)),
    "larger": (-25.0, 0.6, (4.3, -1.7)),
    "smaller": (45.0, 2.7, (-1.1, 8.9)),
    "beside the picture": (30.0, 1.0, (500.0, 0.0)),
}


def from_corners(about_centers: Tensor, side: int, height: int, width: int) -> Tensor:
    """Matrices (..., 2, 3) between pixels counted from the corners, of those between px from the canvases' centers."""
    new, old = torch.eye(3), torch.eye(3)
    new[:2, 2] = -torch.tensor([side - 1, side - 1]) / 2
    old[:2, 2] = torch.tensor([width - 1, height - 1]) / 2
    last = torch.tensor([0.0, 0.0, 1.0]).expand(*about_centers.shape[:-2], 1, 3)
    return (old @ torch.cat([about_centers, last], -2) @ new)[..., :2, :]


def matrix(
    degrees: float, step: float, shift: tuple[float, float], side: int = 41, height: int = 37, width: int = 52
) -> Tensor:
    cosine, sine = (step * f(math.radians(degrees)) for f in (math.cos, math.sin))
    rows = torch.tensor([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])
    return from_corners(rows, side, height, width)


def by_torch(pictures: Tensor, matrices: Tensor, side: int, fill: float) -> Tensor:
    """In double precision, by torch's own grid and sampler."""
    height, width = pictures.shape[2:]
    pixels = torch.tensor([[side / 2, 0, (side - 1) / 2], [0, side / 2, (side - 1) / 2], [0, 0, 1]]).double()
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(matrices), 1, 3)
    theta = (torch.cat([matrices, last], 1).double() @ pixels)[:, :2]
    theta[:, :, 2] += 0.5
    theta /= torch.tensor([width / 2, height / 2]).double()[:, None]
    theta[:, :, 2] -= 1
    grid = F.affine_grid(theta, [*pictures.shape[:2], side, side], align_corners=False)
    return F.grid_sample(pictures.double() - fill, grid, align_corners=False) + fill


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("case", CASES)
def test_pictures_and_gradients_are_those_of_torch(case: str, channels: int) -> None:
    pictures = torch.rand(3, channels, 37, 52, requires_grad=True)
    matrices = torch.stack([matrix(*CASES[case]), matrix(*CASES["turned"]), matrix(*CASES["smaller"])])
    weights = torch.randn(3, channels, 41, 41)
    ours, theirs = (how(pictures, matrices, 41, 0.3) for how in (sample, by_torch))
    assert torch.allclose(ours.double(), theirs, atol=2e-5)
    gradients = [torch.autograd.grad((found * weights).sum(), pictures)[0] for found in (ours, theirs)]
    assert torch.allclose(*gradients, atol=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_colors_have_the_gradients_of_channels_by_themselves(case: str) -> None:
    pictures = torch.rand(2, 3, 37, 52, requires_grad=True)
    matrices, weights = matrix(*CASES[case]).expand(2, 2, 3), torch.randn(2, 3, 41, 41)
    alone = [sample(pictures[:, [k]], matrices, 41, 0.3) for k in range(3)]
    ways = sample(pictures, matrices, 41, 0.3), torch.cat(alone, 1)
    assert torch.equal(*(torch.autograd.grad((found * weights).sum(), pictures)[0] for found in ways))


def test_any_matrix_samples_as_torch_does() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(200, 3, 16, 16, generator=generator)
    matrices = torch.randn(200, 2, 3, generator=generator) * torch.tensor([1.0, 1.0, 6.0])
    matrices[100:] = (4 * matrices[100:]).round() / 4
    matrices = from_corners(matrices, 17, 16, 16)  # half of them hit pixels, edges and corners
    ours, theirs = (how(pictures, matrices, 17, 0.5) for how in (sample, by_torch))
    assert torch.allclose(ours.double(), theirs, atol=2e-5)


def test_a_picture_does_not_depend_on_the_others() -> None:
    pictures = torch.rand(5, 3, 32, 32)
    matrices = torch.stack([matrix(7.0 * at, 1.1, (at, 0.5), 30, 32, 32) for at in range(5)])
    whole = sample(pictures, matrices, 30, 0.5)
    assert torch.equal(whole[3:4], sample(pictures[3:4], matrices[3:4], 30, 0.5))


def test_whole_pixels_are_exact_and_outside_is_the_fill() -> None:
    pictures = torch.rand(1, 3, 8, 8)
    moved = sample(pictures, matrix(0.0, 1.0, (3.0, 0.0), 8, 8, 8)[None], 8, 0.25)
    assert torch.equal(moved[..., :5], pictures[..., 3:])
    assert torch.equal(moved[..., 5:], torch.full((1, 3, 8, 3), 0.25))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_kind_of_numbers_stays(dtype: torch.dtype) -> None:
    pictures = torch.rand(2, 3, 16, 16, dtype=dtype, requires_grad=True)
    matrices = matrix(*CASES["turned"], 16, 16, 16).expand(2, 2, 3)
    found = sample(pictures, matrices, 16, 0.5)
    found.sum().backward()
    assert found.dtype == pictures.grad.dtype == dtype  # type: ignore[union-attr]
    assert torch.allclose(found.double(), by_torch(pictures, matrices, 16, 0.5), atol=1e-2)


@pytest.fixture(params=["OpenMP", "a pool", "one"])
def kind_of_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "OpenMP" and not threads._gnu_openmp():
        pytest.skip("this torch has no GNU OpenMP")
    if request.param != "OpenMP":
        monkeypatch.setattr(threads, "_gnu_openmp", lambda: None)
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: 1 if request.param == "one" else 2)
    return str(request.param)


def test_all_is_done_once_in_several_threads(kind_of_threads: str) -> None:
    tasks, done, workers = iter(range(200)), Counter[int](), set()

    def work() -> None:
        workers.add(get_ident())
        for task in tasks:
            done[task] += 1
            sum(range(2000))

    in_threads(work)
    assert done == Counter(range(200))
    assert len(workers) <= 2
    assert (get_ident() in workers) == (kind_of_threads != "a pool")


@pytest.mark.usefixtures("kind_of_threads")
@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_what_a_thread_raises_is_raised(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        in_threads(work)


def test_another_openmp_than_torchs_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_loaded(name: str, **_: int) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", not_loaded)
    assert threads._gnu_openmp.__wrapped__() is None


def test_kernels_work_where_machine_code_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def without_a_place(*arguments: object, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_a_place)

    @compiled(numba.float32[::1])
    def double(numbers: np.ndarray) -> None:
        for at in range(len(numbers)):
            numbers[at] *= 2

    numbers = np.arange(3, dtype=np.float32)
    double(numbers)
    assert numbers.tolist() == [0, 2, 4]
