"""One machine for many visitors: models, limits, whose turn it is, stored runs, borrowed GPUs, files in passing."""
