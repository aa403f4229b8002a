"""What makes calls of the Python interface short."""

SMALL = ["schedule.size=40", "schedule.steps=3"]
QUIET = [*SMALL, "callbacks=none", "evidence=none"]
