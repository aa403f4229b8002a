"""A run's pictures in chunks, each made at the same time: how many memory holds, whose turn it is, how far it is."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.memory import memory_is_full
from featviz.runs.chunk import Chunk, ChunkResult
from featviz.runs.plan import LayerPlan, Plan
from featviz.runs.progress import ProgressReport
from featviz.runs.run import WHOLE, Shard

log = logging.getLogger(__name__)

MakeChunk = Callable[[Chunk], ChunkResult]
PrepareBackbone = Callable[[Backbone, Sequence[Sequence[int]]], str]


def divided(layer: LayerPlan, batch_size: int, shard: Shard = WHOLE) -> list[tuple[int, ...]]:
    """The filters of a layer, so many at a time, those that see each other together; of them the shard's."""
    many = batch_size // layer.together * layer.together
    chunks = [layer.filters[first : first + many] for first in range(0, len(layer.filters), many)]
    return chunks[shard.number :: shard.parts]


def iterate_chunks(
    plan: Plan, finished: Collection[tuple[str, int]], make: MakeChunk, prepare: PrepareBackbone
) -> Iterator[ChunkResult]:
    """Make the pictures of all layers, but for the filters (layer, number) that are finished.

    ``prepare`` is called with each layer's backbone and chunks before they are made; what it returns is logged. Where
    memory is too small for a chunk, the chunk is started again in halves, and so are those after it.
    """
    run = plan.run
    assert run.batch_size is not None  # found out before, where memory decides
    waiting = {
        layer: [
            rest
            for chunk in divided(layer, run.batch_size, run.shard)
            if (rest := tuple(number for number in chunk if (layer.name, number) not in finished))
        ]
        for layer in plan.layers
    }
    progress = ProgressReport(sum(len(chunk) for chunks in waiting.values() for chunk in chunks))
    for layer, chunks in waiting.items():
        if not chunks:
            continue
        backbone = plan.backbone(layer, fast=True)
        _log_once(f"{plan.model.name}: {prepare(backbone, chunks)}")
        together = layer.together
        for result in _within_memory([Chunk(backbone, layer.name, list(c), together) for c in chunks], together, make):
            yield result
            progress.add(len(result.rows))
        backbone.close()


@lru_cache(maxsize=1)
def _log_once(line: str) -> None:
    """Log it once, not for each layer and each job of a sweep."""
    log.info(line)


def _within_memory(chunks: Sequence[Chunk], together: int, make: MakeChunk) -> Iterator[ChunkResult]:
    most, waiting = max(len(chunk.filters) for chunk in chunks), list(chunks)
    while waiting:
        chunk = waiting.pop(0)
        if len(chunk.filters) > most:
            parts = range(0, len(chunk.filters), most)
            waiting[:0] = [replace(chunk, filters=chunk.filters[at : at + most]) for at in parts]
            continue
        result = _unless_memory_memory_is_full(chunk, make)
        if result:
            yield result
            continue
        if len(chunk.filters) <= together:
            raise FeatvizError(
                f"{chunk.layer}: memory does not even hold {together} picture{'s' * (together > 1)}; "
                "expected a smaller schedule.size"
            )
        most = max(len(chunk.filters) // 2 // together, 1) * together
        log.warning("%s: memory does not hold %d pictures, going on with %d", chunk.layer, len(chunk.filters), most)
        waiting.insert(0, chunk)


def _unless_memory_memory_is_full(chunk: Chunk, make: MakeChunk) -> ChunkResult | None:
    try:
        return make(chunk)
    except (RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
    # Only here, behind the error and all that it holds, can the memory be given back.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None
