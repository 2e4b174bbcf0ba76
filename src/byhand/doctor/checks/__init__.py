"""The checks: each reads the evidence and names one fault."""
