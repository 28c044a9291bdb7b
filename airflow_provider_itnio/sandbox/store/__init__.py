"""What the sandbox got, kept in memory and in the file of --data. Imports no other folder."""
