"""What the evidence costs: the same run with and without it, one after the other, as a share of its time.

python scripts/bench_evidence.py                                # the default recipe, 8 filters of layer3
python scripts/bench_evidence.py layer=layer2 filters=0-31      # any settings
"""

from __future__ import annotations

import sys
import time
from statistics import median

from arguments import answer_help

from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.tasks.visualize import visualize

ROUNDS = 3


def main(settings: list[str]) -> None:
    """Time the runs in turns, and print medians."""
    chosen = ["layer=layer3", "logger=none", "callbacks=none", *settings]
    ways = {name: compose_default([*chosen, f"evidence={name}"]) for name in ("none", "default")}
    model = build_model(ways["none"])
    visualize(compose_default([*chosen, "schedule.steps=2"]), None, model)  # what is slow only once
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, cfg in ways.items():
            began = time.perf_counter()
            visualize(cfg, None, model)
            seconds[name].append(time.perf_counter() - began)
    without, with_it = (median(seconds[name]) for name in ("none", "default"))
    print(f"without {without:.2f} s, with evidence {with_it:.2f} s: {100 * (with_it / without - 1):.1f} % more")


if __name__ == "__main__":
    answer_help(__doc__)
    main(sys.argv[1:])
