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
    assert "torch.jit.load(path).state_dict()" in refused(tmp_path / "ts.pt").hint
    torch.export.save(torch.export.export(net, (torch.rand(1, 1, 8, 8),)), tmp_path / "net.pt2")
    assert "torch.export.load(path).state_dict" in refused(tmp_path / "net.pt2").hint
    torch.save(net, tmp_path / "whole.pt")
    torch.save({"model": net, "epoch": 3}, tmp_path / "yolo.pt")
    for name in ("whole.pt", "yolo.pt"):
        assert refused(tmp_path / name).hint.startswith("where you trust the file")


def test_an_archive_that_unpacks_to_far_more_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"")
        archive.writestr("bomb/data/0", bytes(10**7))
    assert refused(tmp_path / "bomb.pt").expected == "a file that torch.save has written"
