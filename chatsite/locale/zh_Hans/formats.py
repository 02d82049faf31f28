"""Numbers in groups of three, as the page writes them. Dates are Django's own."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
