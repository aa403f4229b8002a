"""Chunks of pictures: shards, memory that is full, how far a run is."""

import logging
from pathlib import Path

import pytest
import torch
from pictures import pngs
from program import PLAIN, SHORT, TINY, made, refused, run
from tiny_networks import Small, SmallHost

from featviz.config.compose import compose_default
from featviz.models.memory import memory_is_full
from featviz.results.folder import read_rows
from featviz.runs.batch_size import bytes_per_picture, find_batch_size, free_bytes
from featviz.runs.build import build_run
from featviz.runs.chunks import divided
from featviz.runs.plan import LayerPlan, make_plan
from featviz.runs.progress import ProgressReport, duration
from featviz.runs.run import WHOLE, Shard

CPU = torch.device("cpu")


def layer(filters: int, variants: int = 1) -> LayerPlan:
    return LayerPlan("x", ("x",), tuple(n for n in range(filters) for _ in range(variants)), variants)


@pytest.mark.parametrize(("filters", "batch_size", "parts"), [(10, 4, 3), (7, 1, 2), (5, 32, 4), (64, 3, 8)])
def test_shards_are_a_partition_of_the_chunks(filters: int, batch_size: int, parts: int) -> None:
    shards = [divided(layer(filters), batch_size, Shard(number, parts)) for number in range(parts)]
    assert sorted(chunk for shard in shards for chunk in shard) == divided(layer(filters), batch_size)
    assert [number for chunk in divided(layer(filters), batch_size) for number in chunk] == list(range(filters))
    assert max(map(len, divided(layer(filters), batch_size))) <= batch_size


def test_a_filters_variants_stay_together() -> None:
    assert divided(layer(3, 4), 10) == [(0, 0, 0, 0, 1, 1, 1, 1), (2, 2, 2, 2)]


def test_pictures_that_see_each_other_stay_together() -> None:
    row = LayerPlan("x", ("x",), tuple(range(5)), 1, all_together=True)
    assert divided(row, 12) == [(0, 1, 2, 3, 4)]


ALIGNED = ("objective=alignment", "objective.ends=[3,7]", "objective.pictures=5", "objective.weight=0.01")


@pytest.mark.end_to_end
def test_a_row_of_aligned_pictures_is_made_at_once() -> None:
    assert refused(*SHORT, *ALIGNED, "batch_size=4").endswith("batch_size is 4; expected batch_size=5 or more")
    folder = made(*SHORT, *ALIGNED, *PLAIN, "batch_size=8", output="aligned")
    assert [row["filter"] for row in read_rows(folder)] == list(range(5))


@pytest.mark.end_to_end
@pytest.mark.parametrize("text", ["9/8", "8/8", "x", "1/", "-1/8", "1/0", "0/"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    assert refused(*SHORT, f"shard={text}") == f"shard is {text}; expected a part such as 0/8, where 0/8 to 7/8 are all"
    assert not list(Path("outputs").rglob("images")) + list(Path("outputs").glob("*/*/config.yaml"))


@pytest.mark.end_to_end
def test_a_shard_makes_its_part() -> None:
    settings = (*SHORT, *PLAIN, "callbacks=default", "filters=0-9", "batch_size=2")
    whole = made(*settings, output="whole")
    parts = [made(*settings, f"shard={n}/3", output=f"part{n}") for n in range(3)]
    assert [[row["filter"] for row in read_rows(part)] for part in parts] == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5]]
    together: dict[str, bytes] = {}
    for part in parts:
        together |= pngs(part)
    assert together == pngs(whole)
    assert Shard.read(None) == WHOLE


OWN = ("model=own", "model.weights=random", "model.size=48", "layer=first", "schedule.size=32", "schedule.steps=2")


@pytest.mark.end_to_end
@pytest.mark.parametrize("network", ["Small", "SmallHost"])
def test_where_memory_is_full_the_chunk_is_started_again_in_halves(network: str) -> None:
    settings = (*OWN, f"model.target=tiny_networks.{network}", "filters=0-6", "restarts=0")
    outcome = run(*settings, "batch_size=7")
    assert outcome.status == 0, outcome
    assert "memory does not hold 7 pictures, going on with 3" in outcome.out
    assert outcome.out.count("memory does not hold") == 1
    (folder,) = Path("outputs").glob("*/*")
    assert [row["filter"] for row in read_rows(folder)] == list(range(7))
    assert pngs(folder) == pngs(made(*settings, "batch_size=3", output="other"))


@pytest.mark.end_to_end
def test_where_not_even_one_fits_this_is_said() -> None:
    line = refused(*OWN, "model.target=tiny_networks.NoRoom", "filters=[0]", "batch_size=1", "callbacks=none")
    assert line == "first: memory does not even hold 1 picture; expected a smaller schedule.size"


def test_what_is_full_and_what_is_only_wrong() -> None:
    assert memory_is_full(Small.word)
    assert memory_is_full(SmallHost.word)
    assert memory_is_full(MemoryError())
    assert not memory_is_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def planned(*overrides: str) -> tuple[object, object]:
    cfg = compose_default([*TINY, "layer=second", "filters=[0]", *overrides])
    found = make_plan(build_run(cfg))
    return found, found.layers[0]


def test_a_pictures_memory_grows_with_its_area() -> None:
    sizes = [bytes_per_picture(*planned(f"schedule.size={size}", "transforms=none"), CPU) for size in (64, 128)]  # type: ignore[arg-type]
    assert 3.5 < sizes[1] / sizes[0] < 4.5
    assert sizes[0] > 3 * 64 * 64 * 4


def test_a_small_memory_gets_a_small_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    found, first = planned("schedule.size=64")
    each = bytes_per_picture(found, first, CPU)  # type: ignore[arg-type]
    for pictures, expected in ((10.1, 7), (0.1, 1), (1e6, 32)):
        monkeypatch.setattr("featviz.runs.batch_size.free_bytes", lambda _, much=pictures * each: much)
        assert find_batch_size(found, CPU) == expected  # type: ignore[arg-type]


def test_free_memory_of_the_host() -> None:
    assert 2**26 < free_bytes(CPU) < 2**45


@pytest.mark.end_to_end
def test_batch_size_auto_is_measured_and_kept_in_the_configuration() -> None:
    outcome = run(*SHORT, *PLAIN, "batch_size=auto")
    assert outcome.status == 0
    assert "batch_size: 32 (a picture takes " in outcome.out
    (folder,) = Path("outputs").glob("*/*")
    assert "\nbatch_size: 32\n" in (folder / "config.yaml").read_text()


@pytest.mark.end_to_end
@pytest.mark.parametrize("size", ["0", "-3", "some", "2.5"])
def test_what_is_no_batch_size_is_refused(size: str) -> None:
    assert refused(*SHORT, f"batch_size={size}").startswith(f"batch_size is {size}; expected ")


def test_progress(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    with caplog.at_level(logging.INFO):
        progress = ProgressReport(320)
        progress.add(32)
        progress.add(128)
    assert [record.getMessage() for record in caplog.records] == [
        "32 of 320 pictures, 32.0 a minute, 9 min left",
        "160 of 320 pictures, 80.0 a minute, 2 min left",
    ]
    assert [duration(seconds) for seconds in (3, 89, 600, 20000)] == ["3 s", "89 s", "10 min", "5 h 33 min"]
