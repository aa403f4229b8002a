"""How a sweep's jobs are run, each in this process or another."""
