"""The inbox page: its files, its data and its events. Imports store."""
