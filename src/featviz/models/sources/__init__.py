"""Where networks come from, one file for each source."""
