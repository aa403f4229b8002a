"""Concepts of a layer: directions that its activations of photos are taken apart into."""
