"""The table of docs/networks.md, from what scripts/sweep_networks.py has found.

python scripts/networks_table.py > docs/networks.md
"""

from __future__ import annotations

import json
from typing import Any

from sweep_networks import FILE, all_names

HEAD = """# A hundred networks

Networks of torchvision and timm that nobody has tuned featviz for, at random weights, with random statistics in their
batch norms, negative scales among them. `scripts/sweep_networks.py` says what is compared, and makes this table.

Pictures have 128 px where a network takes them. *Folded* is the number of batch norms up to the last stage that are
computed inside of convolutions, and how many there are. Measured on 2026-11-26 while faults were mended: a network was
tried again where a change concerned it.

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
    lines = [HEAD, summary, "| network | layers | stages | folded | |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        stages = ", ".join(f"`{stage}`" for stage in row.get("stages", {}).values())
        lines.append(f"| {name} | {row.get('layers', '')} | {stages} | {row.get('folded', '')} | {verdicts[name]} |")
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
    found = json.loads(FILE.read_text())
    print(in_markdown({name: found[name] for name in all_names() if name in found}))
