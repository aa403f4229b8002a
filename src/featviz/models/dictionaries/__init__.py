"""Dictionaries of concepts: a layer's activations as sums of directions, in files that a layer's name accepts."""

from featviz.models.dictionaries.dictionary import Dictionary, Source
from featviz.models.dictionaries.encoders import ENCODERS, Encoder
from featviz.models.dictionaries.files import read_dictionary, write_dictionary

__all__ = ["ENCODERS", "Dictionary", "Encoder", "Source", "read_dictionary", "write_dictionary"]
