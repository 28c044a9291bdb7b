"""The inbox page: its files, and the data that it loads and is told. Imports store."""
