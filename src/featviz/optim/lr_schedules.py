"""How the learning rate changes over the steps. Each is called with the optimizer and the number of all steps.

Rates are shares of the optimizer's own. They run over the whole schedule, even where the optimizer starts anew at each
size.
"""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from featviz.errors import FeatvizError, within


def cosine(optimizer: Optimizer, total_steps: int, end: float = 0.0) -> LambdaLR:
    """Half a cosine from the whole rate down to the share ``end`` of it (Loshchilov, Hutter 2017, arXiv 1608.03983)."""
    return warmup_cosine(optimizer, total_steps, share=0.0, end=end)


def warmup(optimizer: Optimizer, total_steps: int, share: float = 0.05) -> LambdaLR:
    """From nothing to the whole rate, linearly over the first ``share`` of the steps, then constant."""
    _check_share(share)
    return warmup_cosine(optimizer, total_steps, share=share, end=1.0)


def warmup_cosine(optimizer: Optimizer, total_steps: int, share: float = 0.05, end: float = 0.0) -> LambdaLR:
    """Linearly up over the first ``share`` of the steps, then half a cosine down to the share ``end`` of the rate.

    The first step already has a rate above zero (Goyal et al. 2017, arXiv 1706.02677).
    """
    _check_share(share)
    within("lr_schedule.end", end, 0, 1, "a share of the learning rate, from 0 to 1")
    rising = round(share * total_steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        done = min((step - rising) / (total_steps - rising), 1.0) if total_steps > rising else 1.0
        return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, factor)


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise FeatvizError(setting="lr_schedule.share", got=share, expected="a share of all steps, from 0 to below 1")
