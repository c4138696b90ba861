"""Other engines, run and not imitated: their own code on the scores that were recorded."""
