"""What a run can do, one file for each task; each has ``run(cfg)``."""
