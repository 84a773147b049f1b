"""Averaging of weights, and the pure functions that judge models and choose partners."""
