"""A sink and a ledger for gads-etl from outside its repository."""
