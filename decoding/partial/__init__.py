"""Responses of other engines as partial traces: what they say of each token, and what they leave unsaid."""
