"""Background jobs (exports and imports), each run by a process of its own. Imports conversations."""
