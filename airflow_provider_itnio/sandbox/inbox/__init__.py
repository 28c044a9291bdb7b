"""The inbox page: its files, its data, the replies written on it. Imports faults and store."""
