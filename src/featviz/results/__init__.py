"""The run folder: pictures, tables, sheets, plots, loggers."""
