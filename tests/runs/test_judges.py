"""Judges by what is typed."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from program import made, refused
from refusals import assert_refused

from featviz.results.folder import read_rows
from featviz.runs.judges import build_judges

TEN = "model:own,target:small_networks.DigitNetwork,weights:random,size:28"
OWN = {"model": "own", "target": "small_networks.DigitNetwork", "weights": "random", "size": 28}


def test_names_and_settings_and_each_network_is_loaded_once() -> None:
    first = build_judges(["efficientnet_lite0", OWN])
    assert [(judge.name, judge.model.size) for judge in first] == [("efficientnet_lite0", 224), ("DigitNetwork", 28)]
    again = build_judges([OWN | {"kwargs": {}}, {"model": "own", **OWN, "size": 32}])
    assert again[0] is first[1]
    assert again[1] is not first[1]
    assert build_judges("efficientnet_lite0")[0] is not first[0]  # the run between had none of it


A_JUDGE = "a model's name, or {model:NAME,SETTING:VALUE}"


@pytest.mark.parametrize(
    ("spec", "setting", "got", "right"),
    [
        ("efficientnet", "evidence.judges", "efficientnet", "efficientnet_lite2"),
        ("timm", "evidence.judges", "timm", "{model:timm,name:...}"),
        ({"name": "resnet18"}, "evidence.judges", {"name": "resnet18"}, A_JUDGE),
        (5, "evidence.judges", 5, A_JUDGE),
        ({**OWN, "sise": 28}, "model.sise", "model.sise", "model.size"),
    ],
    ids=str,
)
def test_what_is_no_judge_is_refused(spec: object, setting: str, got: object, right: str) -> None:
    assert_refused(lambda: build_judges([spec]), setting, got, right)


@pytest.mark.end_to_end
def test_judges_as_typed() -> None:
    option = Path("own/model/mine.yaml")
    option.parent.mkdir(parents=True)
    settings = {"defaults": [OWN["model"], "_self_"], **OWN, "name": "Mine"}
    del settings["model"]
    OmegaConf.save(OmegaConf.create(settings), option)
    digits = ["model=own", "model.target=small_networks.DigitNetwork", "model.weights=random", "model.size=28"]
    typed = [
        *digits,
        "objective=logit",
        "layer=logits",
        "filters=[0,3]",
        "schedule.steps=2",
        "restarts=0",
        "callbacks=none",
        "logger=none",
        "report=none",
        f"evidence.judges=[{{{TEN}}},mine]",
    ]
    for row in read_rows(made(*typed, "--config-dir=own")):
        assert row["transfer_Mine"] == row["transfer_DigitNetwork"]
        assert 0 < row["transfer_DigitNetwork"] < 1
        assert row["transfer_DigitNetwork_top1"] <= row["transfer_DigitNetwork_top5"]
    line = refused(*typed[:-1], "evidence.judges=[efficientnet_lite0]")
    assert line.startswith("efficientnet_lite0 tells 1000 classes apart, but DigitNetwork 10; expected")
