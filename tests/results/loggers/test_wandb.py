"""What Weights & Biases is sent, read back from the files that the real package writes."""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from program import SHORT, made, refused
from trainings import QUICK, fit

import featviz
from featviz.results.folder import read_rows
from featviz.results.loggers.wandb import WeightsAndBiases

STEPS = ("schedule.steps=5", "callbacks.log.numbers_every=2", "callbacks.log.pictures_every=3", "evidence=none")


@pytest.fixture(autouse=True)
def _leave_the_environment_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_MODE"):
        monkeypatch.setenv(name, "")  # so that what the logger sets is taken back
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def wandb() -> Iterator[Any]:
    package = pytest.importorskip("wandb", reason="wandb is not installed: pip install 'featviz[wandb]'")
    yield package
    package.teardown()  # its process would outlive the tests


@pytest.mark.end_to_end
@pytest.mark.usefixtures("wandb")
def test_wandb_gets_pictures_scalars_hyperparameters_and_configuration_in_files() -> None:
    folder = made(*SHORT, *STEPS, "logger=wandb", "lr_schedule=constant", "layer=second,first", "batch_size=1")
    (run,) = folder.glob("wandb/offline-run-*")  # one, whatever number of chunks there are
    pictures = run / "files/media/images"
    for layer in ("first", "second"):
        for number in range(2):
            singles = list(pictures.glob(f"{layer}/{number:04d}_*.png"))
            assert len(singles) == 3  # steps 0, 3 and 5
            assert sizes(singles) == {(40, 40)}
            assert len(list(pictures.glob(f"grid/{layer}/{number:04d}_*.png"))) == 3
    records = wandb_records(run)
    lines = [values(record.history.item) for record in records if record.history.item]
    assert [line["trainer/global_step"] for line in lines if "activation/second/0000" in line] == [2, 4, 5]
    assert any("loss/first/0001/score" in line and line["lr"] == 0.05 for line in lines)
    config = {key: value for record in records for key, value in values(record.config.update).items()}
    assert (config["recipe"], config["steps"]) == ("clear", 5)
    assert config["config"]["optimizer"]["lr"] == 0.05
    rows = read_rows(folder)
    mean = sum(row["activation"] for row in rows) / len(rows)
    summary = {key: value for record in records for key, value in values(record.summary.update).items()}
    assert summary["hp/activation"] == pytest.approx(mean)
    written = {path for path in Path().rglob("*") if "wandb" in str(path)}
    assert all(path.is_relative_to(folder) for path in written)


def test_wandb_of_a_training_gets_what_a_watch_sees(wandb: Any) -> None:
    logger = WeightsAndBiases(".", project="training")  # Lightning's, which goes nowhere else
    fit([featviz.Watch(layers="f.3", filters="0-1", **QUICK)], [logger])
    logger.experiment.finish()
    wandb.teardown()  # its process has written all when it has ended
    (run,) = Path().glob("wandb/offline-run-*")
    lines = [values(record.history.item) for record in wandb_records(run) if record.history.item]
    for number in ("0000", "0001"):
        steps = [line["trainer/global_step"] for line in lines if f"watch/f.3/{number}/activation" in line]
        assert steps == [2, 4]
        assert len(list((run / "files/media/images/watch/f.3").glob(f"{number}_*.png"))) == 2


def wandb_records(run: Path) -> list[Any]:
    """The records of a run's ``.wandb`` file: LevelDB's log format, in blocks of 32 KiB, after a head of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    (file,) = run.glob("run-*.wandb")
    content, at, parts, records = file.read_bytes(), 7, [], []
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        parts.append(content[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(wandb_internal_pb2.Record.FromString(b"".join(parts)))
            parts = []
    return records


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def sizes(files: list[Path]) -> set[tuple[int, int]]:
    found = set()
    for file in files:
        with Image.open(file) as image:
            found.add(image.size)
    return found


@pytest.mark.end_to_end
def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = refused(*SHORT, "callbacks=none", "logger=wandb").splitlines()[-1]
    assert line.endswith("logger=wandb needs wandb: pip install 'featviz[wandb]'")
