"""Looks at how customers are answered, and writes what it finds onto the ticket."""
