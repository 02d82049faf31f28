"""The inference process: joins the core to the rows of `chatsite`. The only part of `inference` with Django.

`service` builds and runs everything, most of it as `periodic` tasks; `intake` turns rows into requests,
`recorder` writes answers, `recovery` ends what an owner before left running.
"""
