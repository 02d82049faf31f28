"""Template tags of the console: labels, sections."""
