"""Objectives set wrongly on the command line, and photos of every kind handed to them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from configs import chosen
from pictures import photo
from PIL import Image
from program import PLAIN, SHORT, made, refused, run

from featviz.errors import FeatvizError
from featviz.results.folder import read_rows
from featviz.runs.build import build_run
from featviz.runs.plan import check_plan, make_plan

SIZE = 48


def header_of(width: int, height: int) -> bytes:
    """A PNG that ends where its picture would begin."""
    content = io.BytesIO()
    Image.new("1", (1, 1)).save(content, "png")
    sides = b"IHDR" + struct.pack(">II", width, height) + content.getvalue()[24:29]
    return content.getvalue()[:12] + sides + struct.pack(">I", zlib.crc32(sides)) + content.getvalue()[33:]


def told(*arguments: str) -> str:
    """The one line with which a run is refused, which has made no picture."""
    line = refused(*SHORT, *arguments)
    assert not list(Path().rglob("outputs/**/*.png"))
    return line


LOGIT = ("model=efficientnet_lite0", "model.weights=random", "objective=logit")


@pytest.mark.end_to_end
def test_a_class_that_does_not_exist() -> None:
    line = refused(*LOGIT, "filters=[goldfih]", "schedule.steps=1")
    assert line.startswith("unknown class 'goldfih'; nearest: goldfish, goldfinch")


@pytest.mark.end_to_end
def test_classes_of_a_layer_that_has_none() -> None:
    line = told("objective=logit")
    assert line.endswith(
        "second hands out a tensor of shape [1, 20, 12, 12], not one number for each class; expected layer=logits"
    )


TYPED = {
    "a joint filter that is not there": ("objective=joint objective.weights={99:1}", "filter 99 is out of range"),
    "vectors not given": ("objective=direction", "objective.vectors is missing: give it on the command line"),
    "vector of another layer": (
        "objective=direction objective.vectors=[1,2]",
        "a vector has 2 numbers, but second has 20 filters",
    ),
    "no file of vectors": (
        "objective=direction objective.vectors=goof.npy",
        "there is no file 'goof.npy'; nearest: good.npy",
    ),
    "variants of a mean": (
        "variants=2",
        "variants is 2, but objective=channel does not keep a filter's pictures apart",
    ),
    "more variants than a batch": (
        "variants=4 batch_size=2 objective=diversity",
        "the 4 variants of a filter are made at the same time, but batch_size is 2; expected batch_size=4",
    ),
    "a row outside": (
        "objective=neuron objective.position=[10,0]",
        "objective.position [10, 0] is outside the feature map: second has 10 x 10 positions for the run's smallest "
        "pictures, [0, 0] to [9, 9]",
    ),
    "outside for the smallest of the schedule's sizes": (
        "objective=neuron objective.position=[9,9] schedule=octaves schedule.size=72 schedule.steps=4",
        "position [9, 9] is outside the feature map: second has 9 x 9 positions",
    ),
    "a position where there is none": ("+objective.position=[1,2]", "unknown setting 'objective.position'"),
    "filters without weights": (
        "objective=joint objective.weights=[1,2]",
        "objective.weights is [1, 2]; expected values by name",
    ),
    "terms that make other pictures": (
        "objective=sum objective@objective.terms.second=interpolation objective.terms.second.ends=[1,2]",
        "objective.terms.second makes 6 pictures, and first 2 others",
    ),
    "a photo that is not there": ("objective=caricature objective.photo=god.png", "'god.png'; nearest: good.png"),
    "text named as a photo": (
        "objective=caricature objective.photo=text.jpg",
        "photo text.jpg is no picture that can be read",
    ),
    "a second photo cut short": (
        "objective=caricature objective.photo=[good.png,cut.png]",
        "cut.png is damaged or cut",
    ),
    "a huge photo": (
        "objective=caricature objective.photo=huge.png",
        "photo huge.png has 50.4 megapixels; expected at most 50 megapixels",
    ),
    "a folder without photos": ("objective=caricature objective.photo=empty", "folder empty holds no photo"),
    "an accentuated photo not given": ("objective=accentuation", "objective.photo is missing"),
}
TYPED_ONLY = ("a joint filter that is not there", "no file of vectors", "a row outside", "filters without weights")
#: The same without the command line, which takes long to compose: an option, its settings, the words.
SET = {
    "vectors of two lengths": (
        "direction",
        "objective.vectors=[[1,2],[1]]",
        "objective.vectors is [[1, 2], [1]]; expected numbers, or",
    ),
    "no vector": (
        "direction",
        "objective.vectors=[]",
        "objective.vectors is []; expected numbers, or lists of equal length",
    ),
    "words for a vector": ("direction", "objective.vectors=[a]", "objective.vectors is ['a']; expected numbers"),
    "no such kind of file": ("direction", "objective.vectors=good.txt", "good.txt must end in one of .npy, .csv, .pt"),
    "vectors of zeros in a file": (
        "direction",
        "objective.vectors=zero.npy",
        "vectors of zero.npy: vector 1 is zero or holds numbers",
    ),
    "a power below zero": (
        "direction",
        "objective.vectors=good.npy objective.cosine_power=-1",
        "cosine_power is -1; expected zero or",
    ),
    "variants of a photo": (
        "caricature",
        "variants=3 objective.photo=good.png",
        "variants is 3, but objective=caricature does not keep",
    ),
    "diversity that draws together": ("diversity", "objective.weight=-1", "objective.weight is -1; expected"),
    "diversity at no layer": ("diversity", "objective.apart_at=frist", "unknown layer 'frist'; nearest: first"),
    "a column outside": ("neuron", "objective.position=[0,12]", "position [0, 12] is outside the feature map"),
    "a direction's position outside": (
        "direction_neuron",
        "objective.vectors=good.npy objective.position=[12,0]",
        "objective.position [12, 0] is outside the feature map",
    ),
    "a row alone": ("neuron", "objective.position=[1]", "objective.position is [1]; expected [row, column]"),
    "a row below zero": ("neuron", "objective.position=[-1,0]", "objective.position is [-1, 0]; expected [row,"),
    "half a row": ("neuron", "objective.position=[1.5,2]", "objective.position is [1.5, 2]; expected [row,"),
    "joint filters not given": ("joint", "", "objective.weights is missing: give it on the command line"),
    "one end": ("interpolation", "objective.ends=[3]", "objective.ends is [3]; expected two filters"),
    "an end that is not there": ("interpolation", "objective.ends=[3,99]", "filter 99 is out of range"),
    "a row of one": (
        "interpolation",
        "objective.ends=[3,4] objective.pictures=1",
        "objective.pictures is 1; expected 2 (the ends alone) to 100000",
    ),
    "a term's filter that is not there": ("sum", "objective.terms.second.filters=99", "filter 99 is out of"),
    "several filters of a term": (
        "sum",
        "objective.terms.second.filters=[1,2]",
        "objective.terms.second.filters is [1, 2]; expected the number of one filter, or null",
    ),
    "a weight of no term": ("sum", "+objective.weights.thrid=1", "there is no term 'thrid'; there are: first, second"),
    "a number for a photo": ("caricature", "objective.photo=7", "objective.photo is 7; expected text or a list"),
    "a photo cut short": ("caricature", "objective.photo=cut.png", "photo cut.png is damaged or cut short: "),
    "a photo to invert that cannot be read": ("inversion", "objective.photo=text.jpg", "text.jpg is no picture"),
    "accentuation near no layer": (
        "accentuation",
        "objective.photo=good.png objective.keep_layer=frist",
        "unknown layer 'frist'; nearest: first",
    ),
    "accentuation of a folder": (
        "accentuation",
        "objective.photo=several objective.keep_layer=first",
        "objective.photo stands for 2 photos; expected one",
    ),
    "accentuation that leads away": (
        "accentuation",
        "objective.photo=good.png objective.keep_layer=first objective.keep_weight=-1",
        "objective.keep_weight is -1; expected zero or more, or null",
    ),
}


@pytest.fixture
def files() -> None:
    """What the cases name."""
    photo().save("good.png")
    Path("several").mkdir()
    for name in ("one.png", "two.png"):
        photo().save(Path("several", name))
    Path("text.jpg").write_text("no photo")
    Path("huge.png").write_bytes(header_of(7100, 7100))
    Path("cut.png").write_bytes(Path("good.png").read_bytes()[:-60])
    Path("empty").mkdir()
    np.save("good.npy", np.eye(20))
    np.save("zero.npy", np.eye(20, 20) * (np.arange(20) != 1)[:, None])


@pytest.mark.end_to_end
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("case", TYPED_ONLY)
def test_one_line_says_what_is_wrong(case: str) -> None:
    typed, words = TYPED[case]
    assert words in told(*typed.split())


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("case", [case for case in (*TYPED, *SET) if case not in TYPED_ONLY])
def test_settings_of_an_objective_that_are_wrong(case: str) -> None:
    option, settings, words = SET[case] if case in SET else ("channel", *TYPED[case])
    cfg = chosen(*SHORT, f"objective={option}", *settings.split())
    with pytest.raises(FeatvizError) as caught:
        check_plan(make_plan(build_run(cfg)), None)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.end_to_end
def test_variants_of_diversity_are_made_side_by_side() -> None:
    folder = made(*SHORT, "objective=diversity", "variants=3", *PLAIN)
    rows = read_rows(folder)
    assert [(row["filter"], row["variant"]) for row in rows] == [(n, v) for n in (0, 1) for v in range(3)]
    assert len({(folder / row["image"]).read_bytes() for row in rows}) == 6


@pytest.mark.end_to_end
def test_diversity_of_one_picture_is_said_to_be_none() -> None:
    outcome = run(*SHORT, "objective=diversity", *PLAIN)
    assert outcome.status == 0
    assert "variants is 1: there is one picture of each filter, and none to keep it apart from" in outcome.out
