"""Launches a sweep in several processes."""
