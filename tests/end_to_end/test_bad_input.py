"""Whatever a user gets wrong is answered by one line and exit status 1."""

import signal
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from processes import Forked, forked
from program import PLAIN, SHORT, TINY, made, process, refused, run
from refusals import assert_refused
from tiny_networks import Tiny, Wide

from featviz import __main__
from featviz.config.launchers import task
from featviz.results.folder import read_rows

NAMES = {
    "layer=secnd": "unknown layer 'secnd'; nearest: second",
    "layer=": "layer is empty; expected a layer's name",
    "layer=[]": "layer is empty",
    "layer=[second,thrid]": "unknown layer 'thrid'",
    "model=resnet99": "unknown model 'resnet99'; nearest: resnet50",
    "recipe=olah": "unknown recipe 'olah'; nearest: olah2017",
    "task=nonsense": "unknown task 'nonsense'; nearest: concepts",
    "schedule=octave": "unknown schedule 'octave'; nearest: octaves",
    "schedule=captum": "unknown schedule 'captum'; nearest: paper/captum",
    "transforms=paper/captm": "unknown transforms 'paper/captm'; nearest: paper/captum",
    "image=pixel image/init=unform": "unknown init 'unform'; nearest: uniform",
    "image=maco image.sd=1": "'image.sd' is no setting of the options that are chosen",
    "filters=[0,1] filters.first=0": "'first' stands below a list, whose values have numbers for names",
    "debug=fst": "unknown debug 'fst'; nearest: fast",
    "+experiment=layr4_sweep": "unknown experiment 'layr4_sweep'; nearest: layer4_sweep",
    "logger=[tensorboard,tensorbord]": "unknown logger 'tensorbord'; nearest: tensorboard",
    "optimizr.lr=1": "unknown setting 'optimizr.lr'; nearest: optimizer.lr",
    "schedule.stepps=3": "unknown setting 'schedule.stepps'; nearest: schedule.steps",
    "sed=1": "unknown setting 'sed'; nearest: seed",
    "+seed=1": "setting 'seed' exists already: write seed=... without the plus",
    "--config-name=confg": "unknown configuration 'confg'; nearest: config",
}
FILTERS = {
    "filters=99": "filter 99 is out of range: second has 20 filters, 0 to 19",
    "filters=[]": "filters is empty; expected 5, [0,3,9], 0-15, all or random:16",
    "filters=": "filters is empty",
    "filters=[0,x]": "malformed filters 'x'",
}
SYNTAX = {
    "layer=[second": "cannot read 'layer=[second'; expected setting=value",
    "seed": "cannot read 'seed'",
    "seed=1,2": "a list in one run is written 'seed=[1,2]' (with the quotes)",
    "recipe=null": "takes the name of one of its options",
    "recipe=3": "takes the name of one of its options",
}
VALUES = {
    "schedule.steps=abc": "schedule.steps is 'abc'; expected a whole number",
    "schedule.size=0": "schedule.size is 0",
    "optimizer.lr=0": "optimizer.lr is 0; expected a number above zero",
    "optimizer.lr=-1": "optimizer.lr is -1; expected a number above zero",
    "+optimizer.foo=1": "unknown setting 'optimizer.foo'; nearest: ",
    "batch_size=0": "batch_size is 0; expected 1 or more",
    "callbacks.checkpoint.every=x": "callbacks.checkpoint.every is 'x'; expected a whole number",
    "callbacks.log.numbers_every=0": "callbacks.log.numbers_every is 0",
    "trainer.accelerator=nonsense": "trainer: You selected an invalid accelerator name",
    "trainer.devices=0": "trainer: ",
    "trainer.max_epochs=3": "trainer.max_epochs is 3; expected 1: a run is one pass over the schedule's steps",
}
NETWORKS = {
    "layer=pair": "layer 'pair' hands out a tuple, not feature maps",
    "layer=unused": "layer 'unused' is never called",
    "model.target=nosuch_package.Thing": "target 'nosuch_package.Thing': no module 'nosuch_package' to import",
    "model.target=tiny_networks.Tine": "tiny_networks has no 'Tine'; nearest: Tiny",
    "model.target=os.getcwd": "target 'os.getcwd' is a function of Python itself; expected a torch.nn.Module",
    "model.target=3": "target",
    "+model.kwargs.depth=3": "target 'tiny_networks.Tiny' takes no depth; there are: channels",
    "model.weights=null": "no weights for tiny_networks.Tiny",
    "model.std=0": "std must be above zero",
    "image=pixel projections=gaussian_blur projections.gaussian_blur.sigma=x": "sigma is 'x'; expected a number",
    "projections=clip": "choose image=pixel",
    "layer=last transforms=none schedule.size=16": "size 16 px is too small for Tiny",
}


@pytest.mark.parametrize(
    ("override", "words"), [item for table in (NAMES, FILTERS, SYNTAX, VALUES, NETWORKS) for item in table.items()]
)
def test_one_line_says_what_is_wrong(override: str, words: str) -> None:
    assert words in refused(*SHORT, *override.split())
    assert not list(Path().rglob("*.png"))


def test_a_setting_that_must_be_given() -> None:
    assert "model.name is missing: give it on the command line, model.name=..." in refused("model=timm")


def test_an_accelerator_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert "trainer: " in refused(*SHORT, "trainer.accelerator=cuda")
    assert "No supported gpu backend found" in refused(*SHORT, "trainer.accelerator=gpu")


def test_configuration_folders_that_do_not_exist() -> None:
    assert "nowhere' not found" in refused(*SHORT, "--config-dir", "nowhere")
    assert "/nowhere' exists" in refused("--config-path", "/nowhere")
    assert "/outputs/run' exists" in refused("--config-path", "outputs/run")


def test_no_checkpoint_there() -> None:
    assert "there is no file 'none.pth'" in refused(*SHORT, "model.weights=none.pth")


def test_a_checkpoint_cut_short() -> None:
    torch.save(Tiny().state_dict(), "whole.pth")
    content = Path("whole.pth").read_bytes()
    Path("cut.pth").write_bytes(content[: len(content) // 2])
    assert "cut.pth is cut short or not a checkpoint" in refused(*SHORT, "model.weights=cut.pth")


def test_a_file_that_is_no_checkpoint() -> None:
    Path("notes.pth").write_text("not weights\n")
    assert "notes.pth is cut short or not a checkpoint" in refused(*SHORT, "model.weights=notes.pth")


def test_a_checkpoint_of_another_network_names_the_first_differing_keys() -> None:
    torch.save(Wide().state_dict(), "wide.pth")
    line = refused(*SHORT, "model.weights=wide.pth")
    assert "wide.pth does not fit Tiny: second.weight expected [20, 6, 3, 3], found [24, 6, 3, 3]" in line


def test_weights_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/resnet18-f37072fd.pth"
        line = refused("model=resnet18", f"model.url={url}", "schedule.steps=3")
    assert line.startswith(f"could not download {url}: ")
    assert f"put the file at {tmp_path}/torch/hub/checkpoints/resnet18-f37072fd.pth by hand" in line


@pytest.mark.parametrize("setting", ["output=file/below", "hydra.run.dir=file/below", "hydra.run.dir=file"])
def test_a_folder_that_cannot_be_written(setting: str) -> None:
    Path("file").write_text("a file, not a folder")
    assert "cannot use file" in refused(*SHORT, setting)


@pytest.mark.process
def test_full_errors_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "WANT_TRACEBACK", True)
    monkeypatch.setattr(task, "WANT_TRACEBACK", True)
    assert_refused(lambda: run(*SHORT, "layer=nope"), "layer", "nope", "")
    traceback = process("sed=1", HYDRA_FULL_ERROR="1")
    assert traceback.status == 1
    assert "Traceback (most recent call last)" in traceback.err
    assert "ConfigCompositionException" in traceback.err


def test_a_fault_of_the_program_is_not_taken_for_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("featviz.runs.plan.trace", faulty)
    with pytest.raises(ZeroDivisionError):
        run(*SHORT)


def test_numbers_that_are_not_finite_are_said_in_the_row_and_the_others_go_on() -> None:
    folder = made(*SHORT, "model.target=tiny_networks.Breaks", "layer='1'", "filters=0-3")
    rows = {row["filter"]: row for row in read_rows(folder)}
    assert rows[1]["status"] == "nan"
    assert [rows[n]["status"] for n in (0, 2, 3)] == ["ok"] * 3
    assert all((folder / rows[n]["image"]).exists() for n in (0, 2, 3))
    alone = made(*SHORT, "model.target=tiny_networks.Breaks", "layer='1'", "filters=[0]", *PLAIN, output="alone")
    beside, by_itself = (np.asarray(Image.open(path / rows[0]["image"]), dtype=int) for path in (folder, alone))
    assert np.abs(beside - by_itself).max() <= 1  # in rounding
    assert np.count_nonzero(beside - by_itself) < 0.001 * beside.size
    # those few show in the activation, which is near zero here and is that of the saved picture
    assert read_rows(alone)[0]["activation"] == pytest.approx(rows[0]["activation"], rel=1e-3)


@pytest.mark.process
def test_control_c_keeps_the_pictures_so_far() -> None:
    started = Forked(*SHORT, "schedule.steps=5000", "batch_size=1", "callbacks.checkpoint.every=2")
    started.wait_for_checkpoint(Path("outputs"))
    started.send(signal.SIGINT)
    outcome = started.wait()
    out, err = outcome.out, outcome.err
    assert outcome.status == 130, outcome
    assert "Traceback" not in out + err
    (folder,) = Path("outputs").glob("*/*")
    assert [line for line in (out + err).splitlines() if "interrupted" in line] == [
        f"interrupted: the pictures as they were are in {folder.resolve()}"
    ]
    (row,) = read_rows(folder)
    assert (folder / row["image"]).exists()
    assert 0 < row["steps"] < 5000
    assert (folder / "grid_second.png").exists()


@pytest.mark.process
def test_a_failed_job_of_a_sweep_is_said_in_one_line_and_the_others_go_on() -> None:
    done = forked("-m", *SHORT, *PLAIN, "layer=first,nope,second")
    assert done.status == 1
    lines = [line for line in done.err.splitlines() if line.startswith("featviz: ")]
    assert len(lines) == 1, done.err
    assert "job 1" in lines[0]
    assert "unknown layer 'nope'" in lines[0]
    assert "Traceback" not in done.out + done.err
    assert len(list(Path("outputs").rglob("results.csv"))) == 2


@pytest.mark.process
def test_a_sweep_that_cannot_be_composed() -> None:
    done = forked("-m", *TINY, "layer=first,second", "optimizr.lr=1")
    assert done.status == 1
    assert "unknown setting 'optimizr.lr'; nearest: optimizer.lr" in done.err
    assert "Traceback" not in done.out + done.err
