"""TensorBoard's events of a run, read with TensorBoard's own reader."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def events_of(folder: Path) -> EventAccumulator:
    (file,) = folder.rglob("events.out.tfevents*")  # one file, whatever number of chunks the run has
    assert file.parent == folder / "tensorboard"
    events = EventAccumulator(str(file.parent), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    return events.Reload()
