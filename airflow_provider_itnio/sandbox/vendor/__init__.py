"""What Itniotech answers: account, signature, what a message may hold. Imports faults and store."""
