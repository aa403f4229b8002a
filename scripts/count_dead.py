"""How many filters of each layer get a picture, and why the others do not: a table, and all rows as CSV.

    python scripts/count_dead.py --size 96 --steps 96 layer1 layer2 blocks.2.1.bn1

Runs the default recipe, but for the size and the number of steps. A layer with fewer filters gives all that it has.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from featviz.api import layers, visualize
from featviz.results.files import write_table
from featviz.results.rows import Row, columns_of

STAGES = ("layer1", "layer2", "layer3", "layer4")
#: Of the default model: the expanded convolutions (bn1) and the depthwise ones after them (bn2), behind ReLU6.
EXPANDED = tuple(f"blocks.{block}.{bn}" for block in ("1.1", "2.1", "4.2", "6.0") for bn in ("bn1", "bn2"))


def main() -> None:
    """Count layer by layer, and print the table so far after each."""
    arguments = parsed()
    listed = layers(arguments.model)
    channels = {row[name]: row["filters"] for name in ("layer", "stage") for row in listed}
    rows: list[Row] = []
    for layer in arguments.layers:
        began = time.perf_counter()
        rows += pictures(arguments, layer, min(arguments.filters, channels[layer]))
        print(line(layer, [row for row in rows if row["layer"] == layer], time.perf_counter() - began), flush=True)
        if arguments.output:
            write_table(arguments.output, columns_of(rows), rows)
    print(line("all", rows, sum(row["seconds"] for row in rows)))


def pictures(arguments: argparse.Namespace, layer: str, number: int) -> Sequence[Row]:
    """Make the pictures of so many filters of a layer, drawn at random; return their rows."""
    settings = (
        f"schedule.size={arguments.size}",
        f"schedule.steps={arguments.steps}",
        "callbacks=none",
        "evidence=none",
    )
    settings += (f"batch_size={arguments.batch_size}", *arguments.overrides)
    drawn = f"random:{number}"
    return visualize(arguments.model, layer=layer, filters=drawn, seed=arguments.seed, overrides=settings).rows


def line(layer: str, rows: Sequence[Row], seconds: float) -> str:
    """One line of the table: how many came out how, and why."""
    counts = Counter(row["status"] for row in rows)
    later = sum(row["status"] == "ok" and bool(row["reason"]) for row in rows)
    reasons = Counter(row["reason"] for row in rows if row["status"] != "ok")
    why = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    numbers = f"{len(rows):4} filters {counts['ok']:4} ok ({later} on a later start)"
    return f"{layer:16}{numbers} {counts['dead']:3} dead {counts['nan']:3} nan {seconds:6.0f} s   {why}"


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("layers", nargs="*", default=(*STAGES, *EXPANDED), help="layer or stage names")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=128, help="of the pictures, in px")
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--filters", type=int, default=64, help="so many of each layer")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="a CSV file for the rows of all pictures")
    parser.add_argument("--overrides", nargs="*", default=(), help="any other settings, as on featviz's command line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
