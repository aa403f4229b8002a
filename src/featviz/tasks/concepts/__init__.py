"""The task that finds concepts of layers."""
