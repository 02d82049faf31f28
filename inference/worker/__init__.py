"""The inference process: joins the core to the rows of `chatsite`. The only part of `inference` with Django.

`service` builds and runs everything; `recorder` writes answers; `intake` reads questions.
"""
