"""Activation atlases: activations at positions of photos, laid out in the plane, averaged over the cells of a grid."""
