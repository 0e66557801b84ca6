"""The views: each a module with what it reads of the ledger and what its template shows."""
