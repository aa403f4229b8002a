"""The learnable parametrisations of pictures, one file each."""
