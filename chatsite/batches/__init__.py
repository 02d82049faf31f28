"""Batches: one instruction for many documents, one answer each. Imports generations and below."""
