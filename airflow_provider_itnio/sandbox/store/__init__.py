"""Store received data in memory and in the file of --data. Imports no other folder."""
