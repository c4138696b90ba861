"""The page: its layout, and which event goes to which handler."""
