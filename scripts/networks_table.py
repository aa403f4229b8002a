"""The table of docs/networks.md, from what scripts/sweep_networks.py has found.

python scripts/networks_table.py > docs/networks.md
"""

from __future__ import annotations

import json
from typing import Any

from arguments import answer_help
from sweep_networks import FILE, all_names

HEAD = """# A hundred networks

Networks of torchvision and timm that nobody has tuned featviz for, at random weights, with random statistics in their
batch norms, negative scales among them. `scripts/sweep_networks.py` says what is compared, and makes this table.

Pictures have 128 px where a network takes them, films 8 frames of 64 px. *Folded* is the number of batch norms up to
the last stage that are computed inside of convolutions, and how many there are. A network is tried again where a change
concerns it: the last column says when it was.

Stages are the last modules at stride 4, 8, 16 and 32 on the way that all of the network goes through (its trunk), or on
the way to its smallest feature maps where that has more of them. Some networks have fewer than four:

- `fcn_resnet50` and `deeplabv3` have dilated convolutions instead of strides 16 and 32. Stages go by stride; name the
  backbone's blocks themselves, `layer=backbone.layer3`.
- `hrnet` keeps its scales side by side, and each reads all others: between `layer1` and `final_layer` there is no
  module that all goes through. Name the scale that you mean: `layer=incre_modules.1` is the last module at stride 8
  (0 to 3 are those at stride 4 to 32), `layer=stage3.0.branches.2` a branch before the scales are mixed.
- `tnt` has two streams of tokens, and its blocks return both, so that no module is its trunk before the last norm.
  Name the tensor in what a block returns: `layer='blocks.5[1]'` is its patches after the sixth block.
- `nest_tiny`, `pit_ti_224` and `visformer_tiny` have three scales, `sequencer2d_s` has two, of 7 and 14 px.

Remarks: *rounding*: a filter's picture alone is not that beside another to 40 dB after 8 steps, but is after 2, and the
gradients agree to 1e-4 in double precision: Adam makes more of rounding in each step. *told*: at random weights the
activation hardly depends on the picture; the table of the run says why the picture does not move.
"""


def in_markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table, and what it comes to."""
    verdicts = {name: verdict(row) for name, row in rows.items()}
    works, refused, wrong, fallen = (
        sum(told.startswith(word) for told in verdicts.values()) for word in ("works", "refused", "WRONG", "TRACEBACK")
    )
    summary = f"{works} of {len(rows)} work; {refused} are refused in one line"
    summary += f"; {wrong} are wrong and {fallen} end in a traceback.\n"
    lines = [HEAD, summary, "| network | layers | stages | folded | | measured |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        stages = ", ".join(f"`{stage}`" for stage in row.get("stages", {}).values())
        cells = (name, row.get("layers", ""), stages, row.get("folded", ""), verdicts[name], row["measured"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def verdict(row: dict[str, Any]) -> str:
    """Works, works with a remark, wrong, or refused with its line."""
    if row.get("wrong"):
        return "WRONG: " + "; ".join(row["wrong"])
    if "refused" in row:
        return f"refused: {row['refused']}"
    if "traceback" in row:
        return f"TRACEBACK: {row['traceback']}"
    return "; ".join(["works", *row["remarks"]])


if __name__ == "__main__":
    answer_help(__doc__)
    found = json.loads(FILE.read_text())
    print(in_markdown({name: found[name] for name in all_names() if name in found}))
