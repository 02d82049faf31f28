"""What only those who change the code need: the page's types, and a plugin for its formatter."""
