"""What a run is given: every parameter, its range, and which of them act."""
