"""A sweep's jobs in other processes and on other machines: the same summary, and what is said when a job dies."""

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from program import TINY, environment, process, run

from featviz.config.messages import message_of

SWEEP = ("layer=first,second", "filters=[0,1]", "optimizer.lr=0.01,0.05", "schedule.size=48")
QUICK = ("schedule.steps=3", "logger=none", "callbacks=none", "evidence=none", "restarts=0")
LAUNCHERS = {
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"),
}
DEADLY = """
import os, signal
from tiny_networks import Tiny

class Deadly(Tiny):
    def __init__(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def needs(launcher: str) -> None:
    module = {"submitit": "hydra_plugins.hydra_submitit_launcher"}.get(launcher, launcher)
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"pip install 'featviz[{launcher}]'")


def summary(output: str) -> list[dict[str, str]]:
    (path,) = Path(output).glob("*/*/summary.csv")
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def in_turn() -> list[dict[str, str]]:
    assert run("-m", *TINY, *SWEEP, *QUICK, "output=serial").status == 0
    rows = summary("serial")
    assert len(rows) == 8
    return rows


@pytest.mark.process
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_jobs_in_other_processes_give_the_same_summary(launcher: str) -> None:
    needs(launcher)
    outcome = process("-m", *LAUNCHERS[launcher], *TINY, *SWEEP, *QUICK, "output=other")
    assert outcome.status == 0, outcome
    assert summary("other") == in_turn()
    assert "(4 of 4 runs have results)" in outcome.out


@pytest.mark.process
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_failed_job_is_said_and_the_others_go_on(launcher: str) -> None:
    needs(launcher)
    settings = (*TINY, *QUICK, "schedule.size=48", "layer=second", "filters=0,99,1")
    outcome = process("-m", *LAUNCHERS[launcher], *settings)
    assert outcome.status == 1, outcome
    told = [line for line in outcome.err.splitlines() if line.startswith("featviz: ")]
    assert [line.partition(" is out of range")[0] for line in told] == ["featviz: job 1 (filters=99) failed: filter 99"]
    assert "Traceback" not in outcome.err
    assert [row["filter"] for row in summary("outputs")] == ["0", "1"]
    assert not list(Path("outputs").rglob("failure.txt"))


@pytest.mark.process
def test_a_job_that_is_killed_is_said_in_one_line_the_others_go_on_and_it_is_made_later() -> None:
    needs("joblib")
    Path("deadly.py").write_text(DEADLY)
    settings = (*TINY, *QUICK, "schedule.size=48", "layer=second", "filters=[0]", "output=here")
    targets = "model.target=tiny_networks.Tiny,deadly.Deadly,tiny_networks.Wide"
    outcome = process("-m", *LAUNCHERS["joblib"], *settings, targets)
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    assert [line for line in outcome.err.splitlines() if line.startswith("featviz: ")] == [
        "featviz: job 1 (model.target=deadly.Deadly) failed: its process was killed, as happens when memory runs out; "
        "resume=FOLDER of the sweep makes what is missing"
    ]
    assert [row["model"] for row in summary("here")] == ["Tiny", "Wide"]
    Path("deadly.py").write_text("from tiny_networks import Tiny\n\nclass Deadly(Tiny):\n    pass\n")
    (folder,) = Path("here/visualize").iterdir()
    again = process("-m", *settings, targets, f"resume={folder}")
    assert again.status == 0, again
    assert [row["model"] for row in summary("here")] == ["Tiny", "Deadly", "Wide"]


@pytest.mark.parametrize("processes", ["0", "2.5", "true", "many"])
def test_what_is_no_number_of_processes_is_refused(processes: str) -> None:
    needs("joblib")
    outcome = run("-m", "hydra/launcher=joblib", f"hydra.launcher.n_jobs={processes}", *TINY, *SWEEP, *QUICK)
    assert outcome.status == 1
    expected = f"featviz: hydra.launcher.n_jobs is {processes}; expected a number of processes, or -1 for all cores"
    assert outcome.err.splitlines()[-1] == expected


@pytest.mark.parametrize("launcher", ["submitit_slurm", "submitit_local"])
def test_a_launcher_that_is_not_installed_names_its_extra(launcher: str) -> None:
    error = MissingConfigException("missing", f"hydra/launcher/{launcher}", ["basic", "ray"])
    assert message_of(error) == f"hydra/launcher={launcher} is not installed: pip install 'featviz[submitit]'"


@pytest.mark.parametrize("library", ["joblib", "ray"])
def test_a_library_that_is_not_installed_names_its_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    outcome = run("-m", f"hydra/launcher={library}", *TINY, *SWEEP, *QUICK)
    assert outcome.status == 1
    line = f"featviz: hydra/launcher={library} needs {library}: pip install 'featviz[{library}]'"
    assert outcome.err.splitlines()[-1] == line


@pytest.mark.process
def test_other_programs_in_the_same_environment_do_not_get_our_launchers() -> None:
    """They would run our tasks in the place of their own."""
    script = """
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
Plugins.instance()
known = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
print(sorted(name for name, node in known.items() if "featviz" in str(node.node)))
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_launcher_that_does_not_exist() -> None:
    outcome = run("-m", "hydra/launcher=rai", *TINY, *SWEEP, *QUICK)
    assert outcome.status == 1
    assert outcome.err.startswith("featviz: unknown launcher 'rai'; nearest: ray")


# a Ray cluster of two machines, both of them this one

CLUSTER = """
import subprocess, sys
from ray.cluster_utils import Cluster

small = {"object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
command = [sys.executable, "-m", "featviz", "-m", "hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
program = subprocess.Popen([*command, *sys.argv[2:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
waiting = sys.argv[1] == "kill"
for line in program.stdout:
    print(line, end="")
    if waiting and line.rstrip().endswith(": 2 ok"):
        waiting = False
        cluster.remove_node(nodes[0], allow_graceful=False)
        print("a worker node is gone")
cluster.shutdown()
sys.exit(program.wait())
"""


@pytest.mark.process
@pytest.mark.parametrize("what", ["leave", "kill"])
def test_a_ray_cluster_gives_the_same_summary(what: str) -> None:
    """Also when one of its two worker nodes is killed in the middle."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("pip install 'featviz[ray]'")
    command = [sys.executable, "-c", CLUSTER, what, *TINY, *SWEEP, *QUICK, "output=other"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done
    assert ("a worker node is gone" in done.stdout) == (what == "kill")
    assert summary("other") == in_turn()


@pytest.mark.process
def test_no_ray_answers() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("pip install 'featviz[ray]'")
    os.environ.pop("RAY_ADDRESS", None)
    outcome = process("-m", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:9", *TINY, *SWEEP, *QUICK)
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("featviz: hydra.launcher.address=127.0.0.1:9: no Ray answers: ")
