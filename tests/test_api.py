"""The Python interface: the command line's results, for names and for modules, and nothing left behind."""

import copy
import doctest
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interface import QUIET, SMALL
from omegaconf import OmegaConf
from PIL import Image
from program import SHORT, made
from refusals import assert_refused
from tiny_networks import Tiny
from torch import Tensor, nn

import featviz
from featviz.config.python_values import filters_setting
from featviz.errors import FeatvizError
from featviz.filters import parse_filters
from featviz.models.sources.own import from_module
from featviz.models.tracing import trace
from featviz.results.folder import read_rows

pytestmark = pytest.mark.usefixtures("libraries_imported")


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))


def in_png(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def same(row: Any, other: Any, *but: str) -> bool:
    return all(str(row[name]) == str(other[name]) for name in row if name not in ("seconds", "image", *but))


@pytest.mark.end_to_end
@pytest.mark.parametrize("recipe", ["olah2017", "fg91_2019"])
def test_a_name_gives_what_the_command_line_gives(recipe: str) -> None:
    sizes = SMALL if recipe == "olah2017" else ["schedule.stages=[[40,2],[48,2]]"]
    folder = made(*SHORT[:4], *sizes, "layer=second", "filters=[0,13]", f"recipe={recipe}", "seed=3")
    model = ["model.target=tiny_networks.Tiny", "model.weights=random", "model.size=48"]
    result = featviz.visualize("own", "second", [0, 13], recipe, seed=3, overrides=[*model, *sizes])
    rows = read_rows(folder)
    assert result.images.shape == (2, 3, rows[0]["size"], rows[0]["size"])
    for row, image, saved in zip(result.rows, result.images, rows, strict=True):
        assert same(row, saved)
        torch.testing.assert_close(image, in_png(folder / saved["image"]), rtol=0, atol=1e-6)


@pytest.mark.end_to_end
def test_a_module_gives_what_its_name_gives(tiny: Tiny) -> None:
    same_way = "objective=channel"  # which does not go by the network's own size, as that of clear does
    (row,) = read_rows(made(*SHORT, "filters=[13]", same_way))
    for model in (tiny, featviz.Model("Tiny", tiny, (0.0,), (1.0,), 48, "given")):
        result = featviz.visualize(model, "second", [13], overrides=[*SMALL, same_way])
        assert same(result.rows[0], row, "weights")
        assert result.rows[0]["weights"] == "given"


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (5, [5]),
        ("5", [5]),
        ([0, 3], [0, 3]),
        ((3, 0), [3, 0]),
        (range(2), [0, 1]),
        ("2-3", [2, 3]),
        ("all", list(range(6))),
        (np.int64(4), [4]),
        (torch.tensor(4), [4]),
        ([np.int32(1), torch.tensor(2)], [1, 2]),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([1, 2]), [1, 2]),
    ],
    ids=str,
)
def test_filters_are_given_in_any_way(filters: Any, numbers: list[int]) -> None:
    assert parse_filters(filters_setting(filters), "first", 6) == numbers


def test_filters_are_made_in_the_order_given(tiny: Tiny) -> None:
    result = featviz.visualize(tiny, "first", np.array([3, 0]), overrides=[*QUIET, "schedule.steps=1"])
    assert [row["filter"] for row in result.rows] == [3, 0]
    assert len(result.images) == 2


def test_several_layers(tiny: Tiny) -> None:
    result = featviz.visualize(tiny, ("first", "second"), [1, 2], overrides=QUIET)
    assert [(row["layer"], row["filter"]) for row in result.rows] == [
        ("first", 1),
        ("first", 2),
        ("second", 1),
        ("second", 2),
    ]
    assert result.images.shape == (4, 3, 40, 40)


def test_nothing_is_written_without_output(tiny: Tiny, tmp_path: Path) -> None:
    result = featviz.visualize(tiny, "second", [0], overrides=SMALL)
    featviz.activations(tiny, result.images, "second")
    assert not list(tmp_path.iterdir())
    assert result.rows[0]["image"] == ""


def test_output_is_the_run_folder(tiny: Tiny) -> None:
    result = featviz.visualize(tiny, "second", [0, 7], output="deep/down", overrides=SMALL)
    folder = Path("deep/down")
    assert {path.name for path in folder.iterdir()} == {
        "index.html",
        "report",
        "images",
        "grid_second.png",
        "response_matrix_second.png",
        "results.csv",
        "config.yaml",
        "checksums.json",
        "inputs.csv",
        "inputs.json",
        "manifest.json",
        "nearest.csv",
        "network.json",
        "responses",
        "tensorboard",
    }
    assert read_rows(folder) == result.rows
    for row, image in zip(result.rows, result.images, strict=True):
        torch.testing.assert_close(image, in_png(folder / row["image"]), rtol=0, atol=1e-6)
    assert OmegaConf.load(folder / "config.yaml").model == {"name": "Tiny", "weights": "given"}


def test_a_run_that_is_ended_knows_its_network(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that pages of it have all layers."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("featviz.tasks.visualize._make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        featviz.visualize(tiny, "second", [0], output="run", overrides=SMALL)
    layers = json.loads(Path("run/network.json").read_text())["layers"]
    assert [layer["module"] for layer in layers][:2] == ["first", "bn"]


def test_the_layers_of_a_module(tiny: Tiny) -> None:
    rows = {row["layer"]: row for row in featviz.layers(tiny)}
    assert list(rows) == ["first", "bn", "act", "second", "pair", "pair[0]", "pair[1]", "last", "unused"]
    assert rows["second"] == {
        "layer": "second",
        "type": "Conv2d",
        "output": [1, 20, 56, 56],
        "filters": 20,
        "stride": 4,
        "stage": None,
        "calls": 1,
    }
    assert [rows["unused"][name] for name in ("output", "filters", "stride", "calls")] == ["nothing", None, None, 0]


def test_the_layers_of_a_model_and_of_a_name(tiny: Tiny) -> None:
    model = featviz.Model("tiny", tiny, (0.0,), (1.0,), 48, "given", {"layer2": "second"})
    assert [row["output"] for row in featviz.layers(model) if row["stage"] == "layer2"] == [[1, 20, 12, 12]]
    stages = {row["stage"]: row["layer"] for row in featviz.layers("resnet18", ["model.weights=random"])}
    assert {stage: stages[stage] for stage in ("layer1", "layer4")} == {"layer1": "layer1", "layer4": "layer4"}


@pytest.mark.parametrize("mean", [0.0, 0.4])
def test_activations_are_an_own_hooks_before_any_later_module(tiny: Tiny, pictures: Tensor, mean: float) -> None:
    network, caught = copy.deepcopy(tiny), {}
    network.act.inplace = False  # else it overwrites what the batch norm has handed out
    names = ["first", "bn", "act", "second"]
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: caught.__setitem__(name, output.clone())
        )
    with torch.no_grad():
        network((pictures - mean) / 0.5)
    model = featviz.Model("tiny", tiny, (mean,), (0.5,), 48, "given")
    found = featviz.activations(model, pictures, names)
    assert list(found) == names
    for name in names:
        torch.testing.assert_close(found[name], caught[name], rtol=0, atol=1e-6)
    assert found["bn"].min() < 0 <= found["act"].min()
    assert torch.equal(featviz.activations(model, pictures, "bn")["bn"], found["bn"])
    assert featviz.activations(model, pictures.double(), "bn")["bn"].dtype == torch.float32


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown layer": ({"layer": "secnd"}, "unknown layer 'secnd'; nearest: second"),
    "one of several": ({"layer": ["second", "thrid"]}, "unknown layer 'thrid'"),
    "no layer": ({"layer": []}, "layer is empty"),
    "a filter too high": ({"filters": [99]}, "filter 99 is out of range: second has 20 filters, 0 to 19"),
    "half a filter": ({"filters": 1.5}, "filters is 1.5; expected 5, [0, 3, 9], '0-15', 'all' or 'random:16'"),
    "no filters": ({"filters": None}, "filters is None; expected"),
    "filters with a hole": ({"filters": [0, None]}, "filters is [0, None]; expected"),
    "an unknown recipe": ({"recipe": "olah"}, "unknown recipe 'olah'; nearest: olah2017"),
    "an unknown model": ({"model": "resnet43"}, "unknown model 'resnet43'; nearest: resnet34"),
    "no model": ({"model": 3}, "expected a torch.nn.Module, but this is a int"),
    "a seed in words": ({"seed": "x"}, "seed is 'x'; expected a whole number"),
    "an unknown setting": ({"overrides": ["optimizr.lr=1"]}, "unknown setting 'optimizr.lr'; nearest: optimizer.lr"),
    "an argument": ({"overrides": ["filters=3"]}, "overrides say filters, which is an argument of the call"),
    "no setting": ({"overrides": ["lr"]}, "cannot read 'lr'; expected setting=value"),
    "a picture too small": ({"layer": "last", "overrides": ["schedule.size=4"]}, "is too small for Tiny"),
}


@pytest.mark.parametrize(("wrong", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(tiny: Tiny, wrong: dict[str, Any], words: str) -> None:
    given = {"model": tiny, "layer": "second", "filters": [0], "overrides": QUIET}
    with pytest.raises(FeatvizError) as caught:
        featviz.visualize(**(given | wrong))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


SEEN: dict[str, tuple[Callable[[Tiny, Tensor], object], str]] = {
    "no batch": (lambda net, x: featviz.activations(net, x[0], "bn"), "images has shape [3, 48, 48]; expected (N, 3, "),
    "gray": (lambda net, x: featviz.activations(net, x[:, :1], "bn"), "images has shape [2, 1, 48, 48]; expected (N, "),
    "unknown": (lambda net, x: featviz.activations(net, x, ["bn", "nb"]), "unknown layer 'nb'; nearest: bn"),
    "unused": (lambda net, x: featviz.activations(net, x, "unused"), "layer 'unused' is never called"),
    "no such name": (lambda _, x: featviz.activations("nope", x, "bn"), "unknown model 'nope'"),
    "too small": (lambda net, x: featviz.activations(net, x[..., :8], "last"), "too small"),
    "no pictures": (lambda *_: featviz.layers(nn.Linear(2, 2)), "model Linear does not take pictures of 3 x 224 x "),
    "no target": (lambda *_: featviz.layers("own"), "model.target is missing"),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_cannot_be_seen_is_said_in_one_line(tiny: Tiny, pictures: Tensor, name: str) -> None:
    call, words = SEEN[name]
    with pytest.raises(FeatvizError) as caught:
        call(tiny, pictures)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_neither_text_nor_a_list(tiny: Tiny) -> None:
    wrong: Any = 3
    right = "a module or stage name such as 'layer4', or several"
    assert_refused(lambda: featviz.visualize(tiny, wrong, [0]), "layer", 3, right)


@pytest.mark.process
def test_importing_featviz_imports_neither_torch_nor_hydra() -> None:
    code = "import sys, featviz; print(featviz.__version__, *featviz.__all__, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, *names = done.stdout.split()
    assert version == featviz.__version__
    assert {"visualize", "layers", "activations", "Model", "FeatvizError"} < set(names)
    assert not {"torch", "lightning", "hydra", "numpy", "PIL"} & set(names)


def test_everything_that_is_public_is_there() -> None:
    for name in featviz.__all__:
        assert callable(getattr(featviz, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'render'"):
        featviz.render  # noqa: B018


@pytest.mark.parametrize("name", ["visualize", "top_filters", "layers", "activations"])
def test_examples_in_the_documentation_run(name: str) -> None:
    function = getattr(featviz, name)
    for test in doctest.DocTestFinder(recurse=False).find(function, name, globs={name: function, "featviz": featviz}):
        assert doctest.DocTestRunner().run(test).failed == 0
    assert bool(test.examples) or name != "visualize"


def test_an_objective_made_for_a_layer_takes_it_where_none_is_given(tiny: Tiny) -> None:
    small = ["schedule.size=48", "schedule.steps=2", "evidence=none", "restarts=0"]
    call = partial(featviz.visualize, tiny, filters=[3], overrides=["objective=logit", *small])
    assert_refused(call, "layer", "logits", "")  # this network has none
    (row,) = featviz.visualize(tiny, filters=[3], overrides=["objective=channel", *small]).rows
    assert (row["layer"], row["module"]) == ("layer4", list(trace(from_module(tiny)).stages.values())[-1])
