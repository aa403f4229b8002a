"""Phases with fixed magnitudes, against the formula in NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix, psnr
from refusals import assert_refused

from featviz.errors import FeatvizError
from featviz.images.maco import MacoImage


def maco(size: int, *seeds: int, channels: int = 3, **settings: object) -> MacoImage:
    return MacoImage(size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], **settings)


def law(size: int) -> np.ndarray:
    y, x = np.fft.fftfreq(size) * size, np.fft.rfftfreq(size) * size
    return 1 / np.maximum(np.hypot(y[:, None], x[None]), 1)


def standardized(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def of_a_real_picture(phase: np.ndarray) -> np.ndarray:
    """Phases (C, S, S // 2 + 1), those of a frequency and its negative opposite where both are there."""
    size, phase = phase.shape[1], phase.copy()
    for column in {0, size // 2} if size % 2 == 0 else {0}:
        before = phase[:, :, column].copy()
        for row in range(size):
            if (opposite := -row % size) != row:
                phase[:, row, column] = (before[:, row] - before[:, opposite]) / 2
    return phase


def by_numpy(phase: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """One picture (3, S, S) in (0, 1) from its phases (3, S, S // 2 + 1)."""
    size = phase.shape[1]
    spectrum = magnitude * np.exp(1j * of_a_real_picture(standardized(phase)))
    picture = standardized(np.fft.irfft2(spectrum, s=(size, size)))
    return 1 / (1 + np.exp(-np.einsum("rc,chw->rhw", lucid_matrix(), picture)))


@pytest.mark.parametrize("size", [8, 9, 17, 32])
def test_pictures_equal_the_formula(size: int) -> None:
    image = maco(size, 0, 1)
    with torch.no_grad():
        image.values.mul_(3).add_(0.7)
    expected = [by_numpy(phase, law(size)) for phase in image.values.detach().double().numpy()]
    np.testing.assert_allclose(image().detach(), expected, atol=1e-5)


def test_the_spectrum_of_a_file_takes_the_place_of_the_law(tmp_path: Path) -> None:
    magnitude = np.random.default_rng(0).uniform(0.1, 2, (3, 16, 9)).astype(np.float32)
    for column in (0, 8):
        magnitude[:, 9:, column] = magnitude[:, 7:0:-1, column]
    np.save(tmp_path / "mine.npy", magnitude)
    image = maco(16, 4, spectrum=str(tmp_path / "mine.npy"))
    expected = by_numpy(image.values[0].detach().double().numpy(), magnitude)
    np.testing.assert_allclose(image()[0].detach(), expected, atol=2e-4)


def test_the_unit_of_a_spectrum_does_not_matter(tmp_path: Path) -> None:
    pictures = []
    for unit in (1e-6, 1.0, 1e6):
        np.save(tmp_path / f"{unit}.npy", np.broadcast_to(unit * law(64), (3, 64, 33)))
        pictures.append(maco(64, 1, spectrum=str(tmp_path / f"{unit}.npy"))().detach())
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(pictures[2], pictures[1], atol=1e-5, rtol=0)


def test_phases_start_standard_normal() -> None:
    values = maco(64, 0).values
    assert (values.mean().item(), values.std().item()) == pytest.approx((0, 1), abs=0.03)


@pytest.mark.parametrize("size", [32, 33])
def test_magnitudes_stay_whatever_the_phases(size: int) -> None:
    image = maco(size, 0, 1)
    with torch.no_grad():
        image.values.mul_(5)
    inverse = np.linalg.inv(lucid_matrix())
    pictures = np.einsum("rc,nchw->nrhw", inverse, image().detach().double().logit().numpy())
    for picture in pictures:
        ratio = np.abs(np.fft.rfft2(picture)) / law(size)
        real = [0, size // 2] if size % 2 == 0 else [0]  # where a real picture allows no free phase
        ratio[:, np.ix_(real, real)[0], np.ix_(real, real)[1]] = np.nan
        np.testing.assert_allclose(ratio[np.isfinite(ratio)], np.nanmean(ratio), rtol=5e-3)


def test_a_frequency_and_its_negative_get_the_mean_of_their_magnitudes(tmp_path: Path) -> None:
    magnitude = np.random.default_rng(0).uniform(0.1, 2, (3, 16, 9)).astype(np.float32)
    np.save(tmp_path / "mine.npy", magnitude)
    found = maco(16, 4, spectrum=str(tmp_path / "mine.npy")).magnitude.numpy()
    assert found[:, 3, 0] == pytest.approx((magnitude[:, 3, 0] + magnitude[:, 13, 0]) / 2)
    assert found[:, 8, 8] == pytest.approx(magnitude[:, 8, 8])
    np.testing.assert_array_equal(found[:, :, 1:8], magnitude[:, :, 1:8])


def test_one_channel_has_no_color_to_mix() -> None:
    image = maco(16, 0, channels=1)
    phase = standardized(image.values[0].detach().double().numpy())
    picture = standardized(np.fft.irfft2(law(16) * np.exp(1j * of_a_real_picture(phase)), s=(16, 16)))
    np.testing.assert_allclose(image()[0].detach(), 1 / (1 + np.exp(-picture)), atol=2e-4)


def test_a_value_range_is_what_the_network_sees() -> None:
    usual, wide = maco(16, 0), maco(16, 0, value_range=[-2.5, 2.5])
    seen = (wide() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(seen, 5 * usual() - 2.5, atol=1e-5, rtol=0)


def test_upscaling_keeps_phases_and_gives_new_ones_the_same_spread() -> None:
    image = maco(32, 0, 1)
    with torch.no_grad():
        image.values.mul_(4).add_(2)
    before = image.values.detach().clone()
    image.resize(64)
    after = image.values.detach()
    assert torch.equal(after[:, :, :16, :16], before[:, :, :16, :16])
    assert torch.equal(after[:, :, -15:, :16], before[:, :, -15:, :16])
    new = after[:, :, 16:-15].flatten(1)
    torch.testing.assert_close(new.mean(1), before.flatten(1).mean(1), atol=0.2, rtol=0)
    torch.testing.assert_close(new.std(1), before.flatten(1).std(1), atol=0.2, rtol=0)
    assert not torch.equal(new[0] - new[0].mean(), new[1] - new[1].mean())


def test_what_upscaling_draws_depends_on_the_picture_alone() -> None:
    together, alone = maco(16, 3, 5), maco(16, 5)
    state = torch.get_rng_state()
    for image in (together, alone):
        image.resize(32)
    torch.testing.assert_close(together.values[1], alone.values[0])
    torch.testing.assert_close(together()[1], alone()[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    image = maco(16, 0)
    before = image().detach()
    image.resize(16)
    assert torch.equal(image(), before)


@pytest.mark.parametrize("size", [16, 33])
def test_every_frequency_keeps_its_place_through_upscaling(size: int) -> None:
    image = maco(size, 0)
    before = image().detach()
    image.resize(2 * size)
    after = image().detach()
    low = torch.fft.rfft2(after)[..., : size // 4, : size // 4] / 4
    assert psnr(low.abs() / size**2, torch.fft.rfft2(before)[..., : size // 4, : size // 4].abs() / size**2) > 40


@pytest.mark.parametrize("value_range", [2.5, ["a", "b"], [1, 0], [1]])
def test_what_is_no_range(value_range: object) -> None:
    expected = "two numbers such as [-2.5,2.5], or null"
    assert_refused(lambda: maco(8, 0, value_range=value_range), "image.value_range", value_range, expected)


def test_what_is_no_spectrum(tmp_path: Path) -> None:
    np.save(tmp_path / "near.npy", law(8)[None])
    for name, right in (("7", ""), ("neer.npy", "near.npy")):
        got = Path(name) if not right else name
        path = name if not right else tmp_path / name
        assert_refused(lambda path=path: maco(8, 0, spectrum=str(path)), "image.spectrum", got, right)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FeatvizError) as error:
        maco(8, 0, spectrum=str(tmp_path / "empty"))
    assert error.value.got == tmp_path / "empty"
    assert error.value.expected.startswith("files ending in")
