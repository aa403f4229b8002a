"""A sweep's jobs in other processes and on other machines: the same summary, and what is said when a job dies."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from processes import FORKS, quick_python, start_server
from program import HELPERS, PLAIN, TINY, environment, process, run
from summaries import summary

from featviz.config.messages import message_of

SWEEP = ("layer=first,second", "filters=[0,1]", "optimizer.lr=0.01,0.05", "schedule.size=48")
QUICK = ("schedule.steps=3", *PLAIN, "restarts=0")
SECOND = (*TINY, *QUICK, "schedule.size=48", "layer=second")
LAUNCHERS = {
    "joblib": (
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "+hydra.callbacks.here._target_=here.Here",
        "filters=0,99,1",
    ),
    "submitit": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "filters=0,99"),
}
DEADLY = """
import os, signal
from hydra.experimental.callback import Callback

class Deadly(Callback):
    def on_job_start(self, config, **_):
        if config.seed == 1 and not os.path.exists("harmless"):
            os.kill(os.getpid(), signal.SIGKILL)
"""

#: A process that is forked would tell where that one does which it is forked from.
TELLS_HERE = """
import os
from hydra.experimental.callback import Callback

class Here(Callback):
    def on_job_start(self, config, **_):
        os.dup2(os.open("told", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
"""


def needs(launcher: str) -> None:
    module = {"submitit": "hydra_plugins.hydra_submitit_launcher"}.get(launcher, launcher)
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"pip install 'featviz[{launcher}]'")


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The processes that jobs are sent to find the tests' networks, and end with the test."""
    for name, value in environment(PYTHONPATH=os.pathsep.join([str(HELPERS), str(tmp_path)])).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture
def _workers_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a process that has imported the program, which takes seconds for each."""
    if importlib.util.find_spec("joblib"):
        start_server()
        monkeypatch.setattr("joblib.externals.loky.backend.context._DEFAULT_START_METHOD", FORKS.get_start_method())


@pytest.fixture
def launcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of ``LAUNCHERS``; the jobs of submitit begin at once, too."""
    needs(request.param)
    jobs = quick_python(tmp_path_factory.mktemp("python"), "submitit.core._submit")
    with jobs as python, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(python))
        yield request.param


def told(err: str) -> list[str]:
    assert "Traceback" not in err
    return [line for line in err.splitlines() if line.startswith("featviz: ")]


@pytest.mark.process
@pytest.mark.usefixtures("workers", "_workers_start_at_once")
@pytest.mark.parametrize("launcher", LAUNCHERS, indirect=True)
def test_jobs_in_other_processes_give_the_same_summary_and_one_that_fails_is_told(
    launcher: str,
) -> None:
    *settings, filters = LAUNCHERS[launcher]
    Path("here.py").write_text(TELLS_HERE)
    Path("told").touch()
    outcome = run("-m", *settings, *SECOND, filters, "output=other")
    assert outcome.status == 1, outcome
    (line,) = told(outcome.err + Path("told").read_text())
    assert line.startswith("featviz: job 1 (filters=99) failed: filter 99 is out of range")
    assert not list(Path("other").rglob("failure.txt"))
    jobs = filters.count(",") + 1
    assert f"({jobs - 1} of {jobs} runs have results)" in outcome.out
    in_turn = run("-m", *SECOND, filters, "output=serial")
    assert told(in_turn.err) == [line]
    assert summary("other") == summary("serial")
    assert len(summary("other")) == jobs - 1


@pytest.mark.process
@pytest.mark.usefixtures("workers", "_workers_start_at_once")
def test_a_job_that_is_killed_is_said_in_one_line_the_others_go_on_and_it_is_made_later() -> None:
    needs("joblib")
    Path("deadly.py").write_text(DEADLY)
    settings = (
        "-m",
        *SECOND,
        "filters=[0]",
        "seed=0,1",
        "output=here",
        "+hydra.callbacks.deadly._target_=deadly.Deadly",
    )
    outcome = run("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *settings)
    assert outcome.status == 1
    assert told(outcome.err) == [
        "featviz: job 1 (seed=1) failed: its process was killed, as happens when memory runs out; "
        "resume=FOLDER of the sweep makes what is missing"
    ]
    assert [row["seed"] for row in summary("here")] == ["0"]
    Path("harmless").touch()
    (folder,) = Path("here/visualize").iterdir()
    again = run(*settings, f"resume={folder}")
    assert again.status == 0, again
    assert [row["seed"] for row in summary("here")] == ["0", "1"]


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
    assert run("-m", *TINY, *SWEEP, *QUICK, "output=serial").status == 0
    assert summary("other") == summary("serial")
    assert len(summary("other")) == 8


@pytest.mark.process
def test_no_ray_answers() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("pip install 'featviz[ray]'")
    os.environ.pop("RAY_ADDRESS", None)
    outcome = process("-m", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:9", *TINY, *SWEEP, *QUICK)
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("featviz: hydra.launcher.address=127.0.0.1:9: no Ray answers: ")
