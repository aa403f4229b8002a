"""A whole layer in shards through ``hydra/launcher=submitit_slurm``, with scripts in the place of SLURM's commands."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest
from pictures import pngs
from processes import quick_python
from program import PLAIN, SHORT, environment, made, run

SETTINGS = (*SHORT, "filters=0-4", "batch_size=2", *PLAIN)
ASKED = {
    "partition=gpu": "--partition=gpu",
    "gpus_per_node=1": "--gpus-per-node=1",
    "cpus_per_task=4": "--cpus-per-task=4",
    "mem_gb=16": "--mem=16GB",
    "timeout_min=240": "--time=240",
    "array_parallelism=8": "--array=0-1%2",
    "account=vision": "--account=vision",
}
STAND_INS = {
    # keeps what it is handed, and runs the jobs of the array one after the other
    "sbatch": """
        script=${@: -1}; cp $script asked.sh
        (for task in 0 1; do
            SLURM_JOB_ID=77$task SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 bash $script
            echo $task >> ended
        done) > batch.log 2>&1 &
        echo Submitted batch job 77
    """,
    "srun": """
        while [ "${1#-}" != "$1" ]; do case $1 in --output|--error) shift 2;; *) shift;; esac; done
        SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here exec "$@"
    """,
    "sacct": """
        echo 'JobID|State|NodeList'
        for task in 0 1; do
            grep -qsx $task ended && state=COMPLETED || state=RUNNING
            echo "77_$task|$state|here"
        done
    """,
}


@pytest.fixture(autouse=True)
def _on_a_machine_with_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins are found, and the jobs that they start find the tests' networks."""
    if sys.platform == "win32":
        pytest.skip("the stand-ins are shell scripts")
    folder = Path("commands").resolve()
    folder.mkdir()
    for name, script in STAND_INS.items():
        (folder / name).write_text(f"#!{shutil.which('bash')}\n{script}")
        (folder / name).chmod(0o755)
    for name, value in environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}").items():
        monkeypatch.setenv(name, value)


@pytest.mark.process
def test_shards_as_an_array_of_jobs_are_the_whole_layer(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None:
        pytest.skip("pip install 'featviz[submitit]'")
    asked = [f"hydra.launcher.{setting}" for setting in ASKED]
    shards = ("shard=0/2,1/2", "hydra.sweep.dir=outputs/shards")
    jobs = quick_python(tmp_path_factory.mktemp("python"), "submitit.core._submit")
    with jobs as python, monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(python))
        outcome = run("-m", "hydra/launcher=submitit_slurm", *asked, *SETTINGS, *shards)
    assert outcome.status == 0, (outcome, Path("batch.log").read_text())
    assert "srun" not in outcome.err
    script = Path("asked.sh").read_text().splitlines()
    assert [flag for flag in ASKED.values() if f"#SBATCH {flag}" not in script] == []
    assert run("task=merge", "runs=outputs/shards", "into=outputs/layer").status == 0
    assert pngs(Path("outputs/layer")) == pngs(made(*SETTINGS, output="whole"))
    assert len(pngs(Path("outputs/layer"))) == 5


def test_nothing_is_said_of_slurms_commands() -> None:
    """Lightning's warning that it is not used would be an error here."""
    outcome = run(*SETTINGS)
    assert outcome.status == 0, outcome
    assert "srun" not in outcome.err + outcome.out
