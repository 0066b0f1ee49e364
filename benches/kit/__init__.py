"""What the measurements in Python share; the standard library only."""
