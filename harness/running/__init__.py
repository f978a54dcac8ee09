"""Cases meet engines: units of work, answers, processes, the ledger, the session."""
