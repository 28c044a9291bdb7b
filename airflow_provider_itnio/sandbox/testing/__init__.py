"""The pytest fixture ``itnio_sandbox``, which also runs single tasks and notifiers. Imports the server."""
