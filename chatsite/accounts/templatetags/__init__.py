"""What templates ask about signing in."""
