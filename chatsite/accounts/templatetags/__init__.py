"""Template tags of the sign-in and account pages."""
