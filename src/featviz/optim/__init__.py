"""One optimization: the pieces of a method and the loop that follows the gradient."""
