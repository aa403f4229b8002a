"""Several runs by one command: a folder for each job, and a summary."""

import csv
import re
from pathlib import Path

from pictures import pngs
from PIL import Image
from program import PLAIN, SHORT, made, run

from featviz.results.folder import read_rows

QUICK = (*SHORT, *PLAIN)


def test_a_multirun_has_a_folder_for_each_job_and_a_summary() -> None:
    outcome = run("-m", *QUICK, "layer=first,second", "optimizer.lr=0.01,0.1", "output=sweeps")
    assert outcome.status == 0, outcome
    (sweep,) = Path("sweeps/visualize").iterdir()
    jobs = sorted(path for path in sweep.iterdir() if path.is_dir())
    swept = [("first", "0.01"), ("first", "0.1"), ("second", "0.01"), ("second", "0.1")]
    for at, (job, (layer, lr)) in enumerate(zip(jobs, swept, strict=True)):
        assert job.name.startswith(f"{at}_")
        assert {f"layer={layer}", f"lr={lr}"} <= set(job.name.partition("_")[2].split(","))
        assert "output=" not in job.name
        assert {row["layer"] for row in read_rows(job)} == {layer}
    with (sweep / "summary.csv").open(newline="") as file:
        rows = [(row["job"], row["layer"], row["optimizer.lr"], row["filter"]) for row in csv.DictReader(file)]
    assert rows == [(job.name, *chosen, n) for job, chosen in zip(jobs, swept, strict=True) for n in "01"]
    with Image.open(sweep / "summary.png") as image:
        assert image.width > 2 * 48
        assert image.height > 4 * 48
    assert re.search(r"^Summary: sweeps/visualize/\S+/summary.png and .csv \(4 of 4 runs", outcome.out, re.M)
    again = made("--config-path", str(jobs[3].resolve()), "--config-name", "config", output="again")
    assert pngs(again) == pngs(jobs[3])


def test_a_multirun_with_many_settings_whose_sign_comes_after_them() -> None:
    many = ["model.mean=[0.485,0.456,0.406]", "model.std=[0.229,0.224,0.225]", f"model.name={'long' * 20}"]
    assert run(*QUICK, *many, "-m", "layer=first,second").status == 0
