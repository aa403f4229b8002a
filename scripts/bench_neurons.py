"""The most exciting inputs of 256 simulated neurons, all at once and one at a time as neuro-mei makes them.

python scripts/bench_neurons.py ours 256               # featviz, in this environment
ENVIRONMENT/bin/python scripts/bench_neurons.py rival 256   # neuro-mei's loop, where `pip install neuro-mei` is done
python scripts/bench_neurons.py compare                # what these two have written into the folder that one stands in

Both take the same 1000 steps of gradient ascent (SGD, rate 1), each followed by scaling to an L2 norm of 10, from the
same normal noise of that norm: where a neuron has two summits, the start decides which of them is found. The neurons
are those of tests/helpers/neurons.py: 36 x 64 px, half of them simple cells, a quarter complex cells, a quarter with
divisive normalization. The second number is how many neurons, from the first on, evenly spread.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from arguments import answer_help
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(ROOT / "src")]  # the rival's environment has no featviz
from neurons import population  # noqa: E402

from featviz.filters import seed_of  # noqa: E402

SHAPE, NORM, STEPS, RATE = (36, 64), 10.0, 1000, 1.0
START = NORM / (SHAPE[0] * SHAPE[1]) ** 0.5  # the deviation of noise of that norm
FILES = {"ours": Path("neurons_ours.json"), "rival": Path("neurons_rival.json")}


def main(what: str, count: int = 256) -> None:
    """Run one side, or compare both."""
    if what == "compare":
        compare()
        return
    neurons = list(range(0, 256, 256 // count))[:count]
    before = time.perf_counter(), time.process_time()
    activations = {"ours": ours, "rival": rival}[what](neurons)
    seconds, cpu = time.perf_counter() - before[0], time.process_time() - before[1]
    results = {"seconds": seconds, "cpu": cpu, "activations": dict(zip(neurons, activations, strict=True))}
    FILES[what].write_text(json.dumps(results))
    print(f"{what}: {len(neurons)} neurons in {seconds:.1f} s, {cpu:.1f} s of the processor")


def ours(neurons: Sequence[int]) -> list[float]:
    """All neurons in one batch, by featviz."""
    import featviz

    model = featviz.Model("neurons", population(SHAPE), (0.0,), (1.0,), size=SHAPE, range="none", in_channels=1)
    settings = ["image=pixel", "image.bound=none", "image/init=model_normal", f"schedule.size=[{SHAPE[0]},{SHAPE[1]}]"]
    settings += [
        f"image.init.std={START}",
        "onednn=true",
        "projections=norm",
        f"projections.norm.rho={NORM}",
        "optimizer=sgd",
        f"optimizer.lr={RATE}",
    ]
    settings += [f"schedule.steps={STEPS}", f"batch_size={len(neurons)}", "callbacks=none", "evidence=none"]
    made = featviz.visualize(model, "output", list(neurons), "plain", overrides=[*settings, "relations=false"])
    return [row["activation"] for row in made.rows]


def rival(neurons: Sequence[int]) -> list[float]:
    """One neuron at a time, by the loop of neuro-mei."""
    from mei.optimization import MEI, optimize
    from mei.stoppers import NumIterations
    from mei.tracking import Tracker

    network = population(SHAPE).eval()
    found = []
    for number in neurons:
        start = start_of(number).requires_grad_()
        with contextlib.redirect_stdout(io.StringIO()):
            mei = MEI(
                lambda picture, number=number: network(picture)[0, number],
                start,
                torch.optim.SGD([start], lr=RATE),
                transparency=False,
                inhibitory=False,
                postprocessing=lambda picture, _: picture / picture.norm() * NORM,
            )
            picture: Tensor = optimize(mei, NumIterations(STEPS), Tracker())[1]
        found.append(network(picture)[0, number].item())
    return found


def start_of(number: int) -> Tensor:
    """The noise (1, 1, H, W) that featviz starts a neuron's picture from, whose end may depend on it."""
    generator = torch.Generator().manual_seed(seed_of(0, "output", number))
    return START * torch.randn(1, 1, *SHAPE, generator=generator)


def compare() -> None:
    """Print how much faster, and how activations compare."""
    mine, other = (json.loads(FILES[name].read_text()) for name in ("ours", "rival"))
    for name in ("seconds", "cpu"):
        one, two = (results[name] / len(results["activations"]) for results in (mine, other))
        print(f"{name}: {1000 * one:.0f} ms a neuron, one at a time {1000 * two:.0f} ms, {two / one:.1f} times as long")
    shares = torch.tensor([mine["activations"][n] / value for n, value in other["activations"].items()])
    lowest, median, highest = shares.min(), shares.median(), shares.max()
    print(f"activations over those of the loop: lowest {lowest:.4f}, median {median:.4f}, highest {highest:.4f}")


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    main(sys.argv[1], *map(int, sys.argv[2:]))
