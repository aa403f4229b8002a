"""Pictures that grow between the stages of a schedule, and what their optimizers remember."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from fitting import ADAM, PIXELS
from growing import GROWING, fitted
from lightning import Callback, Trainer
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.optim.method import Method
from featviz.optim.schedules import Schedule, Stage
from featviz.optim.visualizer import FilterVisualizer


class Watch(Callback):
    """Keeps what the optimizer remembers, and the picture, after each step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.pictures: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: FilterVisualizer, *_: object) -> None:
        state = trainer.optimizers[0].state[pl_module.image.values]
        self.states.append({name: torch.as_tensor(value).clone() for name, value in state.items()})
        self.pictures.append(pl_module.pictures())


@pytest.mark.parametrize("image", [FourierImage, PIXELS])
def test_a_kept_optimizer_goes_on_with_its_averages_resized(image: Callable[..., object]) -> None:
    watch = Watch()
    module = fitted(Method(image, Schedule(GROWING), ADAM), [0, 1], watch)
    sizes = [12] * 4 + [16] * 3 + [21] * 4
    assert [int(state["step"]) for state in watch.states] == list(range(1, 12))
    assert [state["exp_avg"].shape[2] for state in watch.states] == sizes
    assert [picture.shape[2] for picture in watch.pictures] == sizes
    assert all((state["exp_avg_sq"] >= 0).all() for state in watch.states)
    assert all(state["exp_avg"].shape == state["exp_avg_sq"].shape for state in watch.states)
    assert watch.states[-1]["exp_avg"].shape == module.image.values.shape


@pytest.mark.parametrize("image", [FourierImage, PIXELS])
def test_an_optimizer_made_anew_forgets(image: Callable[..., object]) -> None:
    watch = Watch()
    fitted(Method(image, Schedule(GROWING, optimizer="reset"), ADAM), [0, 1], watch)
    assert [int(state["step"]) for state in watch.states] == [1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 4]
    assert all((state["exp_avg_sq"] >= 0).all() for state in watch.states)


@pytest.mark.parametrize(
    "optimizer",
    [
        torch.optim.AdamW,
        torch.optim.NAdam,
        torch.optim.RMSprop,
        torch.optim.Adagrad,
        torch.optim.Adadelta,
        torch.optim.Adamax,
        partial(torch.optim.SGD, momentum=0.9),
        partial(torch.optim.Adam, amsgrad=True),
    ],
)
def test_other_optimizers_stay_finite_through_upscaling(optimizer: Callable[..., object]) -> None:
    module = fitted(Method(PIXELS, Schedule(GROWING), partial(optimizer, lr=0.05)), [0, 1, 2])
    assert not module.failed.any()
    assert module.image.values.isfinite().all()
    assert module.image.size == 21


def test_pictures_are_resized_before_the_first_step_of_a_stage_and_blurred() -> None:
    class Sizes(Callback):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def on_before_backward(self, _trainer: Trainer, pl_module: FilterVisualizer, _loss: Tensor) -> None:
            self.sizes.append(pl_module.image.size)

    watch, sizes = Watch(), Sizes()
    still = partial(torch.optim.SGD, lr=1e-12)
    method = Method(partial(PIXELS, bound="none"), Schedule((Stage(12, 1), Stage(16, 1)), blur=3), still)
    fitted(method, [0], watch, sizes)
    expected = nn.functional.interpolate(watch.pictures[0], (16, 16), mode="bicubic")
    expected = nn.functional.avg_pool2d(nn.functional.pad(expected, (1, 1, 1, 1), mode="reflect"), 3, 1)
    assert sizes.sizes == [12, 16]
    torch.testing.assert_close(watch.pictures[1], expected)
