"""What MLflow is sent, read back from the files that the real package writes."""

import sys
from pathlib import Path

import pytest
import yaml
from lightning.pytorch.loggers import MLFlowLogger
from PIL import Image
from program import SHORT, made, refused
from trainings import QUICK, fit

import featviz
from featviz.results.folder import read_rows

STEPS = ("schedule.steps=5", "callbacks.log.numbers_every=2", "callbacks.log.pictures_every=3", "evidence=none")


@pytest.fixture(autouse=True)
def _leave_the_environment_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.setenv(name, "")  # so that what the logger sets is taken back
        monkeypatch.delenv(name)


@pytest.mark.end_to_end
def test_mlflow_gets_pictures_scalars_hyperparameters_and_configuration_in_files() -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'featviz[mlflow]'")
    folder = made(*SHORT, *STEPS, "logger=mlflow", "layer=second,first", "batch_size=1")
    (artifacts,) = folder.glob("mlflow/*/*/artifacts")  # one run, whatever number of chunks there are
    for name in ("first/0001", "second/0000", "grid/first/0001"):
        files = sorted((artifacts / name).iterdir())
        assert [file.name for file in files] == ["000000.png", "000003.png", "000005.png"]
    with Image.open(artifacts / "first/0001/000005.png") as image:
        assert image.size == (40, 40)
    assert yaml.safe_load((artifacts / "config.yaml").read_text())["optimizer"]["lr"] == 0.05
    metric = [line.split() for line in (artifacts.parent / "metrics/activation/second/0000").read_text().splitlines()]
    assert [int(step) for _, _, step in metric] == [2, 4, 5]
    params = {file.name: file.read_text() for file in (artifacts.parent / "params").iterdir()}
    assert params["layer"] == "second,first"
    assert params["recipe"] == "clear"
    rows = read_rows(folder)
    mean = sum(row["activation"] for row in rows) / len(rows)
    final = (artifacts.parent / "metrics/hp/activation").read_text().split()
    assert float(final[1]) == pytest.approx(mean)
    meta = yaml.safe_load((artifacts.parent / "meta.yaml").read_text())
    assert meta["status"] == 3  # finished
    assert not list(Path().rglob("telemetry.json"))
    assert {path.name for path in Path().iterdir()} <= {"outputs"}


def test_mlflow_of_a_training_gets_what_a_watch_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'featviz[mlflow]'")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    watch = featviz.Watch(layers="f.3", filters="0-1", **QUICK)
    fit([watch], [MLFlowLogger("training", tracking_uri=Path("mlruns").resolve().as_uri())])
    (metrics,) = Path().glob("mlruns/*/*/metrics/watch/f.3")
    for number in ("0000", "0001"):
        lines = (metrics / number / "activation").read_text().splitlines()
        assert [int(line.split()[2]) for line in lines] == [2, 4]
    (pictures,) = Path().glob("mlruns/*/*/artifacts/watch/f.3")
    assert {file.name for file in pictures.glob("0001/*")} == {"000002.png", "000004.png"}


@pytest.mark.end_to_end
def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    line = refused(*SHORT, "callbacks=none", "logger=mlflow").splitlines()[-1]
    assert line.endswith("logger=mlflow needs mlflow: pip install 'featviz[mlflow]'")
