"""Sweeps, shards and requeued jobs on a real SLURM: that of ``scripts/local_slurm.sh``, or any other of one's own."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pictures import pngs
from program import PLAIN, SHORT, TINY, environment, made, process, run
from summaries import summary

from featviz.results.folder import read_rows

SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=10", "hydra.launcher.cpus_per_task=1")
MEMORY = "hydra.launcher.mem_gb=2"
QUICK = ("schedule.steps=3", *PLAIN, "restarts=0")


def has_slurm() -> bool:
    if not shutil.which("sinfo") or not shutil.which("sbatch"):
        return False
    return subprocess.run(["sinfo", "--noheader"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not has_slurm(), reason="no SLURM: scripts/local_slurm.sh start FOLDER"),
]


def states(job: str) -> str:
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=False)
    return shown.stdout.partition("JobState=")[2].partition(" ")[0]


def wait_for(what: str, happened: object, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_a_sweep_of_eight_jobs_has_the_summary_of_one_process() -> None:
    sweep = ("layer=first,second", "filters=0,1", "optimizer.lr=0.01,0.05", "schedule.size=48")
    outcome = process("-m", *SLURM, MEMORY, *TINY, *sweep, *QUICK, "output=other")
    assert outcome.status == 0, outcome
    assert "(8 of 8 runs have results)" in outcome.out
    assert run("-m", *TINY, *sweep, *QUICK, "output=serial").status == 0
    assert summary("other") == summary("serial")


def test_a_layer_as_an_array_of_shards_is_the_whole_layer() -> None:
    settings = (*SHORT, "filters=0-5", "batch_size=2", "callbacks=none", "logger=none", "evidence=none")
    shards = ("shard=0/3,1/3,2/3", "hydra.sweep.dir=outputs/shards")
    outcome = process("-m", *SLURM, MEMORY, "hydra.launcher.array_parallelism=2", *settings, *shards)
    assert outcome.status == 0, outcome
    assert run("task=merge", "runs=outputs/shards", "into=outputs/layer").status == 0
    assert pngs(Path("outputs/layer")) == pngs(made(*settings, output="whole"))
    assert len(pngs(Path("outputs/layer"))) == 6


def test_a_job_that_is_requeued_goes_on_where_it_was_by_the_same_command() -> None:
    settings = (*SHORT, "filters=0-7", "batch_size=1", "logger=none", "evidence=none", "schedule.steps=300")
    command = shlex.join([sys.executable, "-m", "featviz", *settings, "hydra.run.dir=there"])
    Path("job.sh").write_text(f"#!/bin/bash\n#SBATCH --requeue --open-mode=append --output=job.log\n{command}\n")
    done = subprocess.run(
        ["sbatch", "--parsable", "job.sh"], env=environment(), capture_output=True, text=True, check=True
    )
    job, table = done.stdout.strip(), Path("there/results.csv")
    wait_for("no picture", lambda: table.exists() and len(read_rows(Path("there"))) >= 2)
    early = {row["image"]: os.stat(Path("there") / row["image"]).st_mtime_ns for row in read_rows(Path("there"))}
    subprocess.run(["scontrol", "requeue", job], check=True)
    wait_for("not requeued", lambda: states(job) != "RUNNING", 30)
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True, check=False)
    wait_for(f"not completed: {states(job)}", lambda: states(job) == "COMPLETED")
    assert len(early) < 8
    assert all(os.stat(Path("there") / image).st_mtime_ns == when for image, when in early.items())
    assert pngs(Path("there")) == pngs(made(*settings, output="whole"))
    assert len(read_rows(Path("there"))) == 8
