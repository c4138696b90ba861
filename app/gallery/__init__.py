"""The recorded examples: which there are, what each must show, and how they are made."""
