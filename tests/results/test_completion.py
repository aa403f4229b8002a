"""What is missing or damaged in a run's folder is seen, and made again by resume."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from program import PLAIN, SHORT, made, refused, run

from featviz.results.completion import begin, damaged, is_whole_png, write_checksums

SETTINGS = (*SHORT, "filters=0-2", "batch_size=1")  # a picture made alone is rounded otherwise


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def gone(path: Path) -> None:
    path.unlink()


def another(path: Path) -> None:
    """A picture as good as any, but not this one."""
    Image.new("RGB", (48, 48)).save(path)


DAMAGE = [emptied, cut, flipped, gone, another]


def files(folder: Path) -> dict[str, bytes]:
    ours = [path for path in folder.rglob("*") if path.suffix in (".png", ".npy", ".json")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in ours if path.name != "checksums.json"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_seen(damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "images/first/0000.png"
    path.parent.mkdir(parents=True)
    Image.effect_noise((48, 48), 50).save(path)
    assert is_whole_png(path)
    assert damaged(tmp_path) is None
    write_checksums(tmp_path)
    assert damaged(tmp_path) == set()
    damage(path)
    assert damaged(tmp_path) == {"images/first/0000.png"}
    if path.exists():
        assert is_whole_png(path) is (damage is another)
    begin(tmp_path, damaged(tmp_path) or ())
    assert not path.exists()
    assert damaged(tmp_path) is None


@pytest.mark.parametrize("content", ["[", "[]", "{}", '{"../x": [1, 2]}', "[" * 100_000])
def test_checksums_that_are_damaged_themselves(content: str, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text(content)
    assert damaged(tmp_path) in (None, set())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("finished"))
        return made(*SETTINGS).resolve()


@pytest.fixture
def folder(finished: Path) -> Path:
    """A copy of a finished run's."""
    return shutil.copytree(finished, Path("run"))


@pytest.mark.end_to_end
@pytest.mark.parametrize("ended", [True, False], ids=["ended", "killed"])
@pytest.mark.parametrize("damage", DAMAGE[:4])
def test_resume_makes_whatever_is_missing_or_damaged(damage: Callable[[Path], None], ended: bool, folder: Path) -> None:
    before = files(folder)
    for name in ("images/second/0001.png", "grid_second.png", "response_matrix_second.png", "responses/second.npy"):
        damage(folder / name)
    if not ended:
        (folder / "checksums.json").unlink()
    outcome = run(*SETTINGS, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert files(folder) == before
    assert damaged(folder) == set()


@pytest.mark.end_to_end
def test_hyperparameters_of_a_run_that_was_killed_at_its_end(folder: Path) -> None:
    for path in (*folder.glob("tensorboard/*"), folder / "checksums.json"):
        path.unlink()
    assert run(*SETTINGS, f"resume={folder}").status == 0
    (events,) = folder.glob("tensorboard/*")
    assert b"hp/activation" in events.read_bytes()


@pytest.mark.end_to_end
def test_spectrum_and_exemplars_go_on_and_refuse_others() -> None:
    Path("photos").mkdir()
    for number in range(3):
        Image.effect_noise((64, 64), 20 * number + 9).convert("RGB").save(f"photos/{number}.png")
    exemplars = (*SHORT[:5], "task=exemplars", "data=photos", "filters=0-1", "k=2")
    spectrum = ("task=spectrum", "data=photos", "task.size=32")
    for number, task in enumerate((exemplars, spectrum)):
        folder = Path(f"run{number}")
        assert run(*task, f"hydra.run.dir={folder}").status == 0
        before = files(folder)
        assert "all there" in run(*task, f"resume={folder}").out
        for path in (path for path in folder.rglob("*.png") if ".hydra" not in path.parts):
            path.unlink()
        assert run(*task, f"resume={folder}").status == 0
        assert files(folder) == before
        assert "another run" in refused(*task[:-1], "seed=3", f"resume={folder}")
    Image.new("RGB", (64, 64)).save("photos/1.png")
    for number, task in enumerate((exemplars, spectrum)):
        assert "other contents of data" in refused(*task, f"resume=run{number}")


@pytest.mark.end_to_end
@pytest.mark.parametrize("changed", ["weights", "photo"])
def test_other_contents_under_the_same_name_are_another_run(changed: str) -> None:
    import tiny_networks
    import torch

    Image.effect_noise((64, 64), 50).convert("RGB").save("a.png")
    torch.save(tiny_networks.Tiny().state_dict(), "w.pt")
    more = (*SETTINGS, "model.weights=w.pt", "objective=caricature", "objective.photo=a.png", *PLAIN)
    folder = made(*more)
    assert json.loads((folder / "inputs.json").read_text()).keys() == {"the network's weights", "objective.photo"}
    if changed == "photo":
        Image.effect_noise((64, 64), 51).convert("RGB").save("a.png")
    else:
        torch.save(tiny_networks.Tiny().state_dict(), "w.pt")
    assert "other contents of " in refused(*more, f"resume={folder}")
