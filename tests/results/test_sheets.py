from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from featviz.results.sheets import Cell, Layout, Text, _font, fit, grid, lay_out, table_sheet

Box = tuple[int, int, int, int]
LONG = "optimizer.lr=0.05\nexperiment=a_name_without_any_space_that_is_much_longer_than_a_margin_can_be_made"


def tile(width: int, height: int | None = None) -> Image.Image:
    return Image.new("RGB", (width, height or width), "#3366cc")


def apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def ink(text: Text, width: int, height: int) -> Box | None:
    """Where a text really leaves ink, drawn alone."""
    drawn = np.array(Layout(width, height, texts=[text]).draw().convert("L")) < 250
    ys, xs = np.nonzero(drawn)
    return (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None


def check(sheet: Layout) -> None:
    texts = [text.box for text in sheet.texts]
    tiles = [(x, y, x + image.width, y + image.height) for x, y, image, _ in sheet.tiles]
    for left, top, right, bottom in texts + tiles:
        assert left >= 0
        assert top >= 0
        assert right <= sheet.width
        assert bottom <= sheet.height
    assert all(apart(*pair) for pair in combinations(texts, 2))
    assert all(apart(*pair) for pair in combinations(tiles, 2))
    words = [(x, y) for x, y, image, _ in sheet.tiles if image.getcolors(1)]  # a word stands on a blank tile
    pictures = [box for box in tiles if box[:2] not in words]
    assert all(apart(text, picture) for text in texts for picture in pictures)
    for text in sheet.texts:
        found = ink(text, sheet.width + 50, sheet.height + 50)
        if found:
            left, top, right, bottom = text.box
            assert left <= found[0] + 1
            assert top <= found[1]
            assert found[2] <= right + 1
            assert found[3] <= bottom


def striped(width: int, height: int | None = None) -> Image.Image:
    image = tile(width, height)
    image.putpixel((0, 0), (255, 255, 255))
    return image


@pytest.mark.parametrize("size", [1, 8, 56, 64, 100, 224, 256, 257, 400])
def test_grid_labels_are_whole_and_apart(size: int) -> None:
    labels = ["filter 0   3.2", "filter 2047   -1.234e-05", "filter 3   dead", LONG, "Åg|"]
    cells = [Cell(striped(size), label, warn=i == 2) for i, label in enumerate(labels)]
    check(lay_out([cells[:3], cells[3:]], title="resnet34 (random weights), layer4 (layer4.2.conv2), a_recipe"))


def test_table_labels_are_whole_and_apart() -> None:
    rows = [
        [Cell(striped(56), "3.2"), Cell("nan", "nan", True), Cell(None)],
        [Cell(striped(150, 90), "1.5"), Cell(striped(300), "dead", True), Cell("missing", LONG)],
        [Cell(None), Cell("nan", "nan"), Cell(None)],
    ]
    check(
        lay_out(
            rows,
            [LONG, "a few words that are wide together, wider than any margin", ""],
            ["filter 1", LONG, "x"],
        )
    )


def test_one_small_tile_has_room_for_its_title() -> None:
    sheet = lay_out([[Cell(striped(56), "filter 7")]], title="efficientnet_lite0 (random weights), " * 3)
    check(sheet)
    written = " ".join(text.line for text in sheet.texts)
    assert written.count("efficientnet_lite0 (random weights),") == 3


def test_wrapped_text_loses_no_letter() -> None:
    sheet = lay_out([[Cell(None)]], [LONG])
    assert "".join(text.line for text in sheet.texts) == LONG.replace("\n", "")
    assert len(sheet.texts) > 2


@pytest.mark.parametrize(
    ("size", "shown"),
    [((56, 56), (256, 256)), ((224, 100), (256, 114)), ((512, 256), (256, 128)), ((3, 1), (256, 85))],
)
def test_tiles_fit(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert fit(tile(*size)).size == shown


@pytest.mark.parametrize("side", [8, 32, 100, 224])
def test_enlarging_repeats_no_pixels(side: int) -> None:
    """A slope stays one: neighboring columns differ by a part of what they differed by, and by none too much."""
    slope = np.linspace(0, 255, side)[None, :, None].repeat(side, 0).repeat(3, 2).astype(np.uint8)
    steps = np.diff(np.array(fit(Image.fromarray(slope)))[128, :, 0].astype(int))
    assert steps.min() >= 0
    assert steps.max() <= max(2, 255 / side)


def test_pictures_of_several_sizes_are_as_large_beside_each_other() -> None:
    sheet = lay_out([[Cell(striped(size)) for size in (56, 100, 256, 400)]])
    assert {image.size for _, _, image, _ in sheet.tiles} == {(256, 256)}


def test_many_tiles_are_smaller() -> None:
    few, many = (grid([tile(224)] * count, ["x"] * count, columns=10).width for count in (100, 101))
    assert (few, many) == (10 * 268 + 12, 10 * 140 + 12)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (8, 4), (16, 4), (0, 1)])
def test_grid_is_about_square(count: int, columns: int) -> None:
    assert grid([tile(256)] * count, [""] * count).width == columns * 268 + 12 if count else True
    assert grid([tile(256)] * count, [""] * count, columns=2).width <= 2 * 268 + 12


def test_warned_tiles_are_framed() -> None:
    plain, warned = (np.array(grid([tile(256)], ["x"], warn=warn)) for warn in ([], [0]))
    assert tuple(plain[11, 100]) == (255, 255, 255)
    assert tuple(warned[11, 100]) == (192, 39, 27)


def test_photos_as_white_as_paper_are_outlined() -> None:
    white = Image.new("RGB", (256, 256), "white")
    plain, photo = (np.array(grid_of(Cell(white, is_photo=is_photo))) for is_photo in (False, True))
    assert (plain[:, :, 0] < 255).sum() == 0
    assert (photo[:, :, 0] < 255).sum() == 4 * 256 + 4


def grid_of(*cells: Cell) -> Image.Image:
    return lay_out([cells]).draw()


@pytest.mark.parametrize(("across", "size"), [(2, 15), (9, 28), (30, 30)])
def test_labels_of_wide_tables_can_be_read_when_they_are_shrunk(across: int, size: int) -> None:
    cells = [Cell(tile(256), "1.5") for _ in range(across)]
    sheet = lay_out([cells, cells], ["filter 1", "filter 2"], [str(number) for number in range(across)], "title")
    check(sheet)
    assert {text.size for text in sheet.texts if text.line != "title"} == {size}


def test_gray_and_plain_tiles_are_taken() -> None:
    sheet = table_sheet([[tile(8).convert("L"), None, "nan"]], ["run 0"], ["filter 0", "filter 1", "filter 2"], "title")
    assert sheet.mode == "RGB"


def test_counts_must_agree() -> None:
    with pytest.raises(ValueError, match="shorter"):
        grid([tile(8)], [])


def test_letters_beyond_ascii_are_drawn() -> None:
    """As what they are: not as the box of a font that does not have them."""
    drawn = {}
    for letter in "eéжя\uffff":
        image = Image.new("L", (30, 40), 255)
        ImageDraw.Draw(image).text((2, 2), letter, 0, _font("", 20))
        drawn[letter] = image.tobytes()
    assert len(set(drawn.values())) == len(drawn)
