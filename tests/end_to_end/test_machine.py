"""The machine around: variables of notebooks and clusters, odd streams, places and disks; a run works, or says why."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from disks import small_disk
from pictures import pngs
from PIL import Image
from processes import forked
from program import SHORT, TINY, environment, made, refused, run

import featviz

NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline_that_is_not_installed"}
SLURM = {"SLURM_JOB_ID": "17", "SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}
LEAN = ("evidence=none", "report=none", "relations=false")
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
#: Our own modules as ``python -O`` reads them; it would compile all of torch, too.
OPTIMIZED = """
import gc
import runpy
from importlib.machinery import SourceFileLoader

usual = SourceFileLoader.get_code

def get_code(self, name):
    if name.partition(".")[0] != "featviz":
        return usual(self, name)
    return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True, optimize=1)

SourceFileLoader.get_code = get_code
runpy.run_module("featviz", run_name="__main__", alter_sys=True)
assert gc.isenabled() and gc.get_freeze_count() > 100_000, "what was imported would be looked through for garbage"
"""


@pytest.mark.process
@pytest.mark.end_to_end
def test_a_notebook_that_makes_errors_of_warnings_in_a_plain_locale() -> None:
    """All that may be odd about a Python at once: each of it has stopped a program by itself."""
    Path("hydra").mkdir()
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONWARNINGS": "error"}
    photo = Path("fötö.png").resolve()
    Image.new("RGB", (60, 50), "red").save(photo)
    task = ("task=top_filters", f"image={photo}", "top=2", "hydra.job.chdir=true")
    command = [sys.executable, "-W", "error", "-c", OPTIMIZED, *task, *TINY, *SHORT[-2:], "layer=second"]
    with open("/dev/full" if Path("/dev/full").exists() else os.devnull, "w") as full:
        done = subprocess.run(
            command, env=environment(**NOTEBOOK, **plain), stdout=full, stderr=full, timeout=300, check=False
        )
    assert done.returncode == 0
    (folder,) = Path("outputs/top_filters").iterdir()
    assert (folder / "grid_second.png").is_file()
    assert (folder / "checksums.json").is_file()


@pytest.mark.end_to_end
def test_a_folder_whose_name_is_not_utf_8() -> None:
    name = os.fsdecode(b"b\xe9")
    assert refused(*SHORT, f"hydra.run.dir={name}").endswith("b\\xe9; expected a name in UTF-8")
    assert run(*SHORT, f"hydra.run.dir={name}", "logger=none").status == 0
    assert run(*SHORT, f"resume={name}", "logger=none").status == 0


@pytest.mark.process
def test_variables_of_a_cluster_change_nothing() -> None:
    """Lightning would leave checkpoints and loggers to the first of the processes, and refuse so many tasks."""
    settings = (*SHORT, *LEAN, "keep_checkpoints=true")
    plain = made(*settings, output="plain")
    assert folders(plain) >= {"tensorboard", "checkpoints/second_0000"}
    for number, variables in enumerate((SLURM, {"SLURM_NTASKS": "4"}, TORCHRUN)):
        outcome = forked(*settings, f"hydra.run.dir={number}", **variables)
        assert outcome.status == 0, (variables, outcome)
        assert folders(Path(str(number))) == folders(plain), variables
        assert pngs(Path(str(number))) == pngs(plain), variables


def folders(run_folder: Path) -> set[str]:
    """Those below a run folder that hold files."""
    return {str(path.parent.relative_to(run_folder)) for path in run_folder.rglob("*.*") if path.is_file()}


@pytest.mark.process
def test_a_pipe_that_is_closed_under_the_progress_bar() -> None:
    first = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); os.dup2(w, 2)"
    outcome = forked(*SHORT, *LEAN, "logger=none", "schedule.steps=20", "hydra.run.dir=there", first=first)
    assert outcome.status == 0
    assert Path("there/checksums.json").is_file()


@pytest.fixture(name="tiny_disk")
def _tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 8) as disk:
        yield disk


@pytest.mark.end_to_end
def test_a_disk_that_is_full_at_the_very_start(tiny_disk: Path) -> None:
    line = refused(*SHORT, f"hydra.run.dir={tiny_disk}/run")
    assert line.startswith("cannot ")
    assert "No space left on device" in line


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    "setting", ["model.weights=w.pt", "task=exemplars data=photos", "task=top_filters photo=a.jpg"]
)
def test_a_path_that_is_not_there_since_the_folder_was_changed(setting: str) -> None:
    here = Path.cwd()
    try:
        line = refused(*SHORT[:5], *setting.split(), "hydra.job.chdir=true", "hydra.run.dir=there")
    finally:
        os.chdir(here)
    assert line.endswith(f"(hydra.job.chdir=true: paths are relative to {here / 'there'})")


def test_several_threads_at_once() -> None:
    """Each as if alone: network and noise are drawn from seeds, which are the whole process's."""
    fast = ["schedule.steps=2", "schedule.size=48", "callbacks=none", "evidence=none", "model.size=48"]

    def make(seed: int) -> torch.Tensor:
        own = [*fast, "model.target=tiny_networks.Tiny", "model.weights=random"]
        return featviz.visualize("own", "second", [0, 1], seed=seed, overrides=own).images

    alone, found = [make(seed) for seed in range(3)], {}
    threads = [threading.Thread(target=lambda at=seed: found.update({at: make(at)})) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        torch.testing.assert_close(found[seed], alone[seed], rtol=0, atol=0)


@pytest.mark.process
def test_the_command_finds_what_is_beside_the_user() -> None:
    """A program's own folder stands in ``sys.path``, not the one that the user stands in, as with ``python -m``."""
    Path("beside.py").write_text("from tiny_networks import Tiny\n")
    first = "import os, sys; sys.path = [path for path in sys.path if path not in ('', os.getcwd())]"
    outcome = forked("task=layers", "model=own", "model.target=beside.Tiny", *TINY[2:], first=first)
    assert "second" in outcome.out, outcome


@pytest.mark.end_to_end
def test_checkpoints_of_finished_runs_go_unless_they_are_kept() -> None:
    assert run(*SHORT, *LEAN, "hydra.run.dir=plain").status == 0
    assert not Path("plain/checkpoints").exists()
    assert run(*SHORT, *LEAN, "hydra.run.dir=kept", "keep_checkpoints=true").status == 0
    assert Path("kept/checkpoints/second_0000/image.ckpt").is_file()
