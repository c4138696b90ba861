"""A public server under many visitors for minutes: `python -m tests.soak` says whether it held.

Everything goes over the HTTP that a browser uses, so any version of the server can be asked.
"""
