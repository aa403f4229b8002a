"""A run's pictures in chunks, each made at the same time: how many memory holds, whose turn it is, how far it is."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from omegaconf import DictConfig

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.runs.chunk import Chunk, ChunkResult
from featviz.runs.plan import LayerPlan, Plan
from featviz.runs.progress import ProgressReport

log = logging.getLogger(__name__)

Make = Callable[[Chunk], ChunkResult]
Settle = Callable[[Backbone, Sequence[Sequence[int]]], str]
CPU_IS_FULL = "DefaultCPUAllocator: can't allocate memory"


def divided(layer: LayerPlan, batch_size: int, shard: tuple[int, int] = (0, 1)) -> list[tuple[int, ...]]:
    """The filters of a layer, so many at a time, a filter's variants together; of them the part (number, parts)."""
    many = batch_size // layer.variants * layer.variants
    chunks = [layer.filters[first : first + many] for first in range(0, len(layer.filters), many)]
    number, parts = shard
    return chunks[number::parts]


def read_shard(text: str | None) -> tuple[int, int]:
    """``0/8`` as (0, 8): the first of eight parts.

    Raises:
        FeatvizError: it is not a part.
    """
    number, _, parts = (text or "0/1").partition("/")
    if not (number.isdecimal() and parts.isdecimal() and int(number) < int(parts)):
        raise FeatvizError(f"shard is {text}; expected a part such as 0/8, where 0/8 to 7/8 are all")
    return int(number), int(parts)


def iterate_chunks(
    cfg: DictConfig, planned: Plan, done: Collection[tuple[str, int]], make: Make, choose_compilation: Settle
) -> Iterator[ChunkResult]:
    """Make the pictures of all layers, but for the filters (layer, number) that are done.

    ``choose_compilation`` is called with each layer's backbone and chunks before they are made; what it says is told.
    Where memory is too small for a chunk, the chunk is started again in halves, and so are those after it.
    """
    shard = read_shard(cfg.shard)
    todo = {
        layer: [
            left
            for chunk in divided(layer, cfg.batch_size, shard)
            if (left := tuple(number for number in chunk if (layer.name, number) not in done))
        ]
        for layer in planned.layers
    }
    progress = ProgressReport(sum(len(chunk) for chunks in todo.values() for chunk in chunks))
    for layer, chunks in todo.items():
        if not chunks:
            continue
        backbone = planned.backbone(layer, fast=True)
        _tell(f"{planned.model.name}: {choose_compilation(backbone, chunks)}")
        for made in _within_memory([Chunk(backbone, layer.name, list(c)) for c in chunks], layer.variants, make):
            yield made
            progress.tell(len(made.rows))
        backbone.close()


@lru_cache(maxsize=1)
def _tell(line: str) -> None:
    """Say it once, not for each layer and each job of a sweep."""
    log.info(line)


def _within_memory(chunks: Sequence[Chunk], variants: int, make: Make) -> Iterator[ChunkResult]:
    most, waiting = max(len(chunk.filters) for chunk in chunks), list(chunks)
    while waiting:
        chunk = waiting.pop(0)
        if len(chunk.filters) > most:
            parts = range(0, len(chunk.filters), most)
            waiting[:0] = [replace(chunk, filters=chunk.filters[at : at + most]) for at in parts]
            continue
        made = _unless_memory_is_full(chunk, make)
        if made:
            yield made
            continue
        if len(chunk.filters) <= variants:
            raise FeatvizError(
                f"{chunk.layer}: memory does not even hold {variants} picture{'s' * (variants > 1)}; "
                "expected a smaller schedule.size"
            )
        most = max(len(chunk.filters) // 2 // variants, 1) * variants
        log.warning("%s: memory does not hold %d pictures, going on with %d", chunk.layer, len(chunk.filters), most)
        waiting.insert(0, chunk)


def _unless_memory_is_full(chunk: Chunk, make: Make) -> ChunkResult | None:
    try:
        return make(chunk)
    except (RuntimeError, MemoryError) as error:
        if not is_full(error):
            raise
    # Only here, behind the error and all that it holds, can the memory be given back.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on a device or on the host."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or CPU_IS_FULL in str(error)
