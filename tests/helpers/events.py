"""TensorBoard's events of a run, read with TensorBoard's own reader."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2


def events_of(folder: Path) -> EventAccumulator:
    (file,) = folder.rglob("events.out.tfevents*")  # one file, whatever number of chunks the run has
    assert file.parent == folder / "tensorboard"
    events = EventAccumulator(str(file.parent), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    return events.Reload()


def hyperparameters_of(folder: Path) -> dict[str, str | float]:
    """What the HParams tab shows as chosen, in its order."""
    plugin = events_of(folder).PluginTagToContent("hparams")
    experiment, session = (
        plugin_data_pb2.HParamsPluginData.FromString(plugin[f"_hparams_/{name}"])
        for name in ("experiment", "session_start_info")
    )
    values = session.session_start_info.hparams
    names = [info.name for info in experiment.experiment.hparam_infos]
    assert set(names) == set(values)
    return {name: values[name].string_value or values[name].number_value for name in names}
