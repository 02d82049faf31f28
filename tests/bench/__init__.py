"""Tests of the measuring itself: a benchmark that miscounts is worse than none."""
