"""The task that makes activation atlases."""
