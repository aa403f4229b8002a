"""Gradients on exemplars, against torch's own for one photo and one unit after the other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from featviz.metrics.relations.class_gradients import ClassGradients
from featviz.metrics.relations.gradient_inputs import gradient_inputs
from featviz.metrics.relations.sources import Sources
from featviz.metrics.relations.unit_photos import MOST_PAIRS, MOST_PHOTOS, UnitPhotos, counts, photo_batches, shared
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.photos.files import load_photo

SIZE = 16


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.act = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True)
        self.two, self.three, self.fc = nn.Conv2d(6, 5, 3), nn.Conv2d(5, 8, 3), nn.Linear(8, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.three(self.act(self.two(self.act(self.one(x)))).sigmoid())
        return self.fc(x.relu().mean((2, 3)))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
        self.attention, self.two, self.fc = (
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Linear(8, 5),
            nn.Linear(5, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.one(x).flatten(2).transpose(1, 2))
        x = self.two(x + self.attention(x, x, x)[0])
        return self.fc(x.mean(1).tanh())


class TokensFirst(Tokens):
    """The same with (tokens, N, C) between its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.attention.batch_first = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.one(x).flatten(2).permute(2, 0, 1))
        x = self.two(x + self.attention(x, x, x)[0])
        return self.fc(x.mean(0).tanh())


NETWORKS = {"convolutions": (Convolutions, "one"), "tokens": (Tokens, "norm")}


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    for at in range(4):
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(tmp_path / f"{at}.png")
    return sorted(tmp_path.glob("*.png"))


def traced(build: type[nn.Module]) -> tuple[Model, Trace]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build()
    model = Model("net", network.eval(), (0.5,), (0.25,), SIZE, "random")
    return model, trace(model)


def outputs(model: Model, photo: Path, source: str) -> tuple[Tensor, dict[str, Tensor]]:
    """A module's output as a leaf, and what all modules return of it."""
    kept: dict[str, Tensor] = {}

    def cut(_module: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> Tensor:
        kept["leaf"] = output.detach().requires_grad_()
        return kept["leaf"].clone()

    def keep(name: str) -> object:
        # cloned, since a rectifier overwrites what it gets
        return lambda _m, _i, output: kept.__setitem__(name, output[0] if name == "attention" else output.clone())

    handles = [model.network.get_submodule(source).register_forward_hook(cut)]
    handles += [m.register_forward_hook(keep(n)) for n, m in model.network.named_children() if n != source]
    model.network((load_photo(photo, SIZE)[None] - 0.5) / 0.25)
    for handle in handles:
        handle.remove()
    return kept["leaf"], kept


EXEMPLARS = [[0, 1, 2], [2, 0], [3]]  # of units 4, 0 and 2


@pytest.mark.parametrize("by", ["mean", "max"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_times_activation(name: str, by: str, photos: list[Path]) -> None:
    model, layers = traced(NETWORKS[name][0])
    source, units = NETWORKS[name][1], [4, 0, 2]
    segment = Sources(model, layers).segment(layers.layers[source], layers.layers["two"])
    found = gradient_inputs(segment, units, shared([[photos[at] for at in its] for its in EXEMPLARS]), by)
    for place, (unit, its) in enumerate(zip(units, EXEMPLARS, strict=True)):
        strengths = []
        for at in its:
            leaf, kept = outputs(model, photos[at], source)
            maps = kept["two"].transpose(1, 2) if name == "tokens" else kept["two"].flatten(2)
            figure = maps[0, unit].mean() if by == "mean" else maps[0, unit].max()
            product = (torch.autograd.grad(figure, leaf)[0] * leaf)[0]
            strengths.append(product.sum(0) if name == "tokens" else product.sum((1, 2)))
        torch.testing.assert_close(found[place].float(), torch.stack(strengths).mean(0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_of_logits_by_a_unit(name: str, photos: list[Path]) -> None:
    model, layers = traced(NETWORKS[name][0])
    units = [4, 0, 2]
    segment = Sources(model, layers).segment(layers.layers["two"], layers.layers["fc"])
    exemplars = shared([[photos[at] for at in its] for its in EXEMPLARS])
    found = ClassGradients(segment).means(units, exemplars)
    for place, (unit, its) in enumerate(zip(units, EXEMPLARS, strict=True)):
        gradients = []
        for at in its:
            leaf, kept = outputs(model, photos[at], "two")
            rows = [torch.autograd.grad(logit, leaf, retain_graph=True)[0][0] for logit in kept["fc"][0]]
            gradients.append([row[:, unit].sum() if name == "tokens" else row[unit].sum() for row in rows])
        torch.testing.assert_close(found[place].float(), torch.tensor(gradients).mean(0), atol=1e-5, rtol=1e-4)


def test_tokens_may_come_before_the_pictures(photos: list[Path]) -> None:
    exemplars, found = shared([[photos[at] for at in its] for its in EXEMPLARS]), []
    for build in (Tokens, TokensFirst):
        model, layers = traced(build)
        norm, two, fc = (layers.layers[name] for name in ("norm", "two", "fc"))
        sources = Sources(model, layers)
        inputs = gradient_inputs(sources.segment(norm, two), [4, 0, 2], exemplars, "max")
        found.append((inputs, ClassGradients(sources.segment(two, fc)).means([4, 0, 2], exemplars)))
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)


def photos_of(found: list[UnitPhotos], unit: int) -> set[str]:
    return {one.photo.name for one in found if unit in one.units}


def test_the_strongest_exemplars_are_taken_where_nothing_is_shared() -> None:
    found = shared([[Path(f"{unit}{rank}") for rank in range(9)] for unit in "abc"], 3)
    assert [photos_of(found, place) for place in range(3)] == [{f"{unit}{at}" for at in range(3)} for unit in "abc"]


def test_a_photo_that_many_units_have_takes_the_place_of_one_each() -> None:
    exemplars = [[Path(f"{unit}{rank}") for rank in range(8)] for unit in range(20)]
    for photos in exemplars:
        photos.insert(5, Path("all"))
    found = shared(exemplars, 3)
    assert found[0] == UnitPhotos(Path("all"), tuple(range(20)))
    assert photos_of(found, 4) == {"all", "40", "41"}
    assert len(found) == 1 + 2 * 20


def test_each_unit_is_shown_as_many_as_it_has_and_each_photo_once() -> None:
    rng = np.random.default_rng(0)
    exemplars = [[Path(f"{at:03d}") for at in rng.permutation(60)[: rng.integers(0, 10)]] for _ in range(80)]
    found = shared(exemplars, 3)
    assert counts(found, 80) == [min(3, len(photos)) for photos in exemplars]
    assert len({one.photo for one in found}) == len(found) < len({photo for its in exemplars for photo in its[:3]})
    assert all(one.photo in exemplars[unit] for one in found for unit in one.units)
    assert found == shared(exemplars, 3)


def test_batches_are_of_few_photos_and_few_units_and_hold_all(photos: list[Path]) -> None:
    rng = np.random.default_rng(0)
    wanted = [UnitPhotos(photos[0], tuple(range(many))) for many in (50, 30, *rng.integers(1, 9, 40).tolist())]
    batches = list(photo_batches(wanted, SIZE, 3))
    assert [units for batch in batches for units in batch.units] == [one.units for one in wanted]
    assert [len(batch.pictures) for batch in batches] == [len(batch.units) for batch in batches]
    assert max(map(len, (batch.units for batch in batches))) <= MOST_PHOTOS
    assert all(sum(map(len, batch.units)) <= MOST_PAIRS for batch in batches[1:])
    assert len(batches[0].units) == 1  # which has more than that alone


def test_the_classes_themselves_and_what_is_beside_the_way_speak_for_none() -> None:
    class Beside(Convolutions):
        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.one(x))
            return self.fc((self.three(self.two(x)) + x[:, :1, 4:, 4:]).mean((2, 3)))

    model = Model("net", Beside().eval(), (0.5,), (0.25,), SIZE, "random")
    layers = trace(model)
    sources = Sources(model, layers)
    leads = {name: sources.leads_to(layer, layers.layers["fc"]) for name, layer in layers.layers.items()}
    assert leads == {"one": True, "act": True, "two": False, "three": False, "fc": False}
