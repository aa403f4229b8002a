"""What Weights & Biases and MLflow are sent, read back from the files that the real packages write."""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger, Logger
from PIL import Image
from program import SHORT, made, refused

from featviz.results import loggers
from featviz.results.folder import read_rows

STEPS = ("schedule.steps=5", "callbacks.log.numbers_every=2", "callbacks.log.pictures_every=3", "evidence=none")


@pytest.fixture(autouse=True)
def _stand_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # so that what a logger sets is taken back
        monkeypatch.delenv(name)


def mean_activation(folder: Path) -> float:
    rows = read_rows(folder)
    return sum(row["activation"] for row in rows) / len(rows)


def sizes(files: list[Path]) -> set[tuple[int, int]]:
    found = set()
    for file in files:
        with Image.open(file) as image:
            found.add(image.size)
    return found


@pytest.fixture(scope="module")
def wandb() -> Iterator[Any]:
    package = pytest.importorskip("wandb", reason="wandb is not installed: pip install 'featviz[wandb]'")
    yield package
    package.teardown()  # its process would outlive the tests


@pytest.mark.usefixtures("wandb")
def test_wandb_gets_pictures_scalars_hyperparameters_and_configuration_in_files() -> None:
    folder = made(*SHORT, *STEPS, "logger=wandb", "layer=second,first", "batch_size=1")
    (run,) = folder.glob("wandb/offline-run-*")  # one, whatever number of chunks there are
    pictures = run / "files/media/images"
    for layer in ("first", "second"):
        for number in range(2):
            singles = list(pictures.glob(f"{layer}/{number:04d}_*.png"))
            assert len(singles) == 3  # steps 0, 3 and 5
            assert sizes(singles) == {(48, 48)}
            assert len(list(pictures.glob(f"grid/{layer}/{number:04d}_*.png"))) == 3
    records = wandb_records(run)
    lines = [values(record.history.item) for record in records if record.history.item]
    assert [line["trainer/global_step"] for line in lines if "activation/second/0000" in line] == [2, 4, 5]
    assert any("loss/first/0001/score" in line and line["lr"] == 0.05 for line in lines)
    config = {key: value for record in records for key, value in values(record.config.update).items()}
    assert (config["recipe"], config["steps"]) == ("olah2017", 5)
    assert config["config"]["optimizer"]["lr"] == 0.05
    summary = {key: value for record in records for key, value in values(record.summary.update).items()}
    assert summary["hp/activation"] == pytest.approx(mean_activation(folder))
    written = {path for path in Path().rglob("*") if "wandb" in str(path)}
    assert all(path.is_relative_to(folder) for path in written)


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


def test_mlflow_gets_pictures_scalars_hyperparameters_and_configuration_in_files() -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'featviz[mlflow]'")
    folder = made(*SHORT, *STEPS, "logger=mlflow", "layer=second,first", "batch_size=1")
    (artifacts,) = folder.glob("mlflow/*/*/artifacts")  # one run, whatever number of chunks there are
    for name in ("first/0001", "second/0000", "grid/first/0001"):
        files = sorted((artifacts / name).iterdir())
        assert [file.name for file in files] == ["000000.png", "000003.png", "000005.png"]
    assert sizes(list((artifacts / "first/0001").iterdir())) == {(48, 48)}
    assert yaml.safe_load((artifacts / "config.yaml").read_text())["optimizer"]["lr"] == 0.05
    metric = [line.split() for line in (artifacts.parent / "metrics/activation/second/0000").read_text().splitlines()]
    assert [int(step) for _, _, step in metric] == [2, 4, 5]
    params = {file.name: file.read_text() for file in (artifacts.parent / "params").iterdir()}
    assert params["layer"] == "second,first"
    assert params["recipe"] == "olah2017"
    final = (artifacts.parent / "metrics/hp/activation").read_text().split()
    assert float(final[1]) == pytest.approx(mean_activation(folder))
    meta = yaml.safe_load((artifacts.parent / "meta.yaml").read_text())
    assert meta["status"] == 3  # finished
    assert not list(Path().rglob("telemetry.json"))
    assert {path.name for path in Path().iterdir()} <= {"outputs", "home"}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_package_that_is_missing_is_one_line_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    line = refused(*SHORT, "callbacks=none", f"logger={name}").splitlines()[-1]
    assert line.endswith(f"logger={name} needs {name}: pip install 'featviz[{name}]'")


class Own(CSVLogger):
    """A logger from outside: it shows pictures because its version of one function is registered."""

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self.shown: list[tuple[Any, ...]] = []


def test_a_logger_of_ones_own_takes_pictures_once_its_function_is_registered(tmp_path: Path) -> None:
    own, plain = Own(str(tmp_path)), CSVLogger(str(tmp_path))
    assert not loggers.takes_pictures(own)

    def show(logger: Own, tag: str, picture: Image.Image, step: int | None = None) -> None:
        logger.shown.append((tag, picture.size, step))

    loggers.log_picture.register(Own, show)
    picture = Image.new("RGB", (4, 4))
    for logger in (own, plain):
        loggers.log_picture(logger, "grid/first/0000", picture, 3)
    assert own.shown == [("grid/first/0000", (4, 4), 3)]
    assert loggers.takes_pictures(own)
    assert not loggers.takes_pictures(plain)


def test_any_logger_of_lightnings_gets_hyperparameters_and_final_numbers() -> None:
    class Notes(Logger):
        name = version = "notes"

        def __init__(self) -> None:
            super().__init__()
            self.notes: list[Any] = []

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            self.notes.append((metrics, step))

        def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
            self.notes.append(params)

    notes = Notes()
    loggers.log_hyperparameters(notes, {"lr": 0.1}, {"hp/activation": 2.0}, 7)
    assert notes.notes == [{"lr": 0.1}, ({"hp/activation": 2.0}, 7)]
