"""What is done of a plan, and what is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from featviz.optimise import Made
from featviz.plan import Plan
from featviz.results import RunFolder
from featviz.rows import Row, key_of


@dataclass
class Work:
    """What is done of a plan: all rows, and the pictures that have been made in this process, by layer and row."""

    planned: Plan
    folder: RunFolder | None
    rows: list[Row]
    made: dict[tuple[str, int, int], Tensor] = field(default_factory=dict)

    @property
    def done(self) -> set[tuple[str, int]]:
        """Layers and numbers of the filters that have all their pictures."""
        counts = Counter((row["layer"], row["filter"]) for row in self.rows)
        variants = {layer.layer: layer.variants for layer in self.planned.layers}
        return {key for key, count in counts.items() if count >= variants.get(key[0], 1)}

    @property
    def missing(self) -> int:
        """How many pictures are not made yet."""
        return sum((layer.layer, number) not in self.done for layer in self.planned.layers for number in layer.filters)

    def add(self, made: Made) -> None:
        """Save a chunk."""
        rows = self.folder.save_chunk(made.pictures, made.rows, made.opacity) if self.folder else made.rows
        new = {key_of(row) for row in rows}
        self.rows = [row for row in self.rows if key_of(row) not in new] + rows
        self.made |= {key_of(row): picture for row, picture in zip(rows, made.pictures, strict=True)}

    def ordered(self) -> list[Row]:
        """The rows in the plan's order."""
        places = {
            (layer.layer, number): place
            for place, (layer, number) in enumerate((layer, n) for layer in self.planned.layers for n in layer.filters)
        }
        known = [row for row in self.rows if (row["layer"], row["filter"]) in places]
        return sorted(known, key=lambda row: (places[row["layer"], row["filter"]], row["variant"]))

    def pictures(self) -> Tensor:
        """The pictures (N, C, H, W) of the rows; those made elsewhere are read from their files."""
        found = []
        for row in self.ordered():
            picture = self.made.get(key_of(row))
            found.append(self.folder.load_picture(row) if picture is None and self.folder else picture)
        sizes = [picture.shape for picture in found if picture is not None]
        nothing = torch.full(sizes[0], torch.nan) if sizes else torch.empty(0)
        return torch.stack([nothing if picture is None else picture for picture in found]) if sizes else nothing
