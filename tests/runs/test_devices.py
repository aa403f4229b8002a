"""Several devices, and what a device cannot do."""

import csv
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from pictures import pngs
from processes import FORKS, start_server
from program import SHORT, made, refused, run
from tiny_networks import Tiny

import featviz
from featviz.results.folder import read_rows
from featviz.runs.devices import Hardware

TWO = ("trainer=cpu", "trainer.devices=2")


@pytest.fixture
def _processes_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one that has imported the program, which takes seconds."""
    start_server()
    monkeypatch.setattr("featviz.runs.processes.get_context", {"spawn": FORKS}.__getitem__)


@pytest.mark.process
@pytest.mark.end_to_end
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.usefixtures("_processes_start_at_once")
def test_two_processes_make_what_one_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    logged = ("logger=csv", "callbacks.log.numbers_every=1")
    settings = (*SHORT, "layer=[first,second]", "filters=0-5", "batch_size=2", *logged)
    one = made(*settings, output="one")
    outcome = run(*settings, *TWO, "output=two")
    assert outcome.status == 0, outcome
    (two,) = Path("two").glob("*/*")
    assert pngs(two) == pngs(one)
    assert [row["filter"] for row in read_rows(one) if row["layer"] == "first"] == list(range(6))
    told = [{(row["image"], row["activation"], row["status"]) for row in read_rows(each)} for each in (one, two)]
    assert told[0] == told[1]
    assert numbers(two) == numbers(one)
    assert len(numbers(one)) > 12
    assert (two / "grid_first.png").read_bytes() == (one / "grid_first.png").read_bytes()


def numbers(folder: Path) -> set[tuple[str, str, str]]:
    """What the table of scalars says: step, name, number."""
    with (folder / "csv/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["step"], name, value) for row in rows for name, value in row.items() if value and name != "step"}


@pytest.mark.process
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.usefixtures("_processes_start_at_once")
def test_two_processes_from_python_without_a_folder() -> None:
    settings = ["schedule.size=48", "schedule.steps=2", "callbacks=none", "batch_size=1"]
    network = Tiny().eval()
    one = featviz.visualize(network, "second", [0, 1, 2], overrides=settings)
    two = featviz.visualize(network, "second", [0, 1, 2], overrides=[*settings, *TWO])
    assert [row["filter"] for row in two.rows] == [0, 1, 2]
    torch.testing.assert_close(two.images, one.images, atol=1e-6, rtol=0)


@pytest.mark.process
@pytest.mark.end_to_end
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.usefixtures("_processes_start_at_once")
def test_what_fails_in_a_process_is_told_in_one_line() -> None:
    settings = (
        "model=own",
        "model.target=tiny_networks.NoRoom",
        "model.weights=random",
        "model.size=48",
        "layer=first",
    )
    line = refused(*settings, "schedule.size=32", "schedule.steps=2", "filters=[0,1]", "batch_size=1", *TWO)
    assert line.startswith("first: memory does not even hold 1 picture")


@pytest.mark.end_to_end
def test_more_devices_than_there_are_are_refused() -> None:
    cores = os.cpu_count()
    line = refused(*SHORT, "trainer=cpu", f"trainer.devices={cores + 1 if cores else 2}")
    assert line == f"trainer.devices is {(cores or 1) + 1}, but this machine has {cores} CPU cores"


@pytest.mark.end_to_end
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    assert refused(*SHORT, "trainer.accelerator=cuda").startswith("trainer: ")


@pytest.mark.end_to_end
@pytest.mark.parametrize("precision", ["16-mixed", "16-true"])
def test_a_precision_that_the_device_cannot_do_is_refused(precision: str) -> None:
    line = refused(*SHORT, "trainer=cpu", f"trainer.precision={precision}")
    assert line == f"trainer.precision is {precision}, which a CPU cannot do; expected bf16-mixed"


@pytest.mark.parametrize(("precision", "words"), [("32-true", "float32"), ("bf16-mixed", "bf16-mixed")])
def test_a_device_in_words(precision: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = Hardware((torch.device("cpu"),), precision, nullcontext)
    for count, threads in ((1, "1 thread"), (2, "2 threads")):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        assert hardware.describe() == f"cpu with {threads} in {words}"


@pytest.mark.end_to_end
def test_a_precision_that_does_not_exist_is_refused() -> None:
    assert "precision" in refused(*SHORT, "trainer.precision=bf17")


@pytest.mark.end_to_end
def test_half_precision_makes_nearly_the_same() -> None:
    usual, half = (
        made(*SHORT, f"trainer.precision={p}", "trainer.accelerator=cpu", output=p) for p in ("32-true", "bf16-mixed")
    )
    rows = [[row["activation"] for row in read_rows(folder)] for folder in (usual, half)]
    assert rows[1] == pytest.approx(rows[0], rel=0.1, abs=0.01)
    assert rows[1] != rows[0]


@pytest.mark.end_to_end
def test_without_a_compiler_compiling_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    line = refused(*SHORT, "trainer=cpu", "compile=true")
    assert line == "compile=true needs a C++ compiler (g++ or clang++ or cl); expected compile=false"


@pytest.mark.end_to_end
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_compiled_network_makes_the_same() -> None:
    settings = (*SHORT, "schedule.steps=6", "redirect_steps=3", "trainer=cpu")
    usual, compiled = made(*settings, output="usual"), made(*settings, "compile=true", output="compiled")
    rows = [[row["activation"] for row in read_rows(folder)] for folder in (usual, compiled)]
    assert rows[1] == pytest.approx(rows[0], rel=1e-3)
