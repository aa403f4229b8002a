"""Kinds of files that are not read."""

import warnings
import zipfile
from pathlib import Path

import torch
from checkpoints import network, refused


def test_files_that_are_programs_or_whole_networks(tmp_path: Path) -> None:
    net = network().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(net, torch.rand(1, 1, 8, 8)), tmp_path / "ts.pt")
    refused("is a TorchScript archive, not a state dict: save its weights", tmp_path / "ts.pt")
    torch.export.save(torch.export.export(net, (torch.rand(1, 1, 8, 8),)), tmp_path / "net.pt2")
    refused("is a program of torch.export, not a state dict: save its weights", tmp_path / "net.pt2")
    torch.save(net, tmp_path / "whole.pt")
    refused(
        r"whole pickled network \(torch.nn.modules.container.Sequential\).*torch.save\(network.state_dict",
        tmp_path / "whole.pt",
    )
    torch.save({"model": net, "epoch": 3}, tmp_path / "yolo.pt")
    refused(r"holds a whole pickled network under 'model'", tmp_path / "yolo.pt")


def test_an_archive_that_unpacks_to_far_more_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"")
        archive.writestr("bomb/data/0", bytes(10**7))
    refused(r"of 0.0 MB unpacks to 10 MB, and was not read", tmp_path / "bomb.pt")
