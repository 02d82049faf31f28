"""What a measurement or a site for it ends with."""


class BenchmarkError(Exception):
    """A benchmark or its site could not be carried out; the message says what was missing or went wrong."""
