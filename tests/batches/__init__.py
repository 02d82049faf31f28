"""Batches: many documents, one instruction, one answer each."""
