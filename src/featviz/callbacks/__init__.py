"""What happens beside the optimisation: upscaling, guards, progress, logged pictures."""
