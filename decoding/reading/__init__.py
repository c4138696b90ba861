"""What can be read off a recorded run: distributions, cut-offs, draws, trees, statistics."""
