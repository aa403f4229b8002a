"""What a file of weights is, told by its first bytes and its table of contents before anything of it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from featviz.errors import FeatvizError, close_names

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors")
KINDS = ("pretrained", "random", "given")  # what may stand in a file's place
MOST_UNPACKED = 20  # times its own length; torch.save does not compress, and other programs gain far less
SAVE_STATE = "torch.save(network.state_dict(), 'weights.pt')"


def check_weights(file: Path) -> None:
    """Raise FeatvizError where there is no file."""
    if file.is_dir():
        expected = f"a file ending in {', '.join(SUFFIXES)}"
        what = f"weights: {file} is a folder, expected {expected}"
        raise FeatvizError(what, setting="model.weights", got=str(file), expected=expected)
    if not file.is_file():  # a pipe is none
        beside = [str(other) for other in file.parent.glob("*") if other.suffix.lower() in SUFFIXES and other != file]
        what = f"weights: there is no file '{file}' (expected {', '.join(KINDS)}, or a file's path)"
        near = close_names(str(file), [*beside, *KINDS])
        raise FeatvizError(what, setting="model.weights", got=str(file), known=near or None)


def check_file(file: Path) -> None:
    """Raise FeatvizError for what is no file of weights: a program, an archive that unpacks to far more, a folder."""
    check_weights(file)
    _check_archive(file)
    if file.suffix.lower() not in SUFFIXES:
        expected = f"one of {', '.join(SUFFIXES)}"
        what = f"weights: {file} must end in {expected}"
        raise FeatvizError(what, setting="model.weights", got=str(file), expected=expected)


def _check_archive(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # its reader says what is wrong with it
        return
    names = {entry.filename.rpartition("/")[2] for entry in entries}
    if "archive_format" in names or "serialized_exported_program.json" in names:
        hint = "save its weights with torch.save(torch.export.load(path).state_dict, 'weights.pt')"
        what = f"weights: {file} is a program of torch.export, not a state dict: {hint}"
        raise FeatvizError(what, setting="model.weights", got=str(file), hint=hint)
    if "constants.pkl" in names:
        hint = "save its weights with torch.save(torch.jit.load(path).state_dict(), 'weights.pt')"
        what = f"weights: {file} is a TorchScript archive, not a state dict: {hint}"
        raise FeatvizError(what, setting="model.weights", got=str(file), hint=hint)
    unpacked, packed = sum(entry.file_size for entry in entries), file.stat().st_size
    if unpacked > MOST_UNPACKED * packed:
        expected = "a file that torch.save has written"
        sizes = f"of {packed / 1e6:.1f} MB unpacks to {unpacked / 1e6:.0f} MB"
        what = f"weights: {file} {sizes}, and was not read: expected {expected}"
        raise FeatvizError(what, setting="model.weights", got=str(file), expected=expected)
