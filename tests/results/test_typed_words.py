import pytest

from featviz.results.typed_words import typed_pair, typed_setting


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("layer=layer3", "layer", "layer3"),
        ("+optimizer.lr=0.1", "optimizer.lr", "0.1"),
        ("++image=a=1, b (2).jpg", "image", "a=1, b (2).jpg"),
        ("~callbacks", "callbacks", ""),
        ("filters=", "filters", ""),
    ],
)
def test_a_word_is_a_name_and_a_value(word: str, name: str, value: str) -> None:
    assert typed_pair(word) == (name, value)
    assert typed_setting(word) == name


def test_the_setting_is_named_without_its_package() -> None:
    assert typed_pair("+optimizer@own=adam") == ("optimizer@own", "adam")
    assert typed_setting("+optimizer@own=adam") == "optimizer"
