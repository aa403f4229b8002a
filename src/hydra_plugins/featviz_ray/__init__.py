"""Launches a sweep on Ray."""
