"""Reading documents. The files are hostile until proven otherwise: everything here but `reader` runs in a
process of its own with limits on memory, time and output, and imports nothing of the site.
"""
