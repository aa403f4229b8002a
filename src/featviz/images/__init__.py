"""The learnable parametrizations of pictures, one file each."""
