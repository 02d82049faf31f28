"""Template tags of the console: what things are called, and its sections."""
