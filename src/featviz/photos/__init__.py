"""Photos: files, streams, what networks make of them."""
