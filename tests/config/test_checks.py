"""The settings outside the groups, checked before a task is called."""

import subprocess
import sys
from pathlib import Path

import pytest
from configs import chosen
from omegaconf import OmegaConf
from program import TINY, environment, refused, run
from refusals import assert_refused, refusal_of

from featviz.config.checks import check_settings
from featviz.config.compose import config_dir

TASKS = {
    "visualize": (),
    "layers": (),
    "top_filters": ("photo=cat.png",),
    "exemplars": ("data=photos",),
    "spectrum": ("data=photos",),
    "merge": ("runs=outputs",),
    "report": ("runs=outputs",),
    "tune": (),
    "atlas": ("data=photos",),
    "concepts": ("data=photos",),
    "compare": ("models=[a.ckpt,b.ckpt]", "data=photos"),
}
#: What is expected instead, or the nearest right name.
EVERYWHERE = {
    "seed=-1": "zero or more",
    "seed=x": "a whole number",
    "fold=3": "true or false",
}
REFUSED = {
    "visualize": {
        "batch_size=x": "1 or more, or auto",
        "batch_size=0": "1 or more, or auto",
        "batch_size=null": "a whole number or text",
        "compile=maybe": "true, false or auto",
        "variants=0": "1 or more",
        "variants=100000": "at most 1000, which are made at the same time",
        "budget=0": "a number of million pixels above zero, or null",
        "restarts=-1": "zero or more",
        "redirect_steps=-1": "zero or more",
        "opacity=1": "true or false",
    },
    "top_filters": {
        "top=0": "1 or more",
        "top=many": "a whole number",
        "by=maen": "mean",
    },
    "exemplars": {
        "k=0": "1 or more",
        "limit=0": "1 or more",
        "by=zscore": "",
    },
    "concepts": {
        "concepts=0": "1 or more",
        "classes=[]": "names or numbers of classes, or null",
        "concepts=200000": "more positions than concepts",
        "by=kmean": "kmeans",
        "by=SAE": "sae",
        "positions=0": "1 or more",
        "epochs=0": "1 or more",
        "limit=0": "1 or more",
        "k=0": "1 or more",
    },
    "spectrum": {"task.size=x": "a whole number"},
    "merge": {"into=3": "text or null"},
    "report": {"into=3": "text or null", "copy=2": "true or false"},
    "atlas": {
        "limit=0": "1 or more",
        "atlas.grid=0": "1 or more",
        "atlas.levels=0": "1 or more",
        "atlas.levels=9": "at most 256",
        "atlas.per_photo=0": "1 or more",
        "atlas.min_points=0": "1 or more",
        "atlas.photos=-1": "zero or more",
        "atlas.projected=-1": "zero or more",
        "atlas.neighbors=1": "2 or more",
        "atlas.layout=umpa": "umap",
        "atlas.min_dist=2": "a number from 0 to 1",
        "shard=0/2": "shard=null",
    },
    "tune": {
        "search.trials=0": "a whole number from 1",
        "search.trials=x": "a whole number",
        "search.seed=4294967296": "a whole number from 0 to 4294967295",
        "search.unseen=-1": "a whole number from 0",
        "search.stop_early=3": "true or false",
        "batch_size=0": "1 or more, or auto",
    },
}


def test_every_task_is_here() -> None:
    assert set(TASKS) == {file.stem for file in (config_dir() / "task").glob("*.yaml")}


@pytest.mark.parametrize("task", TASKS)
def test_the_settings_of_every_task_are_checked(task: str) -> None:
    check_settings(chosen(f"task={task}", *TASKS[task]))
    for setting, right in (EVERYWHERE | REFUSED.get(task, {})).items():
        error = refusal_of(lambda setting=setting: check_settings(chosen(f"task={task}", *TASKS[task], setting)))
        assert error.setting == setting.partition("=")[0]
        assert right in (error.expected, *error.nearest)


def test_what_a_task_asks_for_is_missing() -> None:
    cfg = OmegaConf.create({name: value for name, value in chosen()._content.items() if name != "batch_size"})
    error = refusal_of(lambda: check_settings(cfg))
    assert (error.setting, error.hint) == ("batch_size", "give it on the command line, +batch_size=...")
    nameless = OmegaConf.merge(chosen(), {"recipe": {"name": None}})
    assert_refused(lambda: check_settings(nameless), "recipe.name", None, "")


BEFORE_TORCH = {
    "filters=1.5": "filters is 1.5",
    "layer=[null]": "layer is null",
    "seed=x": "seed is 'x'",
    "task=spectrum data=nowhere": "there is no photo or folder 'nowhere'",
    "schedule.steps=abc": "schedule.steps is 'abc'; expected a whole number",
    "schedule.steps=3000000000": "schedule.steps is 3000000000; expected at most 1000000",
    "filters=abc": "malformed filters 'abc'; expected 5, [0,3,9]",
    "filters=7-3": "malformed filters '7-3'",
    "seed=-1": "seed is -1; expected zero or more",
    "transforms=roll transforms.roll.pixels=-3": "transforms.roll.pixels is -3; expected zero or more",
    "optimizer.betas=[a,b]": "optimizer.betas is ['a', 'b']; expected 0.0 <= optimizer.betas[0] < 1.0",
    "optimizer=sgd optimizer.momentum=-1": "optimizer.momentum is -1; expected optimizer.momentum >= 0.0",
    "model=vgg16 model.weights=random model.weights_key=ema": "model.weights_key is ema; expected null",
    "model=resnet18 model.weights=w.pt model.url=https://a.org/w.pth": "model.url is https://a.org/w.pth",
    "model.weights_key=ema": "model.weights_key is ema; expected null",
    "model=own model.target=a.B model.weights=given model.size=0": "model.size is 0; expected a number above zero",
    "optimizer.lr=fast": "optimizer.lr is 'fast'; expected a number",
    "trainer.max_epochs=3": "trainer.max_epochs is 3; expected 1",
    "+image.nope=1": "unknown setting 'image.nope'",
    "+callbacks.x=1": "callbacks.x is 1; expected a piece with _target_, or null",
    "objective=sum objective.terms.first.layer=[a]": "objective.terms.first.layer is ['a']; expected text",
    "objective=sum objective.terms.first.filters=[1,2]": "objective.terms.first.filters is [1, 2]; expected the number",
    "objective=direction": "objective.vectors is missing: give it on the command line",
    "objective=direction objective.vectors=[1,a]": "objective.vectors is [1, 'a']; expected numbers, or lists of equal",
    "objective=direction objective.vectors=[[1,2],[3]]": "objective.vectors is [[1, 2], [3]]; expected numbers",
    "objective=facets objective.facets={a:[1,x]}": "objective.vectors is [1, 'x']",
    "objective=interpolation objective.ends=[1]": "objective.ends is [1]; expected two filters",
    "objective=joint objective.weights={a:1}": "objective.weights is {'a': 1}; expected a number for each filter",
    "objective=caricature objective.photo=nope.jpg": "there is no photo or folder 'nope.jpg'",
    "image=photo": "image.path is missing",
    "image=photo image.path=nope.jpg": "there is no photo or folder 'nope.jpg'",
    "schedule=stages schedule.stages=[[64,900000],[96,200000]]": "schedule.stages has 1100000 steps in all",
    "schedule=octaves schedule.number=100000 schedule.steps=1000000": "schedule.size=128 is too small for 100000 sizes",
    "schedule=octaves schedule.start=9 schedule.size=20": "schedule.start=9 and schedule.size=20; expected one of them",
    "evidence.judges=[nope]": "evidence.judges: unknown model 'nope'",
    "evidence.judges=[{model:timm}]": "evidence.judges: timm needs name",
    "evidence.judges=[{model:timm,name:a,nam:a}]": "unknown setting 'evidence.judges.nam'; nearest",
    "task=report runs=nope": "runs: there is no folder 'nope'",
    "task=report": "runs is null; expected folders of runs or sweeps",
    # files that are not there
    "model.weights=nope.pt": "weights: there is no file 'nope.pt'",
    "model=ensemble model.target=tiny_networks.Tiny model.members=[a.pt,b.pt]": "weights: there is no file 'a.pt'",
    "model=ensemble model.members=[{target:tiny_networks.Tiny,nam:3}]": "unknown setting 'nam'",
    "objective=direction objective.vectors=nope.npy": "objective.vectors: there is no file 'nope.npy'",
    "image=maco image.spectrum=nope.npy": "image.spectrum: there is no file 'nope.npy'",
    "layer=layer3@nope.pt": "layer: there is no file 'nope.pt'",
    "exemplars=nope evidence=none": "there is no folder 'nope'",
    "task=compare models=[a.ckpt,b.ckpt] data=.": "models: there is no file 'a.ckpt'",
    "task=compare models=[resnet18,resnet43] data=.": "unknown model 'resnet43'; nearest: resnet34",
    "task=merge runs=null": "runs is null; expected folders",
    "task=exemplars data=[.,null]": "data is ['.', None]; expected a file, a folder",
    # other runs' folders
    "resume=nope": "resume=",
    "hydra.run.dir=/": "/ is the root of the disk",
    # values of lists
    "objective=level objective.levels=[a]": "objective.levels is ['a']; expected numbers, or how many",
    # what a task would ignore
    "task=layers filters=3": "task=layers does not use filters",
    "task=compare models=[resnet18,resnet34] data=. filters=3": "task=compare does not use filters",
}


@pytest.mark.end_to_end
def test_plain_values_and_those_of_pieces_are_checked_before_torch_is_imported() -> None:
    code = (
        "import sys, compositions, program, pytest; program.ALLOWED = True\n"
        "compositions.make_once(pytest.MonkeyPatch())\n"
        "for typed in sys.argv[1:]: print(program.refused(*typed.split()))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *BEFORE_TORCH], env=environment(), capture_output=True, text=True, timeout=200
    )
    *lines, imported = done.stdout.splitlines()
    assert imported == "False", done
    for line, words in zip(lines, BEFORE_TORCH.values(), strict=True):
        assert line.startswith(words)


@pytest.mark.end_to_end
def test_a_decimal_comma_gets_a_hint() -> None:
    assert refused("optimizer.lr=0,02").startswith("a number has a point, optimizer.lr=0.02; a list in one run is")


@pytest.mark.end_to_end
def test_a_sweep_for_debugging_has_folders_named_by_what_it_varies() -> None:
    sweep = ("-m", *TINY, "layer=first,second", "debug=fast", "logger=none", "hydra.sweep.dir=there")
    assert run(*sweep).status == 0
    assert sorted(path.name for path in Path("there").glob("?_*")) == ["0_layer=first", "1_layer=second"]
