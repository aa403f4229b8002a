from featviz.models.sources.told import weights_name


def test_weights_are_called_by_their_file_and_by_the_network_in_it_that_was_chosen() -> None:
    assert weights_name("runs/last.pth", None) == "runs/last.pth"
    assert weights_name("runs/last.pth", "ema") == "runs/last.pth [ema]"
