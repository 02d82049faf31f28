"""The tests: one file per behaviour, folders as the packages are."""
