"""A sweep as one HTML file: heat maps, curves, and the runs behind each of their points."""
