"""Weights from an address, kept in torch.hub's folder."""

from __future__ import annotations

import logging
import re
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import torch
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.models.sources.checkpoint import read_state_dict
from featviz.models.sources.file_kinds import SUFFIXES

log = logging.getLogger(__name__)


def cached(url: str) -> Path:
    """Where a checkpoint of an address is kept."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


def fetch_state_dict(url: str) -> dict[str, Tensor]:
    """Download a checkpoint, unless torch.hub's folder has it, and read it; what cannot be read is not kept.

    A file name such as ``resnet18-f37072fd.pth`` says how the SHA-256 of what comes must begin.
    """
    address = urlsplit(url)
    name = Path(address.path).name
    if address.scheme not in ("https", "http", "file") or Path(name).suffix not in SUFFIXES:
        raise FeatvizError(
            f"url '{url}' is no address such as https://host/name.pth ({', '.join(SUFFIXES)})",
            setting="model.url",
            got=url,
        )
    file = cached(url)
    fresh = not file.exists()
    if fresh:
        _download(url, file)
    try:
        return read_state_dict(file)
    except FeatvizError as error:
        if not fresh:
            raise FeatvizError(
                f"{error}; delete this file, and it will be downloaded again", setting="model.url", got=file
            ) from error
        file.unlink()
        raise FeatvizError(
            f"what {url} sent was cut short or holds no weights, and was not kept: {error}",
            setting="model.url",
            got=url,
        ) from error


def _download(url: str, file: Path) -> None:
    digits = re.search(r"-([0-9a-f]{8,})\.", file.name)
    by_hand = f"put the file at {file} by hand, or give one with model.weights=PATH"
    log.info("downloading %s to %s", url, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), digits and digits[1], progress=sys.stderr.isatty())
    except RuntimeError as error:  # the hash differs
        what = f"{url} sent a file that was cut short or changed: {one_line(error)}"
        raise FeatvizError(what, setting="model.url", got=url, hint=by_hand) from error
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        what = f"could not download {url}: {one_line(error)}"
        raise FeatvizError(what, setting="model.url", got=url, hint=by_hand) from error
