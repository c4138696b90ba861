"""One visitor: the runs beside each other, what is looked at, what was typed; nothing is drawn here."""
