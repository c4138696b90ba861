"""One machine for many visitors: bounds and the guard that keeps them, models, GPUs, files in passing, log, numbers."""
