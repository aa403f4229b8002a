"""Data as JavaScript: what comes back is what went in, and nothing of it is markup."""

import json
import math

import pytest

from featviz.pages.encoding import data_script, digest, rounded, to_json

TEXTS = ["</script>", "<!--", "]]>", "\u2028\u2029", "a\\b\"c'", "שלום", "🐟", "\x00\x1f", "&amp;"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_and_are_no_markup(text: str) -> None:
    encoded = to_json({text: [text]})
    assert json.loads(encoded) == {text: [text]}
    assert encoded.isascii()
    assert not set(encoded) & set("<>&")


@pytest.mark.parametrize("text", TEXTS)
def test_a_script_is_one_call(text: str) -> None:
    script = data_script(text, to_json([text])).decode()
    assert script == f"featvizReceive({to_json(text)},{to_json([text])});\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, 0.3),
        (1234567.0, 1234570.0),
        (-1e-9, -1e-9),
        (0.0, 0.0),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (None, None),
    ],
)
def test_numbers_have_six_digits(value: float | None, expected: float | None) -> None:
    assert rounded(value) == expected


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([math.nan])


def test_digests_tell_contents_apart() -> None:
    assert len({digest(bytes([number])) for number in range(256)}) == 256
    assert digest(b"a") == digest(b"a")
