"""A pass over photos that is ended anywhere goes on where it was, to the same figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import Tiny

import featviz
from featviz.models.backbone import Backbone
from featviz.models.receptive_field import ReceptiveField
from featviz.photos.exemplars import Exemplars
from featviz.photos.saved_pass import SavedPass
from featviz.photos.search import find_exemplars
from featviz.photos.stream import Batch, PhotoStream

WHOLE = ReceptiveField(None, None)
COUNT = 150  # more than the sketch of quantiles takes as they are


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos of noise, of which some cannot be read, the last one among them."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    found = [folder / f"{at:03d}.png" for at in range(COUNT)]
    for at, path in enumerate(found):
        if at in (3, 40, COUNT - 1):
            path.write_bytes(b"no picture")
        else:
            Image.fromarray(rng.integers(0, 256, (38 + at % 2 * 20, 50, 3), np.uint8)).save(path, compress_level=1)
    return found


class Ended(Exception):
    """The process was killed."""


def search(files: list[Path], saved: SavedPass | None, ended_after: int = COUNT, batch_size: int = 8) -> Exemplars:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = featviz.Model("tiny", Tiny(), (0.45,), (0.25,), 48, "given")
    stream = PhotoStream(files, 48, batch_size=batch_size, threads=1)

    def batches() -> Iterator[Batch]:
        for number, batch in enumerate(stream):
            if number == ended_after:
                raise Ended
            yield batch

    backbone = Backbone(model, ["first", "second"])
    filters = {"first": [0, 3], "second": [1, 7, 4]}
    return find_exemplars(backbone, filters, stream, batches(), dict.fromkeys(filters, WHOLE), 4, "max", saved)


@pytest.mark.parametrize("ends", [(1,), (5, 3), (18,), (0, 1, 2)])
def test_a_pass_that_was_ended_gives_the_same(files: list[Path], tmp_path: Path, ends: tuple[int, ...]) -> None:
    path = tmp_path / "photos.ckpt"
    for end in ends:
        with pytest.raises(Ended):
            search(files, SavedPass(path, {"k": 4}, every=0), end)
    assert path.exists() == any(ends)
    assert search(files, SavedPass(path, {"k": 4}, every=0)) == search(files, None)


def test_what_is_done_is_not_read_again(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = SavedPass(tmp_path / "photos.ckpt", {}, every=0)
    with pytest.raises(Ended):
        search(files, saved, 10)
    read: list[Path] = []
    original = PhotoStream._read

    def counted(stream: PhotoStream, file: Path) -> Any:
        read.append(file)
        return original(stream, file)

    monkeypatch.setattr(PhotoStream, "_read", counted)
    search(files, saved)
    assert files[0] not in read
    assert len(read) == COUNT - 82  # ten batches of eight, and two that cannot be read
    read.clear()
    search(files, saved)
    assert not read


OTHERS: dict[str, Any] = {
    "another pass": {"identity": {"k": 9}, "state": {}},
    "no state": {"identity": {}, "state": 5},
    "no identity": {"state": {}},
    "a list": [1],
}


@pytest.mark.parametrize("content", [*OTHERS.values(), b"", b"no archive"], ids=[*OTHERS, "empty", "bytes"])
def test_what_cannot_be_gone_on_with_begins_again(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "photos.ckpt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert SavedPass(path, {}).load() is None


def test_it_is_written_every_so_often(tmp_path: Path) -> None:
    saved = SavedPass(tmp_path / "photos.ckpt", {}, every=3600)
    assert not saved.is_due()
    saved.every = 0
    assert saved.is_due()
    saved.write({"done": 3})
    assert saved.load() == {"done": 3}
    saved.remove()
    assert saved.load() is None


@pytest.mark.parametrize("others", [(), ("mine.txt",)])
def test_a_pass_that_is_over_leaves_no_empty_folder(tmp_path: Path, others: tuple[str, ...]) -> None:
    saved = SavedPass(tmp_path / "checkpoints" / "photos.ckpt", {})
    saved.write({"done": 1})
    for name in others:
        (tmp_path / "checkpoints" / name).touch()
    saved.remove()
    assert [path.name for path in tmp_path.rglob("*")] == (["checkpoints", *others] if others else [])
