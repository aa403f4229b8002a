"""One run: from its configuration to its pictures, chunk by chunk."""
