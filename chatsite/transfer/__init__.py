"""Export and import of conversations. Imports jobs and retention."""
