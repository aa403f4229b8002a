"""Pictures beside the photos of a folder: photos in the place of pictures have numbers that are known."""

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import tiny
from refusals import assert_refused
from torch import Tensor, nn

import featviz
from featviz.metrics import Judge, PictureMetrics
from featviz.metrics.spectrum import band_shares
from featviz.models.backbone import Backbone
from featviz.objectives import Channel, Neuron, WholeLayer
from featviz.photos.exemplar_folder import ExemplarFolder
from featviz.photos.files import load_photo


@pytest.fixture(scope="module")
def folder(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exemplars") / "found"
    featviz.exemplars(tiny(), photo_folder, "second", "0-4", k=6, output=path, overrides=["references=70"])
    return path


def pictures_of(folder: Path, numbers: range, which: int) -> Tensor:
    """The strongest (0) or the weakest (1) photo of each filter."""
    found = ExemplarFolder(folder)
    return torch.stack([load_photo(found.extremes("second", number)[which][0], 48) for number in numbers])


def test_photos_of_a_unit_agree_with_it_and_those_that_it_shuns_do_not(folder: Path) -> None:
    """The judge is the network itself, which has a unit that answers to photos just as this one does."""
    numbers, backbone = range(5), Backbone(tiny(), ["second"])
    metrics = PictureMetrics([Judge(tiny())], folder)
    objective = Channel("second", numbers)
    metrics.check(objective, backbone, numbers)
    strong, weak = (metrics.of(backbone, objective, pictures_of(folder, numbers, which)) for which in (0, 1))
    assert np.mean([row["agreement_tiny"] for row in strong]) > 0.85
    assert np.mean([row["agreement_tiny"] for row in weak]) < 0.15
    assert np.mean([row["agreement_photos_tiny"] for row in strong]) > 0.8
    assert min(row["transfer_r_tiny"] for row in strong) > 0.95
    assert min(row["transfer_z_tiny"] for row in strong) > 1 > -1 > max(row["transfer_z_tiny"] for row in weak)
    assert all(0 < row["gradient_pr"] <= 1 for row in strong)
    assert all(math.isnan(row["path"]) for row in strong)  # no earlier layer has enough channels


def test_photos_of_a_unit_go_its_way_and_those_that_it_shuns_another(photo_folder: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 24, 5, 2), nn.ReLU(), nn.Conv2d(24, 8, 3))
    model, numbers = featviz.Model("net", network, (0.5,), (0.25,), 48, "given"), range(8)
    featviz.exemplars(model, photo_folder, "2", "all", k=6, output="found", overrides=["references=70"])
    folder, backbone, metrics = ExemplarFolder("found"), Backbone(model, ["2"]), PictureMetrics(exemplars="found")
    ways = []
    for which in (0, 1):
        photos = torch.stack([load_photo(folder.extremes("2", number)[which][0], 48) for number in numbers])
        ways.append([row["path"] for row in metrics.of(backbone, Channel("2", numbers), photos)])
    own, other = np.array(ways)[:, np.isfinite(ways[0])]
    assert len(own) >= 4
    assert min(own) > 0.5 > 0 > max(other)


def test_a_picture_s_numbers_do_not_depend_on_the_others(folder: Path) -> None:
    pictures = pictures_of(folder, range(4), 0)
    backbone, metrics = Backbone(tiny(), ["second"]), PictureMetrics([Judge(tiny())], folder)
    together = metrics.of(backbone, Channel("second", range(4)), pictures)
    alone = PictureMetrics([Judge(tiny())], folder).of(backbone, Channel("second", [2]), pictures[2:3])
    assert alone[0] == pytest.approx(together[2], rel=1e-4, nan_ok=True)


def test_spectra_are_compared_with_those_of_the_folder(folder: Path) -> None:
    picture = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    (row,) = PictureMetrics(exemplars=folder).of(Backbone(tiny(), ["second"]), Channel("second", [0]), picture)
    chosen = [ExemplarFolder(folder).references[at * 70 // 64] for at in range(64)]
    usual = np.mean([band_shares(load_photo(file, 48).permute(1, 2, 0).numpy()) for file in chosen], 0)
    own = band_shares(picture[0].permute(1, 2, 0).numpy())
    excess = [row["excess_2_4"], row["excess_4_8"], row["excess_8_16"]]
    assert excess == pytest.approx([share / expected for share, expected in zip(own, usual, strict=True)], rel=1e-4)


def test_pictures_that_are_of_no_single_filter_have_no_such_numbers(folder: Path) -> None:
    backbone, picture = Backbone(tiny(), ["second"]), pictures_of(folder, range(1), 0)
    (row,) = PictureMetrics(exemplars=folder).of(backbone, WholeLayer("second", [0]), picture)
    assert "path" not in row
    (row,) = PictureMetrics(exemplars=folder).of(backbone, Neuron("second", [19]), picture)  # not in the folder
    assert math.isnan(row["path"])
    assert math.isnan(row["gradient_pr"])


def test_photos_that_are_gone_are_told_before_any_work_and_cost_no_pictures_later(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics, backbone = PictureMetrics(exemplars=folder), Backbone(tiny(), ["second"])
    objective, picture = Channel("second", [0]), pictures_of(folder, range(1), 0)
    (file, *_), _ = ExemplarFolder(folder).extremes("second", 0)
    content = file.read_bytes()
    try:
        file.write_bytes(b"no photo")
        with caplog.at_level(logging.WARNING):
            (row,) = metrics.of(backbone, objective, picture)
        file.unlink()
        assert_refused(lambda: metrics.check(objective, backbone, [0]), "exemplars", folder, "a whole folder")
    finally:
        file.write_bytes(content)
    assert row["robustness"] > 0
    assert "path" not in row
    assert caplog.messages[0].startswith(f"nothing is said of pictures beside photos: photo {file} is no picture")
