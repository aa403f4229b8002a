"""What makes a network's pass faster with the same numbers."""
