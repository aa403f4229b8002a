"""The site of one run, or of several put together: pages that open from the disk and need nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from featviz.errors import printable
from featviz.pages.atlas_files import write_atlas
from featviz.pages.find import find_runs
from featviz.pages.joined import JoinedNetwork, join_runs, notes_about
from featviz.pages.layer_files import LayerSummary, write_layer
from featviz.pages.metrics import described
from featviz.pages.network import Layer
from featviz.pages.run_folder import read_run
from featviz.pages.same_output import ids_by_module
from featviz.pages.site_folder import SiteFolder
from featviz.pages.sources import Source, sources_of
from featviz.pages.template import render_index
from featviz.results.files import alone, in_one_line

FORMAT = 1  # of the site's data


def write_site(runs: Sequence[str | Path], into: str | Path, copy: bool = False) -> Path:
    """Write the site of run folders, made from these alone, into a folder; return the path of its ``index.html``.

    Args:
        runs: the folders of runs or sweeps, or patterns of them.
        into: the folder of the site, which may be that of a run; an older site in it is replaced.
        copy: copy pictures and photos that lie outside of ``into`` instead of linking to them.

    Raises:
        FeatvizError: nothing among ``runs`` is a run, or the folder cannot be written into.
    """
    folders, site = find_runs(runs), Path(into)
    with in_one_line("write", site):
        site.mkdir(parents=True, exist_ok=True)
    with alone(site):
        folder = SiteFolder(site)
        sources = sources_of([read_run(path) for path in folders], site, copy)
        networks = join_runs([source.data for source in sources])
        atlases = [_write_atlases(folder, f"m{at}", one, sources) for at, one in enumerate(networks)]
        summaries = [_write_network(folder, f"m{at}", one, sources) for at, one in enumerate(networks)]
        data = _site_data(_title(sources, site), networks, summaries, sources)
        data["atlases"] = [atlas for some in atlases for atlas in some]
        return folder.finish(render_index(data))


def _write_network(
    folder: SiteFolder, name: str, network: JoinedNetwork, sources: Sequence[Source]
) -> list[LayerSummary | None]:
    """Write all layers of a network."""
    of_network = [sources[at] for at in network.runs]
    ids = ids_by_module(network.layers, {module for source in of_network for module, _ in source.data.units})
    return [write_layer(folder, f"{name}_l{at}", one.module, of_network, ids) for at, one in enumerate(network.layers)]


def _write_atlases(
    folder: SiteFolder, name: str, network: JoinedNetwork, sources: Sequence[Source]
) -> list[dict[str, str]]:
    """Write the atlases of a network's layers; return what the site's data says of them."""
    of_network = [sources[at] for at in network.runs]
    files = [
        (f"l{at}", write_atlas(folder, f"atlas_{name}_l{at}", layer.module, of_network))
        for at, layer in enumerate(network.layers)
    ]
    return [{"model": name, "layer": layer, "file": file} for layer, file in files if file]


def _site_data(
    title: str,
    networks: Sequence[JoinedNetwork],
    summaries: Sequence[Sequence[LayerSummary | None]],
    sources: Sequence[Source],
) -> dict[str, Any]:
    models = {at: f"m{number}" for number, network in enumerate(networks) for at in network.runs}
    metrics = dict.fromkeys(name for layers in summaries for layer in layers if layer for name in layer.metrics)
    return {
        "format": FORMAT,
        "title": title,
        "version": version("featviz"),
        "models": [
            {
                "id": f"m{number}",
                "name": one.network.name,
                "weights": one.network.weights,
                "checksum": one.network.checksum,
                "words": _words([sources[at] for at in one.runs]),
                "layers": [
                    _layer_data(f"l{at}", *pair) for at, pair in enumerate(zip(one.layers, layers, strict=True))
                ],
            }
            for number, (one, layers) in enumerate(zip(networks, summaries, strict=True))
        ],
        "runs": [source.described(models[source.number]) for source in sources],
        "metrics": described(metrics),
        "notes": notes_about(networks),
    }


def _words(sources: Sequence[Source]) -> str | None:
    """What to type for the network of these runs, None where none of them was typed."""
    words = [source.data.settings.network_words for source in sources]
    return next((one for one in words if one is not None), None)


def _layer_data(number: str, layer: Layer, summary: LayerSummary | None) -> dict[str, Any]:
    return {
        "id": number,
        "module": layer.module,
        "name": layer.name,
        "names": list(layer.names),
        "type": layer.kind,
        "shape": list(layer.shape) if layer.shape else None,
        "stride": layer.stride,
        "units": layer.units,
        "with_pictures": summary.with_pictures if summary else 0,
        "with_exemplars": summary.with_exemplars if summary else 0,
        "dead": summary.dead if summary else 0,
        "file": summary.file if summary else None,
    }


def _title(sources: Sequence[Source], site: Path) -> str:
    """What all runs are called; the folder's name where they are called differently."""
    names = {source.data.settings.name for source in sources}
    return (names.pop() if len(names) == 1 else "") or printable(site.resolve().name)
