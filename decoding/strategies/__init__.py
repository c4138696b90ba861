"""The decoding loops, one file each, to be read beside the papers; and what they share."""
