"""What happens beside the optimization: upscaling, guards, progress, logged pictures."""

from lightning import Callback

from featviz.objectives.base import Objective
from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.callbacks.best import KeepBest
from featviz.optim.callbacks.checkpoint import ImageCheckpoint
from featviz.optim.callbacks.finite import FiniteGuard
from featviz.optim.callbacks.frames import Frames
from featviz.optim.callbacks.image_logger import ImageLogger
from featviz.optim.callbacks.progress import ProgressBar
from featviz.optim.callbacks.pruning import Pruning
from featviz.optim.callbacks.updates import Gradients, Projections
from featviz.optim.callbacks.upscaling import Upscaling
from featviz.optim.method import Method

__all__ = [
    "FiniteGuard",
    "Frames",
    "Gradients",
    "ImageCheckpoint",
    "ImageLogger",
    "KeepBest",
    "PictureCallback",
    "ProgressBar",
    "Projections",
    "Pruning",
    "Upscaling",
    "required_callbacks",
]


def required_callbacks(method: Method, objective: Objective) -> list[Callback]:
    """The callbacks without which a method is not what it is: one with nothing to do would take time at each step."""
    needed: list[tuple[type[Callback], bool]] = [
        (Upscaling, len(method.schedule.stages) > 1),
        (FiniteGuard, True),
        (Gradients, bool(method.image_gradients)),
        (Projections, bool(method.projections)),
        (KeepBest, objective.keeps_best),
    ]
    return [callback() for callback, is_needed in needed if is_needed]
