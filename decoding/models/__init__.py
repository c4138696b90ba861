"""Models, where they come from, and what they are asked."""
