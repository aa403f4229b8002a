import copy

import pytest
import torch
import torchvision
from refusals import assert_refused
from torch import Tensor, nn
from torch.nn import functional as F

import featviz
from featviz.models.backbone import Backbone
from featviz.models.model import Model

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def model(network: nn.Module, size: int = 32) -> Model:
    return Model("tiny", network, MEAN, STD, size, "random")


def normalized(pictures: Tensor) -> Tensor:
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def own_hooks(network: nn.Module, names: list[str], inputs: Tensor) -> dict[str, Tensor]:
    """The outputs of a copy of the network in which nothing works in place."""
    network, caught = copy.deepcopy(network).eval(), {}
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: caught.__setitem__(name, output.clone())
        )
    network(inputs)
    return caught


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.resnet18()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.bias, std=0.3)
                nn.init.uniform_(module.running_var, 0.5, 2)
    return network


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1))


def plain(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), *more)


@pytest.mark.parametrize(
    "names",
    [
        ["layer1.0.bn1"],
        ["conv1"],
        ["bn1", "relu"],
        ["layer2", "layer1.0.bn1", "bn1", "layer1.0.relu", "layer1.1.bn2"],
        ["layer1", "layer1.1", "layer1.1.relu"],
        ["layer4.1.bn2", "layer4", "layer3.0.downsample.1", "layer3.0.conv2"],
    ],
    ids=lambda names: "+".join(names),
)
def test_layers_are_handed_out_as_they_are_without_in_place_modules(
    resnet: nn.Module, names: list[str], pictures: Tensor
) -> None:
    maps = Backbone(model(resnet), names)(pictures)
    expected = own_hooks(resnet, names, normalized(pictures))
    assert list(maps) == names
    for name in names:
        torch.testing.assert_close(maps[name], expected[name], rtol=0, atol=0)


def test_batch_norm_is_handed_out_before_the_relu(resnet: nn.Module, pictures: Tensor) -> None:
    assert Backbone(model(resnet), ["layer1.0.bn1"])(pictures)["layer1.0.bn1"].min() < 0


def test_gradients_flow_through_layers_that_are_overwritten_in_place(resnet: nn.Module, pictures: Tensor) -> None:
    names = ["bn1", "layer1.0.bn1", "layer1.0.relu"]
    ours, theirs = pictures.clone().requires_grad_(), pictures.clone().requires_grad_()
    sum(maps.square().mean() for maps in Backbone(model(resnet), names)(ours).values()).backward()
    sum(maps.square().mean() for maps in own_hooks(resnet, names, normalized(theirs)).values()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_nothing_is_computed_after_the_last_layer() -> None:
    network = plain(nn.Conv2d(4, 5, 3), nn.Conv2d(5, 6, 3), nn.Conv2d(6, 7, 3))
    backbone, calls = Backbone(model(network), ["3", "1"]), []
    network = backbone.network
    for name, module in network.named_children():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    backbone(torch.rand(1, 3, 32, 32))
    assert calls == ["0", "1", "2"]  # the hooks of module 3 end with the backbone's own
    network(torch.rand(1, 3, 32, 32))
    assert calls[3:] == ["0", "1", "2", "3", "4", "5"]


def test_backbones_that_share_a_network_do_not_stop_each_other(pictures: Tensor) -> None:
    shared = model(plain(nn.Conv2d(4, 5, 3)))
    early, late = Backbone(shared, ["0"]), Backbone(shared, ["3"])
    expected = own_hooks(shared.network, ["0", "3"], normalized(pictures))
    for _ in range(2):
        assert torch.equal(late(pictures)["3"], expected["3"])
        assert torch.equal(early(pictures)["0"], expected["0"])
    assert torch.equal(shared.network(normalized(pictures)), expected["3"])


def test_a_pass_that_fails_leaves_the_network_usable(pictures: Tensor) -> None:
    backbone = Backbone(model(plain(nn.Conv2d(4, 5, 9))), ["0", "3"])
    with pytest.raises(RuntimeError):
        backbone(pictures[:, :, :8, :8])
    assert backbone.network(pictures).shape[1] == 5
    assert backbone(pictures)["3"].shape[1] == 5


def test_the_backbone_stays_in_eval_mode_whatever_is_asked(pictures: Tensor) -> None:
    given = model(plain(nn.Dropout(0.5), nn.Conv2d(4, 2, 1)))
    given.network.train()
    backbone = Backbone(given, ["4"])
    assert not any(module.training for module in backbone.modules())
    state = copy.deepcopy(backbone.network.state_dict())
    before = backbone(pictures)["4"]
    assert backbone.train() is backbone
    nn.ModuleList([backbone]).train()
    assert not any(module.training for module in backbone.modules())
    assert torch.equal(backbone(pictures)["4"], before)
    torch.testing.assert_close(backbone(pictures[:1])["4"], before[:1])
    assert all(torch.equal(state[name], value) for name, value in backbone.network.state_dict().items())


def test_pictures_are_normalized_channel_by_channel(pictures: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))
    nn.init.dirac_(network[0].weight)
    maps = Backbone(model(network), ["0"])(pictures)["0"]
    expected = (pictures.numpy() - [[[[m]] for m in MEAN]]) / [[[[s]] for s in STD]]
    torch.testing.assert_close(maps, torch.tensor(expected, dtype=torch.float32))


class OneSize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.patches = nn.AvgPool2d(4)
        self.tokens = nn.Identity()
        self.head = nn.Linear(32 * 32, 2)
        nn.init.dirac_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        grid = self.patches(maps).flatten(2).mT
        self.tokens(torch.cat([grid.mean(1, keepdim=True), grid], 1))
        return self.head(maps.flatten(2))


@pytest.mark.parametrize("size", [16, 24, 32, 50, 97])
def test_a_network_of_one_size_gets_resampled_pictures(size: int) -> None:
    backbone = Backbone(model(OneSize(), 32), ["conv", "tokens"])
    pictures = torch.rand(2, 3, size, size)
    maps = backbone(pictures)
    resampled = F.interpolate(pictures, (32, 32), mode="bilinear", antialias=True)
    expected = normalized(pictures if size == 32 else resampled)
    torch.testing.assert_close(maps["conv"], expected)
    torch.testing.assert_close(maps["tokens"], F.avg_pool2d(expected, 4))


def test_other_networks_see_the_pictures_as_they_are(pictures: Tensor) -> None:
    backbone = Backbone(model(plain()), ["0"])
    assert backbone.resized(pictures) is pictures


def test_the_gradient_reaches_the_pictures_and_no_weights(pictures: Tensor) -> None:
    backbone = Backbone(model(plain()), ["2"])
    pictures.requires_grad_()
    backbone(pictures)["2"].sum().backward()
    assert (pictures.grad != 0).any()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("network", "size", "least"),
    [
        (plain(nn.Conv2d(4, 4, 7)), 8, 16),
        (plain(nn.Unfold(3), nn.Unflatten(1, (4, 9))), 2, 8),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(4), nn.Conv2d(4, 4, 1)), 3, 8),
    ],
)
def test_sizes_that_are_too_small_are_refused_in_one_line(network: nn.Module, size: int, least: int) -> None:
    backbone = Backbone(model(network), [[name for name, _ in network.named_children()][-1]])
    backbone.check_size(32)
    assert_refused(lambda: backbone.check_size(size), "schedule.size", size, f"{least} px or more")


def test_size_matters_only_up_to_the_layer() -> None:
    Backbone(model(plain(nn.Conv2d(4, 4, 7))), ["1"]).check_size(4)


def test_closing_takes_the_hooks_off() -> None:
    backbone = Backbone(model(plain()), ["0", "1"])
    assert sum(len(module._forward_hooks) for module in backbone.network.modules()) == 2
    backbone.close()
    assert not any(module._forward_hooks for module in backbone.network.modules())


def test_two_names_of_one_layer_hand_out_the_same(pictures: Tensor) -> None:
    given = Model("tiny", plain(), MEAN, STD, 32, "random", {"layer1": "1"})
    maps = Backbone(given, ["layer1", "1"])(pictures)
    assert torch.equal(maps["layer1"], maps["1"])


def test_a_layer_that_does_not_exist_is_refused() -> None:
    assert_refused(lambda: Backbone(model(OneSize()), ["conv", "convv"]), "layer", "convv", "conv")


class OneAtATime(nn.Module):
    """Takes one picture and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[0].view(1, *x.shape[1:]) if len(x) == 1 else x.view(1, *x.shape[1:]))


def test_a_picture_gets_the_same_numbers_alone_as_beside_another(resnet: nn.Module, pictures: Tensor) -> None:
    backbone = Backbone(model(resnet), ["layer3"])
    gradients, maps = [], []
    for batch in (pictures[:1], pictures):
        leaf = batch.clone().requires_grad_()
        maps.append(backbone(leaf)["layer3"][:1])
        maps[-1].square().sum().backward()
        gradients.append(leaf.grad[:1])
    assert torch.equal(*maps)
    assert torch.equal(*gradients)


def test_a_network_for_one_picture_gets_it_alone(pictures: Tensor) -> None:
    network = OneAtATime()
    backbone = Backbone(model(network), ["conv"])
    for _ in range(2):
        torch.testing.assert_close(backbone(pictures[:1])["conv"], network.conv(normalized(pictures[:1])))


def test_mean_and_std_lie_where_the_network_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featviz.models.backbone.device_of", lambda _network: torch.device("meta"))
    assert Backbone(model(plain()), ["0"]).mean.is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_network_on_a_gpu_is_taken_as_it_is_twice() -> None:
    network = plain().cuda()
    for _ in range(2):
        made = featviz.visualize(network, "0", [0], overrides=["schedule.size=32", "schedule.steps=2"])
        assert made.rows[0]["status"] == "ok"
        assert featviz.activations(network, torch.rand(1, 3, 32, 32), "0")["0"].is_cuda
    assert all(parameter.is_cuda for parameter in network.parameters())
