"""One machine for many visitors: models, limits, borrowed GPUs, files in passing."""
