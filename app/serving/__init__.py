"""One machine for many visitors: bounds and their guard, models, whose turn it is, stored runs, GPUs, files."""
