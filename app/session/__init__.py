"""One visitor: the runs beside each other, what is looked at, what is tried."""
