"""What is typed of a network of one's own: settings without a plus, class names, and lines that say what to type."""

from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from program import SHORT, made, refused, run
from refusals import assert_refused, refusal_of
from torch import nn

import featviz
from featviz.config.compose import compose_default
from featviz.config.model_settings import model_settings
from featviz.models.sources import own, timm, torchvision
from featviz.models.sources.told import NAMES
from featviz.objectives.filters import Logit, class_names
from featviz.results.folder import read_rows
from featviz.results.rows import subject


class Classifier(nn.Module):
    """Takes pictures of any size; ``wide`` is how many classes it has."""

    def __init__(self, wide: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2)
        self.fc = nn.Linear(4, wide)

    def forward(self, pictures):  # type: ignore[no-untyped-def]
        return self.fc(self.conv(pictures).relu().mean((2, 3)))


OWN = [
    *("model=own", f"model.target={__name__}.Classifier", "model.weights=random", "model.size=48"),
    *("layer=logits", "objective=logit", "recipe=plain", "schedule.steps=2", "schedule.size=48", "restarts=0"),
]


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("model.kwargs.num_classes=5", ["++model.kwargs.num_classes=5"]),
        ("model.stages.layer1=a", ["++model.stages.layer1=a"]),
        ("+model.stages.layer1=a", ["+model.stages.layer1=a"]),
        ("model.kwargs={depth:3,sizes:[1,2]}", ["++model.kwargs.depth=3", "++model.kwargs.sizes=[1,2]"]),
        ("model.kwargs={}", ["model.kwargs={}"]),
        ("model=resnet18", ["model=resnet18"]),
        ("model.weights=a.pt", ["model.weights=a.pt"]),
    ],
)
def test_settings_of_open_names(typed: str, taken: list[str]) -> None:
    assert list(model_settings([typed])) == taken


def test_they_are_composed() -> None:
    cfg = compose_default(["model=own", "model.target=a.B", "model.kwargs.depth=3", "model.stages={layer1:1.10}"])
    assert cfg.model.kwargs == {"depth": 3}
    assert cfg.model.stages == {"layer1": "1.10"}
    assert compose_default(["model=resnet18", "model.stages.layer1=conv1"]).model.stages.layer1 == "conv1"


LINES = {
    (
        "model=whole.pt",
    ): "model=whole.pt is a file, and a network's class is needed to read it: model=own model.target=",
    ("model=runs/epoch=3.ckpt",): "model.weights=runs/epoch=3.ckpt",
    ("model=nets.Small",): "is an import path: model=own model.target=nets.Small model.weights=",
    ("model=own", "model.weight=a.pt"): "unknown setting 'model.weight'; nearest: model.weights",
    ("model=timm", "model.clases=a.txt"): "nearest: model.classes",
    ("model.kwargs.depth=3",): "unknown setting 'model.kwargs'; nearest: model.",
    ("+image.nope=1",): "unknown setting 'image.nope'",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize("typed", LINES)
def test_one_line_says_what_to_type(typed: tuple[str, ...]) -> None:
    assert LINES[typed] in refused(*SHORT[len(SHORT) if typed[0].startswith("model") else 0 :], *typed)


@pytest.mark.parametrize("name", ["whole.pt", "nets.Small"])
def test_from_python_too(name: str) -> None:
    error = refusal_of(lambda: featviz.layers(name))
    assert (error.setting, error.got) == ("model", name)
    assert error.hint.startswith("model=own model.target=")


def test_what_is_told_goes_before_what_the_library_says(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\nEgyptian cat\n", encoding="utf-8")
    told = {"mean": 0.25, "std": [0.5, 0.5, 0.25], "size": 64, "classes": str(tmp_path / "names.txt")}
    for model in (
        timm.load("test_resnet", weights="random", kwargs={"num_classes": 3}, **told),
        torchvision.load("squeezenet1_1", weights="random", kwargs={"num_classes": 3}, **told),
        own.load(f"{__name__}.Classifier", weights="random", **told),
    ):
        assert (model.mean, model.std, model.size) == ((0.25,) * 3, (0.5, 0.5, 0.25), 64)
        assert model.classes == ("cat", "dog", "Egyptian cat")
    plain = torchvision.load("squeezenet1_1", weights="random")
    assert (plain.size, len(plain.classes)) == (224, 1000)
    file = str(tmp_path / "nowhere.txt")
    load = partial(own.load, f"{__name__}.Classifier", weights="random", classes=file)
    assert_refused(load, "model.classes", file, NAMES)


@pytest.mark.end_to_end
def test_class_names_stand_in_the_table_and_on_the_grid(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n=Egyptian cat\n", encoding="utf-8")
    named = made(*OWN, f"model.classes={tmp_path / 'names.txt'}", "filters=[dog,2]", output="named")
    rows = read_rows(named)
    assert [(row["filter"], row["class"], subject(row)) for row in rows] == [
        (1, "dog", "dog (1)"),
        (2, "=Egyptian cat", "=Egyptian cat (2)"),
    ]
    plain = made(*OWN, "filters=[1,2]", output="plain")
    assert "class" not in read_rows(plain)[0]
    assert (named / "images/logits/0001.png").read_bytes() == (plain / "images/logits/0001.png").read_bytes()
    with Image.open(named / "grid_logits.png") as one, Image.open(plain / "grid_logits.png") as other:
        assert one.tobytes() != other.tobytes()
    assert "model.classes has 2 names, but logits (fc) has 3 classes" in refused(*OWN, "model.classes=[a,b]")


def test_names_are_of_classes_only() -> None:
    model = featviz.Model("n", Classifier(), (0.0,), (1.0,), 48, "given", classes=("a", "b", "c"))
    backbone = featviz.models.backbone.Backbone(model, ["conv", "logits"])
    assert class_names(Logit(), backbone) == ("a", "b", "c")
    assert class_names(Logit(layer="conv"), backbone) == ()


@pytest.mark.end_to_end
def test_layers_are_listed_without_weights() -> None:
    outcome = run("task=layers", "model=own", f"model.target={__name__}.Classifier", "model.size=48")
    assert outcome.status == 0
    assert "random weights" not in outcome.out
    assert "fc" in outcome.out
