"""All pictures of a layer as columns, with their thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError, printable
from featviz.pages.encoding import rounded
from featviz.pages.run_folder import Picture
from featviz.pages.sources import Source
from featviz.pages.sprites import Sprites, make_sprites
from featviz.results.frames import find_frames, is_whole_webp

MISSING = "missing"  # the status of a picture whose file is not there, or damaged
STATUSES = ("ok", "dead", "nan", MISSING)
STRONGEST_PHOTO, TIMES_PHOTO = "natural_max", "times_photo"


@dataclass(frozen=True)
class Shown:
    """A picture with the run that it comes from."""

    source: Source
    picture: Picture

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its metrics, with the activation as a multiple of that of the strongest photo."""
        metrics = self.picture.metrics
        strongest, activation = metrics.get(STRONGEST_PHOTO, 0.0), metrics.get("activation")
        if activation is None or strongest <= 0:
            return metrics
        return {**metrics, TIMES_PHOTO: activation / strongest}


def pictures_of(sources: Sequence[Source], module: str) -> list[Shown]:
    """The pictures of a layer: by unit, then by run, then by variant."""
    found = [
        (number, source.number, picture.record.variant, Shown(source, picture))
        for source in sources
        for (of_module, number), pictures in source.data.pictures.items()
        if of_module == module
        for picture in pictures
    ]
    return [shown for *_, shown in sorted(found, key=lambda item: item[:3])]


def picture_sprites(pictures: Sequence[Shown], save: Callable[[int, bytes], str]) -> Sprites:
    """Make the pictures' thumbnails; a damaged file is noted in its run."""
    paths = [_path(shown) for shown in pictures]
    sprites = make_sprites(paths, save)
    for at, error in sprites.errors.items():
        pictures[at].source.damaged[pictures[at].picture.record.image] = error
    return sprites


def _path(shown: Shown) -> Path | None:
    name = shown.picture.record.image
    return shown.source.data.folder / name if shown.source.addresses.of(name) else None


def columns_of(pictures: Sequence[Shown], sprites: Sprites) -> dict[str, Any]:
    """Pictures as columns of equal length, as the layer's data has them; the films', where there are any."""
    films = [_film_address(shown) for shown in pictures]
    names = dict.fromkeys(name for shown in pictures for name in shown.metrics)
    all_metrics = [shown.metrics for shown in pictures]
    return {
        "unit": [shown.picture.record.filter for shown in pictures],
        "run": [shown.source.number for shown in pictures],
        "variant": [shown.picture.record.variant for shown in pictures],
        "negative": [int(shown.picture.record.objective == "negative") for shown in pictures],
        "status": [_status(shown, at in sprites.errors) for at, shown in enumerate(pictures)],
        "weak": [int(shown.picture.is_weak) for shown in pictures],
        "clear": [int(at in sprites.clear) for at in range(len(pictures))],
        "reason": [printable(shown.picture.record.reason) for shown in pictures],
        "sprite": [place.sprite for place in sprites.places],
        "cell": [place.cell for place in sprites.places],
        "image": [shown.source.addresses.of(shown.picture.record.image) for shown in pictures],
        **({"film": films} if any(films) else {}),
        "metrics": {name: [rounded(metrics.get(name)) for metrics in all_metrics] for name in names},
    }


def frames_of(pictures: Sequence[Shown]) -> dict[int, dict[str, Any]]:
    """Of each unit the frames of its pictures, by the picture's place among all: steps, addresses, and all steps.

    Frames of a watched training are of its epochs, or of its steps. A frame that was cut short is noted in its run.
    """
    found: dict[int, dict[str, Any]] = {}
    for at, shown in enumerate(pictures):
        frames = [(step, address) for step, name in _frames(shown) if (address := _webp_address(shown.source, name))]
        if frames:
            record, word = shown.picture.record, "epoch" if "epoch" in shown.metrics else "step"
            of_picture = {"steps": [step for step, _ in frames], "files": [file for _, file in frames], "word": word}
            total = int(shown.metrics.get(word, record.steps))
            found.setdefault(record.filter, {})[str(at)] = {**of_picture, "total": total}
    return found


def _frames(shown: Shown) -> Iterator[tuple[int, str]]:
    image = shown.picture.record.image
    if image:
        with suppress(FeatvizError, OSError):  # behind a link that leads out of the folder
            yield from find_frames(shown.source.data.folder, image).items()


def _film_address(shown: Shown) -> str:
    """The address of the film beside a strip of its frames; empty where there is none."""
    image = shown.picture.record.image
    return _webp_address(shown.source, f"{image.removesuffix('.png')}.webp", optional=True) if image else ""


def _webp_address(source: Source, name: str, optional: bool = False) -> str:
    """The address of a frame or a film; empty for one that is damaged."""
    address = source.addresses.of(name, optional)
    if address and not is_whole_webp(source.data.folder / name):
        source.damaged[name] = "cut short"
        return ""
    return address


def _status(shown: Shown, damaged: bool) -> str:
    record = shown.picture.record
    there = bool(shown.source.addresses.of(record.image)) and not damaged
    if record.image and not there:
        return MISSING
    return record.status if record.status in STATUSES else MISSING
