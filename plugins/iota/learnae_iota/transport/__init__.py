"""Announcements on the Tangle."""
