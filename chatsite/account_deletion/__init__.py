"""Deletion of an account, and the proof that nothing is left. Imports jobs and transfer."""
