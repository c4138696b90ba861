"""A recorded run, and nothing that is done with it."""
