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
from featviz.errors import FeatvizError

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
}
EVERYWHERE = {
    "seed=-1": "seed is -1; expected zero or more",
    "seed=x": "seed is 'x'; expected a whole number",
    "fold=3": "fold is 3; expected true or false",
}
REFUSED = {
    "visualize": {
        "batch_size=x": "batch_size is x; expected 1 or more, or auto",
        "batch_size=0": "batch_size is 0; expected 1 or more, or auto",
        "batch_size=null": "batch_size is null; expected a whole number or text",
        "compile=maybe": "compile is 'maybe'; expected true, false or auto",
        "variants=0": "variants is 0; expected 1 or more",
        "variants=100000": "variants is 100000; expected at most 1000",
        "budget=0": "budget is 0; expected a number of million pixels above zero, or null",
        "restarts=-1": "restarts is -1; expected zero or more",
        "redirect_steps=-1": "redirect_steps is -1; expected zero or more",
        "opacity=1": "opacity is 1; expected true or false",
    },
    "top_filters": {
        "top=0": "top is 0; expected 1 or more",
        "top=many": "top is 'many'; expected a whole number",
        "by=maen": "unknown by 'maen'; nearest: mean",
    },
    "exemplars": {
        "k=0": "k is 0; expected 1 or more",
        "limit=0": "limit is 0; expected 1 or more",
        "by=zscore": "unknown by 'zscore'",
    },
    "concepts": {
        "concepts=0": "concepts is 0; expected 1 or more",
        "concepts=200000": "there are 100000 positions for 200000 concepts; expected more positions than concepts",
        "by=kmean": "unknown by 'kmean'; nearest: kmeans",
        "by=SAE": "unknown by 'SAE'; nearest: sae",
        "positions=0": "positions is 0; expected 1 or more",
        "epochs=0": "epochs is 0; expected 1 or more",
        "limit=0": "limit is 0; expected 1 or more",
        "k=0": "k is 0; expected 1 or more",
    },
    "spectrum": {"task.size=x": "task.size is 'x'; expected a whole number"},
    "merge": {"into=3": "into is 3; expected text or null"},
    "report": {"into=3": "into is 3; expected text or null", "copy=2": "copy is 2; expected true or false"},
    "atlas": {
        "limit=0": "limit is 0; expected 1 or more",
        "atlas.grid=0": "atlas.grid is 0; expected 1 or more",
        "atlas.levels=0": "atlas.levels is 0; expected 1 or more",
        "atlas.levels=9": "the finest of 9 levels would have 8 * 2^8 cells along a side; expected at most 256",
        "atlas.per_photo=0": "atlas.per_photo is 0; expected 1 or more",
        "atlas.min_points=0": "atlas.min_points is 0; expected 1 or more",
        "atlas.photos=-1": "atlas.photos is -1; expected zero or more",
        "atlas.projected=-1": "atlas.projected is -1; expected zero or more",
        "atlas.neighbors=1": "atlas.neighbors is 1; expected 2 or more",
        "atlas.layout=umpa": "unknown atlas.layout 'umpa'; nearest: umap",
        "atlas.min_dist=2": "atlas.min_dist is 2; expected a number from 0 to 1",
        "shard=0/2": "task=atlas is not divided among jobs; expected shard=null",
    },
    "tune": {
        "search.trials=0": "search.trials is 0; expected a whole number from 1",
        "search.trials=x": "search.trials is 'x'; expected a whole number",
        "search.seed=4294967296": "search.seed is 4294967296; expected a whole number from 0 to 4294967295",
        "search.unseen=-1": "search.unseen is -1; expected a whole number from 0",
        "search.stop_early=3": "search.stop_early is 3; expected true or false",
        "batch_size=0": "batch_size is 0",
    },
}


def test_every_task_is_here() -> None:
    assert set(TASKS) == {file.stem for file in (config_dir() / "task").glob("*.yaml")}


@pytest.mark.parametrize("task", TASKS)
def test_the_settings_of_every_task_are_checked(task: str) -> None:
    check_settings(chosen(f"task={task}", *TASKS[task]))
    for setting, words in (EVERYWHERE | REFUSED.get(task, {})).items():
        with pytest.raises(FeatvizError) as refused:
            check_settings(chosen(f"task={task}", *TASKS[task], setting))
        assert str(refused.value).startswith(words)
        assert refused.value.setting == setting.partition("=")[0]


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
}


@pytest.mark.end_to_end
def test_plain_values_and_those_of_pieces_are_checked_before_torch_is_imported() -> None:
    code = (
        "import sys, program; program.ALLOWED = True\n"
        "for typed in sys.argv[1:]: print(program.refused(*typed.split()))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *BEFORE_TORCH], env=environment(), capture_output=True, text=True, timeout=60
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
