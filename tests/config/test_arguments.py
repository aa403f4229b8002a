import pytest

from featviz.config.arguments import hydra_arguments

UNNAMED = "hydra.job.config.override_dirname.exclude_keys=['experiment','debug','output','name'"


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["layer=layer3,layer4", "filters=0,3"], ["layer=[layer3,layer4]", "filters=[0,3]"]),
        (
            ["layer=[a,b]", "layer=a", "filters=0-15", "seed=1,2"],
            ["layer=[a,b]", "layer=a", "filters=0-15", "seed=1,2"],
        ),
        (["-m", "layer=a,b"], ["-m", "layer=a,b"]),
        (["+experiment=layers_sweep", "layer=a,b"], ["+experiment=layers_sweep", "layer=a,b"]),
        (
            ["seed=1", "layer=a", "layer=b,c", "-m", "filters='1,2'"],
            ["-m", "seed=1", "layer=a", "layer=b,c", "filters='1,2'", f"{UNNAMED},'seed','filters']"],
        ),
        (
            ["model.kwargs.depth=3", "seed=1,2", "-m"],
            ["-m", "++model.kwargs.depth=3", "seed=1,2", f"{UNNAMED},'model.kwargs.depth']"],
        ),
        (["seed=1", "--config-name", "x", "lr=2"], ["--config-name", "x", "seed=1", "lr=2"]),
        (["--config-path=/here", "-cp", "/there"], ["--config-path=/here", "-cp", "/there"]),
        (["+experiment=photo", "layer=a,b"], ["+experiment=photo", "layer=[a,b]"]),
        (["task=top_filters", "image=my cat's.jpg"], ["task=top_filters", "photo='my cat\\'s.jpg'"]),
        (["task=top_filters", "image=a=1, b (2).jpg"], ["task=top_filters", "photo='a=1, b (2).jpg'"]),
        (["task=top_filters", "image=a.jpg,b/c.png"], ["task=top_filters", "photo=['a.jpg','b/c.png']"]),
        (["task=top_filters", "image=fourier"], ["task=top_filters", "image=fourier"]),
        (["task=top_filters", "image=fouriar"], ["task=top_filters", "image=fouriar"]),
        (["task=top_filters", "image=paper/captum"], ["task=top_filters", "image=paper/captum"]),
        (["image=photo.jpg"], ["image=photo.jpg"]),
        (["debug=fast", "experiment=photo", "seed=1"], ["+experiment=photo", "seed=1", "+debug=fast"]),
        (
            ["+debug=fast", "experiment=layers_sweep", "layer=a,b"],
            ["+experiment=layers_sweep", "layer=a,b", "+debug=fast"],
        ),
    ],
)
def test_what_is_typed_and_what_hydra_takes(typed: list[str], taken: list[str]) -> None:
    assert hydra_arguments(typed) == taken
