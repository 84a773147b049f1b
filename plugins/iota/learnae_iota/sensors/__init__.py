"""Sensors: streams of readings, who sends them, and who reads them."""
