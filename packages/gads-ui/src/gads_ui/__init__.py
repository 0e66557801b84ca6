"""The operator's page: what is complete, what is not and why, read-only, over HTTP."""
