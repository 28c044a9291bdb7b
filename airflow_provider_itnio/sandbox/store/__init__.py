"""What the sandbox got, kept in memory. Imports no other folder."""
