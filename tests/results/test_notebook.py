"""A notebook that is executed: results are grids of pictures, and nothing is left of the progress."""

import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest

CELLS = (
    """
    import gc
    gc.disable()  # while modules are imported, which then takes half as long
    import featviz, sys
    from torch import nn
    torch_module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    quick = ["schedule.steps=4", "schedule.size=16"]
    model = featviz.Model("tiny <b>net</b>", torch_module, size=32)
    """,
    'featviz.visualize(model, layer="2", filters=[0, 1], overrides=quick)',
    'featviz.visualize(model, layer="2", filters=[0, 1], overrides=quick).show(columns=2)',
    "model",
    'print("ipywidgets" in sys.modules)',
)


@pytest.mark.process
def test_an_executed_notebook_holds_pictures_and_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient and ipykernel are in the extra dev")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = [nbformat.v4.new_code_cell(dedent(cell).strip()) for cell in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    outputs = [[output.get("data", output.get("text")) for output in cell.outputs] for cell in book.cells]
    nothing, grid, shown, model, widgets = ([data for data in each if data != {}] for each in outputs)
    assert {} in outputs[1]  # the line of progress, gone
    assert (nothing, widgets) == ([], ["False\n"])
    (result,) = grid
    assert result["text/plain"].startswith("Result(2 pictures of 16x16 px; tiny <b>net</b> (weights given), 2, ")
    assert len(re.findall(r'<img src="data:image/webp;base64,', result["text/html"])) == 2
    assert "<b>" not in result["text/html"]
    assert [sorted(data) for data in shown] == [["image/png", "text/plain"]]
    assert model == [{"text/plain": "Model('tiny <b>net</b>', Sequential, weights given, 3 x 32 x 32, mean 0, std 1)"}]
