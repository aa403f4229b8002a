"""Two or more networks compared: which units are which, how far each has moved, how alike all layers are."""
