"""What the page does when something happens on it, one file a feature."""
