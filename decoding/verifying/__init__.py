"""What `decoding.verify` is made of: the second run, observed, and the comparison."""
