"""What happens beside the optimization: upscaling, guards, progress, logged pictures."""

from lightning import Callback

from featviz.optim.callbacks.finite import FiniteGuard
from featviz.optim.callbacks.updates import Gradients, Projections
from featviz.optim.callbacks.upscaling import Upscaling
from featviz.optim.method import Method


def required_callbacks(method: Method) -> list[Callback]:
    """The callbacks without which a method is not what it is: one with nothing to do would take time at each step."""
    wanted: list[tuple[type[Callback], bool]] = [
        (Upscaling, len(method.schedule.stages) > 1),
        (FiniteGuard, True),
        (Gradients, bool(method.gradients)),
        (Projections, bool(method.projections)),
    ]
    return [callback() for callback, needed in wanted if needed]
