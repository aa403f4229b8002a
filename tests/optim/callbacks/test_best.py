"""The best picture of all steps is kept, where the objective says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from fitting import PIXELS, Watch, backbone, fit
from torch import Tensor

from featviz.objectives import Cap, Channel
from featviz.optim.callbacks import KeepBest, required_callbacks
from featviz.optim.method import Method
from featviz.optim.schedules import Schedule, Stage
from featviz.optim.visualizer import FilterVisualizer

STEADY = partial(torch.optim.SGD, lr=500.0)
BETWEEN = torch.tensor([0.3, 0.2, 0.5])


@dataclass(frozen=True)
class Kept(Channel):
    """The mean rises from step to step, so that the picture nearest a mean between is another than the last."""

    keeps_best = True

    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        return -(self(maps) - BETWEEN).abs()


@dataclass(frozen=True)
class KeptLate(Kept):
    keeps_from = 0.5


def method(objective: type[Channel], *sizes: int) -> Method:
    return Method(PIXELS, Schedule([Stage(size, 6) for size in sizes]), STEADY, objective)


def trained(objective: type[Channel], *sizes: int) -> tuple[FilterVisualizer, Watch]:
    module, watch = FilterVisualizer(backbone(), method(objective, *sizes), "4", [0, 1, 2]), Watch()
    fit(module, watch)
    return module, watch


def _worths(module: FilterVisualizer, pictures: list[torch.Tensor]) -> torch.Tensor:
    rounded = [each.mul(255).round().div(255) for each in pictures]
    return torch.stack([module.objective.worth(module.maps(each.detach())) for each in rounded])


def test_each_picture_is_the_best_of_its_steps() -> None:
    module, watch = trained(Kept, 24)
    worths = _worths(module, watch.pictures)
    found = _worths(module, [module.image()])[0]
    assert (found >= worths.amax(0) - 1e-6).all()
    assert (found > worths[-1]).any()


def test_before_a_share_of_the_steps_nothing_is_kept() -> None:
    module, watch = trained(KeptLate, 24)
    worths = _worths(module, watch.pictures)[2:]
    torch.testing.assert_close(_worths(module, [module.image()])[0], worths.amax(0))


def test_only_pictures_of_the_final_size_are_kept() -> None:
    module, watch = trained(Kept, 20, 24)
    late = [each for each in watch.pictures if each.shape[-1] == 24]
    assert module.finished().shape[-1] == 24
    assert (_worths(module, [module.image()])[0] >= _worths(module, late).amax(0) - 1e-6).all()


def test_what_is_kept_goes_into_checkpoints_and_comes_back() -> None:
    callback, again = KeepBest(), KeepBest()
    module = FilterVisualizer(backbone(), method(Kept, 24), "4", [0, 1, 2])
    callback.on_start(None, module)  # type: ignore[arg-type]
    again.load_state_dict(callback.state_dict())
    module.image.values.data.zero_()
    again.on_end(None, module)  # type: ignore[arg-type]
    assert module.image.values.data.abs().max() > 0


def test_a_sum_or_a_cap_keeps_what_its_parts_keep() -> None:
    channel, kept = Channel("4", [0, 1, 2]), KeptLate("4", [0, 1, 2])
    maps = {"4": torch.rand(3, 3, 2, 2)}
    cap = Cap("4", [0, 1, 2], KeptLate, 0.1)
    assert [each.keeps_from for each in (channel + 2 * kept, -kept, cap)] == [0.5] * 3
    torch.testing.assert_close((channel + 2 * kept).worth(maps), channel(maps) + 2 * kept.worth(maps))
    torch.testing.assert_close(cap.worth(maps), kept.worth(maps))
    each_callback = required_callbacks(method(Channel, 24), channel + kept)
    assert any(isinstance(each, KeepBest) for each in each_callback)


def test_others_pay_nothing_for_it() -> None:
    channel = Channel("4", [0, 1, 2])
    each_callback = required_callbacks(method(Channel, 24), channel + channel)
    assert not any(isinstance(each, KeepBest) for each in each_callback)
