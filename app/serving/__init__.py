"""One machine for many visitors: bounds and the guard that keeps them, models, borrowed GPUs, files, log and numbers."""
