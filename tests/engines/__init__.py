"""Other engines beside ours: what takes too long, or needs too much, for `make test`."""
