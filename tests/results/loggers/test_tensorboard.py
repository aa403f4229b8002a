"""What TensorBoard is sent, read back with TensorBoard's own reader."""

import pytest
from events import events_of, hyperparameters_of
from omegaconf import OmegaConf
from program import SHORT, made

from featviz.results.folder import read_rows

GRID = "grid/second/0000"
STEPS = ["schedule.steps=5", "callbacks.log.numbers_every=2", "callbacks.log.pictures_every=3"]

PLAINLY = ("objective=channel", "lr_schedule=constant")  # scores are activations, at one rate


def steps(entries: list) -> list[int]:
    return [entry.step for entry in entries]


@pytest.mark.end_to_end
def test_pictures_and_numbers_come_at_their_steps_and_after_the_last() -> None:
    events = events_of(
        made(*SHORT, *STEPS, *PLAINLY, "filters=[0,3]", "image=pixel", "regularizers=total_variation", "evidence=none")
    )
    tags = events.Tags()
    assert set(tags["images"]) == {GRID, "second/0000", "second/0003"}
    assert all(steps(events.Images(tag)) == [0, 3, 5] for tag in tags["images"])
    assert set(tags["scalars"]) == {
        "activation/second/0000",
        "activation/second/0003",
        "loss/second/0000/score",
        "loss/second/0000/total_variation",
        "size",
        "lr",
        "hp/activation",
    }
    assert all(steps(events.Scalars(tag)) == [2, 4, 5] for tag in tags["scalars"] if tag != "hp/activation")
    assert [entry.value for entry in events.Scalars("size")] == [40] * 3
    assert [entry.value for entry in events.Scalars("lr")] == pytest.approx([0.05] * 3)
    both = zip(events.Scalars("activation/second/0000"), events.Scalars("activation/second/0003"), strict=True)
    scores = [-first.value - second.value for first, second in both]
    assert [entry.value for entry in events.Scalars("loss/second/0000/score")] == pytest.approx(scores, rel=1e-5)


@pytest.mark.end_to_end
@pytest.mark.parametrize(("filters", "single"), [("0-15", 16), ("0-16", 0)])
def test_single_pictures_up_to_sixteen(filters: str, single: int) -> None:
    events = events_of(made(*SHORT, f"filters={filters}", "schedule.steps=1", "evidence=none"))
    tags = events.Tags()["images"]
    assert GRID in tags
    assert len(tags) - 1 == single


@pytest.mark.end_to_end
def test_several_chunks_and_layers_share_one_file_and_no_curve() -> None:
    events = events_of(made(*SHORT, *STEPS, "layer=[first,second]", "filters=0-2", "batch_size=2"))
    chunks = ["first/0000", "first/0002", "second/0000", "second/0002"]
    assert [tag for tag in events.Tags()["images"] if tag.startswith("grid/")] == [f"grid/{name}" for name in chunks]
    assert all(steps(events.Scalars(f"loss/{name}/score")) == [2, 4, 5] for name in chunks)


@pytest.mark.end_to_end
def test_sizes_follow_the_schedule() -> None:
    schedule = ["schedule=octaves", "schedule.number=2", "schedule.size=60", "schedule.steps=4", "schedule.factor=1.5"]
    events = events_of(made(*SHORT[:-2], *schedule, "callbacks.log.numbers_every=1"))
    assert [entry.value for entry in events.Scalars("size")] == [40, 40, 60, 60]


@pytest.mark.end_to_end
def test_the_hparams_tab_has_what_was_chosen_and_the_final_mean_activation() -> None:
    folder = made(*SHORT, "optimizer.lr=0.02", "seed=3")
    events = events_of(folder)
    rows = read_rows(folder)
    mean = sum(row["activation"] for row in rows) / len(rows)
    assert [entry.value for entry in events.Scalars("hp/activation")] == pytest.approx([mean])
    assert steps(events.Scalars("hp/activation")) == [3]
    plugin = events.PluginTagToContent("hparams")
    assert set(plugin) == {
        "_hparams_/experiment",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    }
    assert hyperparameters_of(folder) == {
        "model": "Tiny",
        "layer": "second",
        "recipe": "clear",
        "lr": 0.02,
        "sizes": 1,
        "steps": 3,
        "size": 40,
        "seed": 3,
    }


@pytest.mark.end_to_end
def test_the_text_tab_has_the_whole_configuration_unchanged() -> None:
    name = "name='<b>_*odd*_ name'"
    folder = made(*SHORT, name)
    (tensor,) = events_of(folder).Tensors("config/text_summary")
    text = tensor.tensor_proto.string_val[0].decode()
    lines = text.splitlines()
    assert all(line.startswith("    ") for line in lines)  # to Markdown it is code, not markup
    shown = OmegaConf.create("\n".join(line.removeprefix("    ") for line in lines))
    written = OmegaConf.load(folder / "config.yaml")
    del written["defaults"]
    assert shown == written
    assert shown.name == "<b>_*odd*_ name"


@pytest.mark.end_to_end
def test_a_logger_may_be_lightnings_own() -> None:
    folder = made(*SHORT, "logger.tensorboard._target_=lightning.pytorch.loggers.TensorBoardLogger")
    assert list((folder / "tensorboard").glob("events.out.tfevents*"))
