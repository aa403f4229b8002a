import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pytest
import torch
from refusals import assert_refused, refusal_of

from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.models.sources import timm, torchvision

NAME = "squeezenet1_1"


class Mirror(ThreadingHTTPServer):
    """Serves ``files`` by path; announces ``missing`` bytes more than it sends."""

    files: dict[str, bytes]
    missing = 0
    asked = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked += 1
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + self.server.missing))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def original() -> Model:
    return torchvision.load(NAME, weights="random", seed=7)


@pytest.fixture(scope="module")
def content(original: Model) -> bytes:
    file = io.BytesIO()
    torch.save(original.network.state_dict(), file)
    return file.getvalue()


@pytest.fixture
def mirror(content: bytes) -> Iterator[Mirror]:
    server = Mirror(("127.0.0.1", 0), Handler)
    server.files = {"/plain.pth": content, f"/net-{hashlib.sha256(content).hexdigest()[:8]}.pth": content}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def refused(url: str) -> FeatvizError:
    error = refusal_of(lambda: torchvision.load(NAME, url=url))
    assert error.setting == "model.url"
    return error


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


@pytest.mark.parametrize("hashed", [True, False])
def test_weights_are_downloaded_once(
    mirror: Mirror, original: Model, cache: Path, capsys: pytest.CaptureFixture[str], hashed: bool
) -> None:
    path = next(path for path in mirror.files if ("net-" in path) == hashed)
    for _ in range(2):
        model = torchvision.load(NAME, url=mirror.address + path)
        expected = original.network.state_dict()
        assert all(torch.equal(tensor, expected[key]) for key, tensor in model.network.state_dict().items())
        assert model.weights == "pretrained"
    assert mirror.asked == 1
    assert kept(cache) == [path[1:]]
    assert capsys.readouterr() == ("", "")


def test_torchvisions_own_address_is_taken_without_another(cache: Path, content: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "squeezenet1_1-b8a52dc0.pth").write_bytes(content)
    assert torchvision.load(NAME).weights == "pretrained"


@pytest.mark.parametrize("name", ["/plain.pth", "/net-00000000.pth"])
def test_what_was_cut_short_is_not_kept(mirror: Mirror, cache: Path, content: bytes, name: str) -> None:
    mirror.files[name], mirror.missing = content[:-1000], 1000
    assert refused(mirror.address + name).got == mirror.address + name
    assert kept(cache) == []
    mirror.files["/plain.pth"], mirror.missing = content, 0
    torchvision.load(NAME, url=mirror.address + "/plain.pth")


def test_a_file_with_another_hash_than_its_name_says(mirror: Mirror, cache: Path, content: bytes) -> None:
    mirror.files["/net-01234567.pth"] = content
    assert str(cache / "net-01234567.pth") in refused(mirror.address + "/net-01234567.pth").hint
    assert kept(cache) == []


def test_a_page_instead_of_a_file(mirror: Mirror, cache: Path) -> None:
    mirror.files["/login.pth"] = b"<html>Please log in</html>"
    assert refused(mirror.address + "/login.pth").got == mirror.address + "/login.pth"
    assert kept(cache) == []


def test_a_mirror_without_the_file_says_where_to_put_it(mirror: Mirror, cache: Path) -> None:
    url = mirror.address + "/nowhere.pth"
    error = refused(url)
    assert error.got == url
    assert isinstance(error.__cause__, HTTPError)
    assert str(cache / "nowhere.pth") in error.hint
    assert "model.weights=PATH" in error.hint
    assert kept(cache) == []


def test_no_server_at_all(cache: Path) -> None:
    assert str(cache / "net.pth") in refused("http://127.0.0.1:9/net.pth").hint
    assert kept(cache) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://127.0.0.1:9/net.zip", "net.pth", "ftp:/net.pth"])
def test_addresses_that_are_none(url: str, cache: Path) -> None:
    error = refused(url)
    assert (error.got, error.hint) == (url, "")
    assert kept(cache) == []


def test_an_address_may_be_a_file(tmp_path: Path, content: bytes, cache: Path) -> None:
    (tmp_path / "shared.pth").write_bytes(content)
    torchvision.load(NAME, url=(tmp_path / "shared.pth").as_uri())
    assert kept(cache) == ["shared.pth"]


def test_a_cached_file_that_is_damaged_is_named(mirror: Mirror, cache: Path, content: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "plain.pth").write_bytes(content[:-1000])
    assert refused(mirror.address + "/plain.pth").got == cache / "plain.pth"
    assert mirror.asked == 0
    (cache / "plain.pth").unlink()
    torchvision.load(NAME, url=mirror.address + "/plain.pth")


def test_a_folder_that_cannot_be_written(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "hub").write_text("a file where the folder should be")
    assert isinstance(refused(mirror.address + "/plain.pth").__cause__, OSError)


def test_weights_of_another_network(mirror: Mirror) -> None:
    mirror.files["/other.pth"] = mirror.files["/plain.pth"]
    address = mirror.address + "/other.pth"
    assert_refused(lambda: torchvision.load("shufflenet_v2_x0_5", url=address), "model.weights", address, "")


def test_timm_takes_an_address_too(mirror: Mirror) -> None:
    network = timm.load("test_resnet", weights="random", seed=2).network
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    mirror.files["/timm.pth"] = file.getvalue()
    model = timm.load("test_resnet", url=mirror.address + "/timm.pth")
    assert torch.equal(model.network.conv1[0].weight, network.conv1[0].weight)
    assert "state_dict" not in model.network.pretrained_cfg
    error = refusal_of(lambda: timm.load("test_resnet", url=mirror.address + "/nowhere.pth"))
    assert (error.setting, error.got) == ("model.url", mirror.address + "/nowhere.pth")
    error = refusal_of(lambda: timm.load("test_vit", url=mirror.address + "/plain.pth"))
    assert (error.setting, error.got) == ("model.name", "test_vit")
