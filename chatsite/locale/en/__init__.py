"""English: the words are the code's own."""
